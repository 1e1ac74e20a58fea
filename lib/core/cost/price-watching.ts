import type { CostLine } from './cost-line.ts';
import { PRICES } from './prices.ts';

/** The parts of a stage that watch it, as counted in its template. */
export interface WatchedStage {
  readonly alarms: number;
  /**
   * Metrics watched by all alarms together.
   * An alarm that computes from several metrics watches each of them.
   */
  readonly alarmMetrics: number;
  /** Metrics that alarms watch in periods below a minute. `alarmMetrics` leaves them out. */
  readonly highResolutionAlarmMetrics: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  /** KMS keys. The topic has a key because alarms cannot publish under the key of SNS. */
  readonly keys: number;
}

/**
 * Prices a month of watching a stage, without free tiers.
 * `series` is the number of custom metric series. `seriesAre` says in words how they were counted.
 */
export function priceWatching(stage: WatchedStage, series: number, seriesAre: string): CostLine[] {
  const { alarms, alarmMetrics, highResolutionAlarmMetrics } = stage;
  const each = (service: string, count: number, how: string, usd: number): CostLine[] =>
    count === 0 ? [] : [{ service, how: `${count} ${how}`, usd: count * usd }];
  return [
    ...each('metrics', series, seriesAre, PRICES.metricMonth.usd),
    ...each('alarms', alarmMetrics, `metrics that ${alarms} alarms watch`, PRICES.alarmMetricMonth.usd),
    ...each(
      'quick alarms',
      highResolutionAlarmMetrics,
      'metrics that alarms watch in periods below a minute',
      PRICES.highResolutionAlarmMetricMonth.usd,
    ),
    ...each('composite alarms', stage.compositeAlarms, 'over the others', PRICES.compositeAlarmMonth.usd),
    ...each(
      'dashboards',
      stage.dashboards,
      '(free where the account has fewer than three)',
      PRICES.dashboardMonth.usd,
    ),
    ...each('keys', stage.keys, 'of KMS, for the alarms’ topic', PRICES.keyMonth.usd),
  ];
}
