import type { PriceOrigin, PriceSource } from '../../lib/core/aws-prices.ts';

interface GpuInstance {
  readonly name: string;
  readonly usdPerHour: number;
  readonly origin: PriceOrigin;
  readonly sources: readonly PriceSource[];
}

const G5: GpuInstance = {
  name: 'ml.g5.xlarge',
  usdPerHour: 1.408,
  origin: 'quoted',
  sources: [{ page: 'zircon.tech' }, { page: 'huggingface.co/blog, sagemaker-huggingface-embedding' }],
};

/** Its price is from memory: 1.40 times the price of an EC2 g6.xlarge. */
const G6: GpuInstance = { name: 'ml.g6.xlarge', usdPerHour: 1.127, origin: 'memory', sources: [] };

export const GPU_INSTANCES: readonly GpuInstance[] = [G5, G6];

/** A GPU instance with a throughput that is assumed for it. */
export interface GpuPlan {
  readonly instance: GpuInstance;
  readonly tokensPerSecond: number;
  /** Where the throughput comes from. */
  readonly evidence: string;
}

/**
 * The instances and throughputs that the cost page compares.
 * Nobody has published the throughput of Text Embeddings Inference on these instances for the usual
 * models: measure before deciding.
 */
export const GPU_PLANS: readonly GpuPlan[] = [
  {
    instance: G5,
    tokensPerSecond: 33_000,
    evidence: 'a lower bound: 109M parameters, the clients were the limit (Hugging Face blog)',
  },
  {
    instance: G5,
    tokensPerSecond: 62_000,
    evidence: 'measured on one L4 with 335M parameters, taken for the A10G',
  },
  {
    instance: G6,
    tokensPerSecond: 62_000,
    evidence: '335M parameters on one L4 (TEI 0.6, in Infinity’s benchmarks)',
  },
  {
    instance: G6,
    tokensPerSecond: 78_000,
    evidence: '149M parameters on one L4 (Hugging Face blog)',
  },
];

/**
 * Hours that are billed for each wake from zero besides the work itself.
 * They cover the start and the idle time before the endpoint returns to zero. The figure is from
 * memory; none was measured.
 */
export const HOURS_PER_WAKE = 0.4;

export const HOURS_PER_MONTH = 730;
