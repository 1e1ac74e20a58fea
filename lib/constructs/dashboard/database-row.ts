import type { MetricName } from '../../core/metrics/metric-names.ts';
import type { ObservedPipeline } from '../observed-pipeline.ts';
import { graph } from './graph.ts';
import type { DashboardRow } from './told-widget.ts';

/**
 * The dashboard row of the database as the pipeline feels it.
 * The database's own metrics are where the database is described.
 */
export function databaseRow({ metrics }: ObservedPipeline): DashboardRow {
  const sum = (name: MetricName, label: string) => metrics.one(name, { statistic: 'Sum', label });
  return {
    name: 'Database',
    widgets: [
      graph({
        title: 'Latency of a write',
        tells: 'One transaction per result, retries included: the usual (p50) and the slow one (p99).',
        width: 8,
        unit: 'milliseconds',
        metrics: [
          metrics.one('WriteLatency', { statistic: 'p50', label: 'p50' }),
          metrics.one('WriteLatency', { statistic: 'p99', label: 'p99' }),
        ],
      }),
      graph({
        title: 'Results that changed nothing',
        tells:
          'Entries that a newer reading overtook (their rows are sent again), results delivered twice, results whose object was gone, messages of a retired space. Overtaken rows rise when rows are edited while they are embedded.',
        width: 8,
        unit: 'count',
        metrics: [
          sum('OvertakenRows', 'overtaken rows'),
          sum('RepeatedResults', 'repeated results'),
          sum('DroppedResults', 'dropped results'),
          sum('DroppedMessages', 'dropped messages'),
        ],
      }),
      graph({
        title: 'Faults',
        tells:
          'Looks, batches and results that found a source table changed, spaces whose look failed, looks at which the database did not answer, and walks that deleted nothing because too many rows were missing.',
        width: 8,
        unit: 'count',
        metrics: [
          metrics.sum('SourceFaults', { label: 'source faults' }),
          sum('SpaceFailures', 'failed spaces'),
          sum('DatabaseUnreachable', 'database did not answer'),
          sum('OrphanRemovalStopped', 'orphan removal stopped'),
        ],
      }),
    ],
  };
}
