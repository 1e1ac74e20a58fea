import type { CostLine } from './cost-line.ts';
import { PRICES } from './prices.ts';

/** What of a stage watches it, as its template has it. */
export interface WatchedStage {
  readonly alarms: number;
  /** Of all alarms together: one that computes from several metrics watches each of them. */
  readonly alarmMetrics: number;
  /** Those that are looked at in periods below a minute; they are not among `alarmMetrics`. */
  readonly highResolutionAlarmMetrics: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  /** Of KMS: the topic has one, because alarms cannot publish under the key of SNS. */
  readonly keys: number;
}

/** US dollars a month for watching a stage, without free tiers. `seriesAre`: how the series were counted, in words. */
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
