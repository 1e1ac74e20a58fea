/**
 * SageMaker's instances with one GPU that the embedding image was built for.
 * Their GPUs are NVIDIA's T4, A10G and L4 (compute capability 7.5, 8.6 and 8.9).
 */
export const GPU_INSTANCE_TYPES = [
  'ml.g4dn.xlarge',
  'ml.g4dn.2xlarge',
  'ml.g5.xlarge',
  'ml.g5.2xlarge',
  'ml.g5.4xlarge',
  'ml.g6.xlarge',
  'ml.g6.2xlarge',
  'ml.g6.4xlarge',
] as const;

/**
 * Texts that the container accepts in one call, at least.
 * The adapter sends 32 where a model says nothing. The larger number lets `limits.maxTextsPerCall`
 * be raised without a new endpoint.
 */
const TEXTS_PER_CALL = 256;

/**
 * Composes the environment of the container of Text Embeddings Inference.
 * The container's own defaults (32 texts, 2 MB, cutting without being asked since 1.9) do not fit
 * the adapter, which says in each call whether to cut. `TASK` is never set: with it the container
 * would answer with similarities instead of vectors.
 */
export function composeTeiEnvironment(maxTextsPerCall: number | undefined): Readonly<Record<string, string>> {
  return {
    HF_MODEL_ID: '/opt/ml/model',
    MAX_CLIENT_BATCH_SIZE: String(Math.max(TEXTS_PER_CALL, maxTextsPerCall ?? 0)),
    MAX_BATCH_TOKENS: '65536',
    /** Each text of a call counts as one request. */
    MAX_CONCURRENT_REQUESTS: '4096',
    /** Bytes of a body: the most that the adapter sends and that InvokeEndpoint takes. */
    PAYLOAD_LIMIT: '6000000',
    AUTO_TRUNCATE: 'false',
  };
}

/**
 * Accounts that hold AWS's image of Text Embeddings Inference, by region.
 * They are the regions of the SageMaker Python SDK's list that were read in May 2026. An endpoint
 * in another region would be created and never start.
 */
export const TEI_IMAGE_ACCOUNTS: Readonly<Record<string, string>> = {
  'us-east-1': '683313688378',
  'us-east-2': '257758044811',
  'us-west-1': '746614075791',
  'us-west-2': '246618743249',
  'ca-central-1': '341280168497',
  'eu-west-1': '141502667606',
  'eu-west-2': '764974769150',
  'eu-west-3': '659782779980',
  'eu-central-1': '492215442770',
  'eu-north-1': '662702820516',
  'ap-southeast-1': '121021644041',
  'ap-southeast-2': '783357654285',
  'ap-northeast-1': '354813040037',
  'ap-south-1': '720646828776',
  'sa-east-1': '737474898029',
};

/**
 * Tags of the GPU image in the repository `tei`, by version of Text Embeddings Inference.
 * They are from the same list.
 */
const TEI_IMAGE_TAGS = {
  '1.8.2': '2.0.1-tei1.8.2-gpu-py310-cu122-ubuntu22.04',
  '1.9.3': '2.0.1-tei1.9.3-gpu-py310-cu129-ubuntu24.04',
  '1.9.4': '2.0.1-tei1.9.4-gpu-py310-cu129-ubuntu24.04',
} as const;

type TeiVersion = keyof typeof TEI_IMAGE_TAGS;

export const TEI_VERSIONS = Object.keys(TEI_IMAGE_TAGS) as TeiVersion[];

/** The place of the image in Amazon's container registry (ECR). */
export interface TeiImage {
  /** Account of the registry that holds the image. */
  readonly account: string;
  readonly repository: string;
  readonly uri: string;
}

/** Finds the image for a region. Undefined: the image is not known there. */
export function findTeiImage(region: string, version: TeiVersion): TeiImage | undefined {
  const account = Object.hasOwn(TEI_IMAGE_ACCOUNTS, region) ? TEI_IMAGE_ACCOUNTS[region] : undefined;
  if (account === undefined) return undefined;
  const repository = 'tei';
  const uri = `${account}.dkr.ecr.${region}.amazonaws.com/${repository}:${TEI_IMAGE_TAGS[version]}`;
  return { account, repository, uri };
}

interface EndpointMetric {
  readonly namespace: 'AWS/SageMaker' | '/aws/sagemaker/InferenceComponents';
  readonly unit: string;
  readonly meaning: string;
  /**
   * How sure the metric is to exist under this dimension.
   * A `documented` metric is in SageMaker's list with that dimension. One from `memory` must be
   * checked on an account.
   */
  readonly known: 'documented' | 'memory';
}

const INVOCATIONS = 'AWS/SageMaker';
const UTILIZATION = '/aws/sagemaker/InferenceComponents';

/**
 * Metrics that SageMaker publishes of an inference component once a minute.
 * Their only dimension is the component's name. Freshet emits none of them and pays for no series.
 */
export const ENDPOINT_METRICS = {
  Invocations: { namespace: INVOCATIONS, unit: 'Count', known: 'documented', meaning: 'calls' },
  Invocation5XXErrors: {
    namespace: INVOCATIONS,
    unit: 'Count',
    known: 'documented',
    meaning: 'calls that were answered with 5xx',
  },
  NoCapacityInvocationFailures: {
    namespace: INVOCATIONS,
    unit: 'Count',
    known: 'memory',
    meaning: 'calls that found no copy; the first of them starts one',
  },
  ModelLatency: {
    namespace: INVOCATIONS,
    unit: 'Microseconds',
    known: 'documented',
    meaning: 'what the container takes for a call',
  },
  OverheadLatency: {
    namespace: INVOCATIONS,
    unit: 'Microseconds',
    known: 'documented',
    meaning: 'what SageMaker adds to it',
  },
  ConcurrentRequestsPerCopy: {
    namespace: INVOCATIONS,
    unit: 'Count',
    known: 'documented',
    meaning: 'calls in flight, per copy; least and most only',
  },
  GPUUtilizationNormalized: {
    namespace: UTILIZATION,
    unit: 'Percent',
    known: 'documented',
    meaning:
      'how busy the GPU of a copy is; each copy tells its own, so that the samples of a minute are ' +
      'the copies',
  },
  GPUMemoryUtilizationNormalized: {
    namespace: UTILIZATION,
    unit: 'Percent',
    known: 'documented',
    meaning: 'how much of the memory of that GPU is taken',
  },
} as const satisfies Readonly<Record<string, EndpointMetric>>;

export type EndpointMetricName = keyof typeof ENDPOINT_METRICS;
