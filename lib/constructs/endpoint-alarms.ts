import type { EndpointMetricName } from '../core/metrics/endpoint-metrics.ts';
import { endpointMetric } from './endpoint-metric.ts';
import type { AlarmRuleOf } from './pipeline-alarms.ts';

const MICROSECONDS = 1_000_000;

/** Percent of the memory of the endpoint's GPU above which an alarm goes off. */
export const FULL_MEMORY_PERCENT = 95;

/**
 * The alarms on an endpoint that serves one of the models.
 * None of these alarms pages: `freshness` sees what an endpoint delays. An alarm takes three bad
 * minutes of five. An endpoint at zero has no data, and that is no trouble. SageMaker gives a
 * container 60 s for an answer, and takes no percentile of the overhead.
 */
export function listEndpointAlarms(inferenceComponentName: string): AlarmRuleOf[] {
  const metric = (name: EndpointMetricName, statistic: string) =>
    endpointMetric(inferenceComponentName, name, { statistic });
  const common = { of: inferenceComponentName, periods: 5, badPeriods: 3 };
  return [
    {
      ...common,
      kind: 'endpoint-errors',
      metric: metric('Invocation5XXErrors', 'Sum'),
      threshold: 0,
    },
    {
      ...common,
      kind: 'endpoint-latency',
      metric: metric('ModelLatency', 'p99'),
      threshold: 30 * MICROSECONDS,
    },
    {
      ...common,
      kind: 'endpoint-memory',
      metric: metric('GPUMemoryUtilizationNormalized', 'Maximum'),
      threshold: FULL_MEMORY_PERCENT,
    },
    {
      ...common,
      kind: 'endpoint-overhead',
      metric: metric('OverheadLatency', 'Average'),
      threshold: MICROSECONDS,
    },
  ];
}
