import { Duration } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { ObservedPipeline } from '../observed-pipeline.ts';
import { DAY, graph, numbers } from './graph.ts';
import type { DashboardRow } from './told-widget.ts';

/** The dashboard row of what was promised, and what it costs. */
export function promiseRow({ metrics, sloSeconds, tickSeconds }: ObservedPipeline): DashboardRow {
  const period = Duration.seconds(Math.max(60, tickSeconds));
  const cost = metrics.sum('CostUsd', { period: DAY, label: 'US dollars today (UTC)' });
  const bought = metrics.one('EmbeddedRows', { statistic: 'Sum', period: DAY });
  return {
    name: 'Promise',
    widgets: [
      graph({
        title: 'Oldest stale row',
        tells:
          'How long the oldest edited row has waited for its vector, and the oldest of a backfill; the line is the promise. Above it, the alarm `freshness` counts.',
        width: 8,
        unit: 'seconds',
        metrics: [
          metrics.one('OldestStaleRowAgeSeconds', { statistic: 'Maximum', period, label: 'edits' }),
          metrics.one('OldestBulkRowAgeSeconds', { statistic: 'Maximum', period, label: 'backfill' }),
        ],
        lines: [{ value: sloSeconds, label: 'promise', color: '#d62728' }],
      }),
      graph({
        title: 'Stale rows',
        tells:
          'Rows that were found and are not embedded yet, per look. Edits should fall to 0 between two looks; a backfill holds at `limits.maxInFlight` until it ends.',
        width: 6,
        unit: 'rows',
        metrics: [
          metrics.one('StaleRows', { statistic: 'Sum', period, label: 'edits' }),
          metrics.one('BulkRows', { statistic: 'Sum', period, label: 'backfill' }),
        ],
      }),
      numbers({
        title: 'Coverage',
        tells:
          'The share of rows that have a vector of their latest version, at the end of the day’s walk over all keys; of several sources the least.',
        width: 4,
        metrics: [
          metrics.one('CoveragePercent', {
            statistic: 'Minimum',
            period: DAY,
            label: 'percent, least of all sources',
          }),
        ],
      }),
      numbers({
        title: 'Money',
        tells:
          'What the provider’s calls cost today, and what a million bought vectors cost at that rate. AWS’s own bill is not in it.',
        width: 6,
        metrics: [
          cost,
          new MathExpression({
            expression: '1000000 * (FILL(embedCost, 0) + FILL(guardCost, 0)) / bought',
            usingMetrics: {
              embedCost: metrics.one('CostUsd', { statistic: 'Sum', period: DAY, from: 'embed' }),
              guardCost: metrics.one('CostUsd', { statistic: 'Sum', period: DAY, from: 'guard' }),
              bought,
            },
            label: 'US dollars per 1M bought vectors',
            period: DAY,
          }),
        ],
      }),
    ],
  };
}
