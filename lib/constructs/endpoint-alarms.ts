import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { AlarmRuleOf } from './pipeline-alarms.ts';

const INVOCATIONS = 'AWS/SageMaker';
const MICROSECONDS = 1_000_000;

/**
 * Of an endpoint that serves one of the models. None of them pages: what an endpoint delays, `freshness` sees. Three bad minutes of five; an endpoint at
 * zero has no data, and that is no trouble. SageMaker gives a container 60 s for an answer, and takes no percentile of the overhead.
 */
export function listEndpointAlarms(inferenceComponentName: string): AlarmRuleOf[] {
  const metric = (namespace: string, metricName: string, statistic: string): Metric =>
    new Metric({
      namespace,
      metricName,
      statistic,
      period: Duration.minutes(1),
      dimensionsMap: { InferenceComponentName: inferenceComponentName },
    });
  const common = { of: inferenceComponentName, periods: 5, badPeriods: 3 };
  return [
    {
      ...common,
      kind: 'endpoint-errors',
      metric: metric(INVOCATIONS, 'Invocation5XXErrors', 'Sum'),
      threshold: 0,
    },
    {
      ...common,
      kind: 'endpoint-latency',
      metric: metric(INVOCATIONS, 'ModelLatency', 'p99'),
      threshold: 30 * MICROSECONDS,
    },
    {
      ...common,
      kind: 'endpoint-memory',
      metric: metric('/aws/sagemaker/InferenceComponents', 'GPUMemoryUtilizationNormalized', 'Maximum'),
      threshold: 95,
    },
    {
      ...common,
      kind: 'endpoint-overhead',
      metric: metric(INVOCATIONS, 'OverheadLatency', 'Average'),
      threshold: MICROSECONDS,
    },
  ];
}
