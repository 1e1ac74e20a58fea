import { Duration } from 'aws-cdk-lib';
import { MathExpression, type Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { EndpointMetricName } from '../../core/metrics/endpoint-metrics.ts';
import { FULL_MEMORY_PERCENT } from '../endpoint-alarms.ts';
import { endpointMetric } from '../endpoint-metric.ts';
import { graph } from './graph.ts';
import type { ToldWidget } from './told-widget.ts';

const MINUTE = Duration.minutes(1);

/**
 * The widgets of what a GPU endpoint says of itself.
 * The widgets stand on a line of their own in the provider row, beside what `embed` sees of the
 * endpoint.
 */
export function endpointWidgets(inferenceComponentName: string): ToldWidget[] {
  const metric = (name: EndpointMetricName, statistic: string, label: string) =>
    endpointMetric(inferenceComponentName, name, { statistic, label });
  return [
    graph({
      title: 'Endpoint: calls',
      tells:
        'Only with a GPU endpoint. Calls, those answered with 5xx, and those that found no copy: one of them starts the first copy, and the others come again until it answers.',
      width: 6,
      unit: 'calls',
      metrics: [
        metric('Invocations', 'Sum', 'calls'),
        metric('Invocation5XXErrors', 'Sum', '5xx'),
        metric('NoCapacityInvocationFailures', 'Sum', 'no copy'),
      ],
    }),
    graph({
      title: 'Endpoint: latency',
      tells:
        'Only with a GPU endpoint. What the container takes for a call, usual (p50) and slow (p99), and what SageMaker adds. Beside *Latency of a call* it says whether model or network is slow.',
      width: 6,
      unit: 'milliseconds',
      metrics: [
        inMilliseconds('modelP50', metric('ModelLatency', 'p50', 'model p50')),
        inMilliseconds('modelP99', metric('ModelLatency', 'p99', 'model p99')),
        inMilliseconds('overhead', metric('OverheadLatency', 'Average', 'SageMaker, average')),
      ],
    }),
    graph({
      title: 'Endpoint: GPU',
      tells:
        'Only with a GPU endpoint. How busy the GPUs are, and how much of their memory is taken; the line is the alarm `endpoint-memory`. Busy with rows waiting: `gpu.maxCopies` is too low.',
      width: 6,
      unit: 'percent',
      metrics: [
        metric('GPUUtilizationNormalized', 'Average', 'busy'),
        metric('GPUMemoryUtilizationNormalized', 'Maximum', 'memory, fullest'),
      ],
      lines: [{ value: FULL_MEMORY_PERCENT, label: 'alarm', color: '#d62728' }],
    }),
    graph({
      title: 'Endpoint: copies and calls in flight',
      tells:
        'Only with a GPU endpoint. Copies that run, each on an instance that is paid; nothing while it is at zero. On the right the calls in flight per copy, which scaling holds at `gpu.callsPerCopy`.',
      width: 6,
      unit: 'copies',
      metrics: [
        new MathExpression({
          expression: 'samples / (PERIOD(samples) / 60)',
          usingMetrics: { samples: metric('GPUUtilizationNormalized', 'SampleCount', 'samples') },
          label: 'copies',
          period: MINUTE,
        }),
      ],
      right: [metric('ConcurrentRequestsPerCopy', 'Maximum', 'in flight per copy, most')],
    }),
  ];
}

function inMilliseconds(id: string, metric: Metric): MathExpression {
  return new MathExpression({
    expression: `${id} / 1000`,
    usingMetrics: { [id]: metric },
    label: metric.label ?? id,
    period: MINUTE,
  });
}
