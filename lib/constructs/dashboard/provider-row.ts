import { Duration } from 'aws-cdk-lib';
import type { MetricName } from '../../core/metrics/metric-names.ts';
import type { ObservedPipeline } from '../observed-pipeline.ts';
import { endpointWidgets } from './endpoint-widgets.ts';
import { graph } from './graph.ts';
import type { DashboardRow } from './told-widget.ts';

const MINUTE = Duration.minutes(1);

/** The dashboard row of what is bought, and what stands in the way of buying. */
export function providerRow({ metrics, inferenceComponentName }: ObservedPipeline): DashboardRow {
  const sum = (name: MetricName) => metrics.one(name, { statistic: 'Sum', label: name });
  return {
    name: 'Provider',
    widgets: [
      graph({
        title: 'Latency of a call',
        tells:
          'The usual call (p50) and the slow one (p99); on the right the waits before repeated calls. A p99 near `limits.timeoutSeconds` means calls that are given up and perhaps billed.',
        width: 6,
        unit: 'milliseconds',
        metrics: [
          metrics.one('ProviderLatency', { statistic: 'p50', label: 'p50' }),
          metrics.one('ProviderLatency', { statistic: 'p99', label: 'p99' }),
        ],
        right: [metrics.one('RetryWait', { statistic: 'Sum', label: 'waits, sum' })],
      }),
      graph({
        title: 'Calls',
        tells:
          'Calls, those that gave no vectors, those of them that were throttled, and failures that no rule knows.',
        width: 6,
        unit: 'calls',
        metrics: (['ProviderCalls', 'ProviderFailures', 'ProviderThrottles', 'UnknownFailures'] as const).map(
          sum,
        ),
      }),
      graph({
        title: 'Tokens per minute',
        tells:
          'To compare with the limit of your account at the provider; on the right the texts of a call (the batch size).',
        width: 6,
        unit: 'tokens',
        metrics: [metrics.one('Tokens', { statistic: 'Sum', period: MINUTE, label: 'tokens' })],
        right: [metrics.one('TextsSent', { statistic: 'Average', label: 'texts per call' })],
      }),
      graph({
        title: 'Pauses',
        tells:
          'Models and sources that stand still, whether an operator paused everything, event sources that are closed by guard or by hand, calls that a pause kept back, texts refused for good or left without a vector by an outage, and guard’s probes.',
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
      ...(inferenceComponentName === undefined ? [] : endpointWidgets(inferenceComponentName)),
    ],
  };
}
