/** Where a figure comes from: a page of the vendor, of somebody else who quotes it, or memory, which is to be checked before it is relied on. */
export type PriceOrigin = 'vendor' | 'quoted' | 'memory';

export interface Price {
  readonly usd: number;
  /** What the figure buys once. */
  readonly unit: string;
  readonly what: string;
  readonly origin: PriceOrigin;
  readonly source: string;
}

/** When the figures were collected. All are list prices in US dollars of us-east-1, without free tiers and tax. */
export const PRICES_AS_OF = '2026-11-21';

const MILLION = 1e6;

export const PRICES = {
  lambdaGbSecond: {
    usd: 0.0000133334,
    unit: 'GB-second',
    what: 'Lambda, arm64',
    origin: 'quoted',
    source: 'git.mcrn.ar lambda-13-cost',
  },
  lambdaRequest: {
    usd: 0.2 / MILLION,
    unit: 'request',
    what: 'Lambda',
    origin: 'vendor',
    source: 'aws.amazon.com/lambda/pricing',
  },
  sqsRequest: {
    usd: 0.4 / MILLION,
    unit: 'request of up to 64 KB',
    what: 'SQS standard queue',
    origin: 'quoted',
    source: 'cloudburn.io (March 2026), factualminds.com (June 2026)',
  },
  s3Put: {
    usd: 0.005 / 1000,
    unit: 'PUT',
    what: 'S3 Standard',
    origin: 'memory',
    source: 'the vendor’s table is not readable as text',
  },
  s3Get: {
    usd: 0.0004 / 1000,
    unit: 'GET',
    what: 'S3 Standard',
    origin: 'memory',
    source: 'the vendor’s table is not readable as text',
  },
  s3GbMonth: {
    usd: 0.023,
    unit: 'GB-month',
    what: 'S3 Standard',
    origin: 'memory',
    source: 'the vendor’s table is not readable as text',
  },
  logGb: {
    usd: 0.5,
    unit: 'GB taken in',
    what: 'CloudWatch Logs',
    origin: 'quoted',
    source: 'signoz.io, factualminds.com',
  },
  traceRecorded: { usd: 5 / MILLION, unit: 'trace', what: 'X-Ray', origin: 'memory', source: '–' },
  metricMonth: {
    usd: 0.3,
    unit: 'metric and month',
    what: 'CloudWatch custom metric (the first 10,000)',
    origin: 'quoted',
    source: 'signoz.io, factualminds.com',
  },
  alarmMonth: {
    usd: 0.1,
    unit: 'alarm and month',
    what: 'CloudWatch alarm',
    origin: 'quoted',
    source: 'signoz.io, factualminds.com',
  },
  compositeAlarmMonth: {
    usd: 0.5,
    unit: 'alarm and month',
    what: 'CloudWatch composite alarm',
    origin: 'quoted',
    source: 'signoz.io, factualminds.com',
  },
  dashboardMonth: {
    usd: 3,
    unit: 'dashboard and month',
    what: 'CloudWatch dashboard',
    origin: 'quoted',
    source: 'signoz.io, factualminds.com',
  },
  scheduleInvocation: {
    usd: 1 / MILLION,
    unit: 'invocation',
    what: 'EventBridge Scheduler',
    origin: 'quoted',
    source: 'cloudburn.io, awsnegotiations.com',
  },
  secretMonth: {
    usd: 0.4,
    unit: 'secret and month',
    what: 'Secrets Manager',
    origin: 'memory',
    source: '–',
  },
  natHour: {
    usd: 0.045,
    unit: 'hour',
    what: 'NAT gateway',
    origin: 'quoted',
    source: 'usage.ai, cloud-horizons.com',
  },
  natGb: {
    usd: 0.045,
    unit: 'GB in either direction',
    what: 'NAT gateway',
    origin: 'quoted',
    source: 'usage.ai, cloud-horizons.com',
  },
  internetGb: { usd: 0.09, unit: 'GB sent', what: 'to the internet', origin: 'memory', source: '–' },
  zoneGb: {
    usd: 0.02,
    unit: 'GB in either direction',
    what: 'between two zones (0.01 on each side)',
    origin: 'memory',
    source: '–',
  },
} as const satisfies Readonly<Record<string, Price>>;

export interface HostedModel {
  readonly name: string;
  readonly usdPerMillionTokens: number;
  readonly batchUsdPerMillionTokens: number;
}

/** Price trackers of April and May 2026, and OpenAI’s help page for the half price of Batch. */
export const HOSTED_MODELS: readonly HostedModel[] = [
  { name: 'text-embedding-3-small', usdPerMillionTokens: 0.02, batchUsdPerMillionTokens: 0.01 },
  { name: 'text-embedding-3-large', usdPerMillionTokens: 0.13, batchUsdPerMillionTokens: 0.065 },
];

export interface GpuPlan {
  readonly instance: string;
  readonly usdPerHour: number;
  readonly origin: PriceOrigin;
  readonly tokensPerSecond: number;
  /** Where the throughput comes from. */
  readonly evidence: string;
}

/** Nobody has published what Text Embeddings Inference does on these for the usual models: measure before deciding. */
export const GPU_PLANS: readonly GpuPlan[] = [
  {
    instance: 'ml.g5.xlarge',
    usdPerHour: 1.408,
    origin: 'quoted',
    tokensPerSecond: 33_000,
    evidence: 'a lower bound: 109M parameters, the clients were the limit (Hugging Face blog)',
  },
  {
    instance: 'ml.g5.xlarge',
    usdPerHour: 1.408,
    origin: 'quoted',
    tokensPerSecond: 62_000,
    evidence: 'measured on one L4 with 335M parameters, taken for the A10G',
  },
  {
    instance: 'ml.g6.xlarge',
    usdPerHour: 1.127,
    origin: 'memory',
    tokensPerSecond: 62_000,
    evidence: '335M parameters on one L4 (TEI 0.6, in Infinity’s benchmarks)',
  },
  {
    instance: 'ml.g6.xlarge',
    usdPerHour: 1.127,
    origin: 'memory',
    tokensPerSecond: 78_000,
    evidence: '149M parameters on one L4 (Hugging Face blog)',
  },
];

/** Hours that are paid each time an endpoint wakes from zero: its start, and the idle time before it goes back. From memory: none was measured. */
export const HOURS_PER_WAKE = 0.4;

export const HOURS_PER_MONTH = 730;
