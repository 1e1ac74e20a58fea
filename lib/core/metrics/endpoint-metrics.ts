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
      'how busy the GPU of a copy is; each copy tells its own, so that the samples of a minute are the copies',
  },
  GPUMemoryUtilizationNormalized: {
    namespace: UTILIZATION,
    unit: 'Percent',
    known: 'documented',
    meaning: 'how much of the memory of that GPU is taken',
  },
} as const satisfies Readonly<Record<string, EndpointMetric>>;

export type EndpointMetricName = keyof typeof ENDPOINT_METRICS;

export const ENDPOINT_METRIC_NAMES = Object.keys(ENDPOINT_METRICS) as EndpointMetricName[];
