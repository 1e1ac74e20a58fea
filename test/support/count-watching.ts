import type { Template } from 'aws-cdk-lib/assertions';
import type { WatchedStage } from '../../lib/core/cost/price-watching.ts';
import { resourcesOf } from './resources-of.ts';
import type { AlarmProperties } from './shown-metrics.ts';

const MINUTE_SECONDS = 60;

/** What watches, in one template. */
export function countWatching(template: Template): WatchedStage {
  const alarms = resourcesOf<AlarmProperties>(template, 'AWS::CloudWatch::Alarm');
  const periods = alarms.flatMap(({ properties }) => periodsOf(properties));
  const quick = periods.filter(period => period < MINUTE_SECONDS);
  const count = (type: string) => resourcesOf(template, type).length;
  return {
    alarms: alarms.length,
    alarmMetrics: periods.length - quick.length,
    highResolutionAlarmMetrics: quick.length,
    compositeAlarms: count('AWS::CloudWatch::CompositeAlarm'),
    dashboards: count('AWS::CloudWatch::Dashboard'),
    keys: count('AWS::KMS::Key'),
  };
}

/** One for each metric that the alarm watches. */
function periodsOf({ Period, Metrics }: AlarmProperties): number[] {
  if (Metrics === undefined) return [Period!];
  return Metrics.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat.Period]));
}
