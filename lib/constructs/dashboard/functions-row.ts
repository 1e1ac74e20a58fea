import { Duration } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import { FUNCTION_SETTINGS } from '../function-settings.ts';
import { OBSERVED_FUNCTIONS, type ObservedPipeline } from '../observed-pipeline.ts';
import { graph } from './graph.ts';
import type { DashboardRow } from './told-widget.ts';

const period = Duration.minutes(5);

export function functionsRow({ functions, metrics }: ObservedPipeline): DashboardRow {
  const each = OBSERVED_FUNCTIONS.map(name => ({ name, target: functions[name] }));
  return {
    name: 'Functions',
    widgets: [
      graph({
        title: 'Errors',
        tells:
          'Invocations that failed as a whole. A message that fails alone is not among them: it is on the right, with ticks and events that ended a second before their time.',
        width: 6,
        unit: 'invocations',
        metrics: each.map(({ name, target }) =>
          target.metricErrors({ statistic: 'Sum', label: name, period }),
        ),
        right: [
          metrics.sum('FailedRecords', { label: 'failed messages' }),
          metrics.sum('EarlyTimeouts', { label: 'early timeouts' }),
        ],
      }),
      graph({
        title: 'Throttles',
        tells: 'Invocations that Lambda refused: the account’s concurrency is used up.',
        width: 6,
        unit: 'invocations',
        metrics: each.map(({ name, target }) =>
          target.metricThrottles({ statistic: 'Sum', label: name, period }),
        ),
      }),
      graph({
        title: 'Duration against timeout',
        tells:
          'p99 in percent of the time that the function has. `detect` may reach its end: a walk over all keys takes what it is given.',
        width: 6,
        unit: 'percent',
        metrics: each.map(
          ({ name, target }) =>
            new MathExpression({
              expression: `100 * ${name}Duration / ${FUNCTION_SETTINGS[name].timeoutSeconds * 1000}`,
              usingMetrics: { [`${name}Duration`]: target.metricDuration({ statistic: 'p99', period }) },
              label: name,
              period,
            }),
        ),
        lines: [{ value: 80, label: 'alarm', color: '#d62728' }],
      }),
      graph({
        title: 'Concurrency and messages',
        tells:
          'Environments at work; on the right the messages they took, and ticks of detect that found another at work.',
        width: 6,
        unit: 'environments',
        metrics: each.map(({ name, target }) =>
          target.metric('ConcurrentExecutions', { statistic: 'Maximum', label: name, period }),
        ),
        right: [
          metrics.sum('Records', { label: 'messages' }),
          metrics.one('OverlappedTicks', { statistic: 'Sum', label: 'overlapped ticks' }),
        ],
      }),
    ],
  };
}
