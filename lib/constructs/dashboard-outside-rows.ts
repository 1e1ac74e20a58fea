import { MathExpression, type Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { EndpointMetricName } from '../core/gpu-endpoint.ts';
import type { MetricName } from '../core/metrics.ts';
import { FULL_MEMORY_PERCENT } from './alarm-rules.ts';
import { createGraph, type DashboardRow, type DescribedWidget, limitLine } from './dashboard-widgets.ts';
import { endpointMetric, MINUTE, type ObservedPipeline } from './observed-pipeline.ts';

/** The dashboard row of what is bought, and what stands in the way of buying. */
export function providerRow({ metrics, inferenceComponentName }: ObservedPipeline): DashboardRow {
  const sum = (name: MetricName) => metrics.one(name, { statistic: 'Sum', label: name });
  return {
    name: 'Provider',
    widgets: [
      createGraph({
        title: 'Latency of a call',
        description:
          'The usual call (p50) and the slow one (p99); on the right the waits before repeated calls. ' +
          'A p99 near `limits.timeoutSeconds` means calls that are given up and perhaps billed.',
        width: 6,
        unit: 'milliseconds',
        metrics: [
          metrics.one('ProviderLatency', { statistic: 'p50', label: 'p50' }),
          metrics.one('ProviderLatency', { statistic: 'p99', label: 'p99' }),
        ],
        right: [metrics.one('RetryWait', { statistic: 'Sum', label: 'waits, sum' })],
      }),
      createGraph({
        title: 'Calls',
        description:
          'Calls, those that gave no vectors, those of them that were throttled, and failures that no ' +
          'rule knows.',
        width: 6,
        unit: 'calls',
        metrics: (['ProviderCalls', 'ProviderFailures', 'ProviderThrottles', 'UnknownFailures'] as const).map(
          sum,
        ),
      }),
      createGraph({
        title: 'Tokens per minute',
        description:
          'To compare with the limit of your account at the provider; on the right the texts of a call ' +
          '(the batch size).',
        width: 6,
        unit: 'tokens',
        metrics: [metrics.one('Tokens', { statistic: 'Sum', period: MINUTE, label: 'tokens' })],
        right: [metrics.one('TextsSent', { statistic: 'Average', label: 'texts per call' })],
      }),
      createGraph({
        title: 'Pauses',
        description:
          'Models and sources that stand still, whether an operator paused everything, event sources ' +
          'that are closed by guard or by hand, calls that a pause kept back, texts refused for good ' +
          'or left without a vector by an outage, and guard’s probes.',
        width: 6,
        unit: 'count',
        metrics: [
          ...(
            [
              'PausedModels',
              'PausedSources',
              'OperatorPauses',
              'MappingsClosed',
              'MappingsDisabledByHand',
            ] as const
          ).map(name => metrics.one(name, { statistic: 'Maximum', label: name })),
          ...(['ModelPauses', 'RefusedGrants', 'RefusedTexts', 'UndeliveredTexts', 'Probes'] as const).map(
            sum,
          ),
        ],
      }),
      createGraph({
        title: 'Batches',
        description:
          'Batches that the provider took, and requests of its batch service that failed and are made ' +
          'again; on the right the texts that came by batch, those that calls buy because no batch ' +
          'embedded them in time, and those that an edit bought while they stood in a batch.',
        width: 24,
        unit: 'batches',
        metrics: (['BatchesSubmitted', 'BatchFailures'] as const).map(sum),
        right: (['BatchTexts', 'BatchTextsLeft', 'TextsBoughtBesideBatch'] as const).map(sum),
      }),
      ...(inferenceComponentName === undefined ? [] : endpointWidgets(inferenceComponentName)),
    ],
  };
}

/**
 * The widgets of what a GPU endpoint says of itself.
 * The widgets stand on a line of their own in the provider row, beside what `embed` sees of the
 * endpoint.
 */
function endpointWidgets(inferenceComponentName: string): DescribedWidget[] {
  const metric = (name: EndpointMetricName, statistic: string, label: string) =>
    endpointMetric(inferenceComponentName, name, { statistic, label });
  return [
    createGraph({
      title: 'Endpoint: calls',
      description:
        'Only with a GPU endpoint. Calls, those answered with 5xx, and those that found no copy: one ' +
        'of them starts the first copy, and the others come again until it answers.',
      width: 6,
      unit: 'calls',
      metrics: [
        metric('Invocations', 'Sum', 'calls'),
        metric('Invocation5XXErrors', 'Sum', '5xx'),
        metric('NoCapacityInvocationFailures', 'Sum', 'no copy'),
      ],
    }),
    createGraph({
      title: 'Endpoint: latency',
      description:
        'Only with a GPU endpoint. What the container takes for a call, usual (p50) and slow (p99), ' +
        'and what SageMaker adds. Beside *Latency of a call* it says whether model or network is slow.',
      width: 6,
      unit: 'milliseconds',
      metrics: [
        inMilliseconds('modelP50', metric('ModelLatency', 'p50', 'model p50')),
        inMilliseconds('modelP99', metric('ModelLatency', 'p99', 'model p99')),
        inMilliseconds('overhead', metric('OverheadLatency', 'Average', 'SageMaker, average')),
      ],
    }),
    createGraph({
      title: 'Endpoint: GPU',
      description:
        'Only with a GPU endpoint. How busy the GPUs are, and how much of their memory is taken; the ' +
        'line is the alarm `endpoint-memory`. Busy with rows waiting: `gpu.maxCopies` is too low.',
      width: 6,
      unit: 'percent',
      metrics: [
        metric('GPUUtilizationNormalized', 'Average', 'busy'),
        metric('GPUMemoryUtilizationNormalized', 'Maximum', 'memory, fullest'),
      ],
      lines: [limitLine(FULL_MEMORY_PERCENT, 'alarm')],
    }),
    createGraph({
      title: 'Endpoint: copies and calls in flight',
      description:
        'Only with a GPU endpoint. Copies that run, each on an instance that is paid; nothing while it ' +
        'is at zero. On the right the calls in flight per copy, which scaling holds at ' +
        '`gpu.callsPerCopy`.',
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

/**
 * The dashboard row of the database as the pipeline feels it.
 * The database's own metrics are where the database is described.
 */
export function databaseRow({ metrics }: ObservedPipeline): DashboardRow {
  const sum = (name: MetricName, label: string) => metrics.one(name, { statistic: 'Sum', label });
  return {
    name: 'Database',
    widgets: [
      createGraph({
        title: 'Latency of a write',
        description: 'One transaction per result, retries included: the usual (p50) and the slow one (p99).',
        width: 8,
        unit: 'milliseconds',
        metrics: [
          metrics.one('WriteLatency', { statistic: 'p50', label: 'p50' }),
          metrics.one('WriteLatency', { statistic: 'p99', label: 'p99' }),
        ],
      }),
      createGraph({
        title: 'Results that changed nothing',
        description:
          'Entries that a newer reading overtook (their rows are sent again), results delivered twice, ' +
          'results whose object was gone, messages of a retired space. Overtaken rows rise when rows ' +
          'are edited while they are embedded.',
        width: 8,
        unit: 'count',
        metrics: [
          sum('OvertakenRows', 'overtaken rows'),
          sum('RepeatedResults', 'repeated results'),
          sum('DroppedResults', 'dropped results'),
          sum('DroppedMessages', 'dropped messages'),
        ],
      }),
      createGraph({
        title: 'Faults',
        description:
          'Looks, batches and results that found a source table changed, spaces whose look failed, ' +
          'looks at which the database did not answer or has a schema that is not known, and 1 where a ' +
          'walk deleted nothing because too many rows were missing.',
        width: 8,
        unit: 'count',
        metrics: [
          metrics.sum('SourceFaults', { label: 'source faults' }),
          sum('SpaceFailures', 'failed spaces'),
          sum('DatabaseUnreachable', 'database did not answer'),
          sum('UnknownSchema', 'unknown schema'),
          metrics.one('OrphanRemovalStopped', { statistic: 'Maximum', label: 'orphan removal stopped' }),
        ],
      }),
    ],
  };
}
