import type { Template } from 'aws-cdk-lib/assertions';
import type { WatchedStage } from '../../bench/cost/price-month.ts';
import { resourcesOf } from './resources-of.ts';

/** A metric in the words of a widget or an alarm. */
export interface ShownMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
  /** As CloudWatch takes it, such as `Sum` or `p99`. */
  readonly statistic: string;
}

interface AlarmMetric {
  readonly MetricName?: string;
  readonly Namespace?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
}

export interface AlarmProperties extends AlarmMetric {
  readonly AlarmDescription: string;
  readonly ActionsEnabled?: boolean;
  readonly AlarmActions?: readonly unknown[];
  readonly ComparisonOperator: string;
  readonly Threshold: number;
  readonly Period?: number;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly Statistic?: string;
  readonly ExtendedStatistic?: string;
  readonly TreatMissingData: string;
  readonly Metrics?: readonly {
    readonly Expression?: string;
    readonly MetricStat?: { readonly Metric: AlarmMetric; readonly Period: number; readonly Stat: string };
  }[];
}

export function metricsOfAlarms(template: Template): ShownMetric[] {
  return resourcesOf<AlarmProperties>(template, 'AWS::CloudWatch::Alarm').flatMap(({ properties }) =>
    [
      { ...properties, statistic: properties.Statistic ?? properties.ExtendedStatistic },
      ...(properties.Metrics ?? []).flatMap(({ MetricStat }) =>
        MetricStat ? [{ ...MetricStat.Metric, statistic: MetricStat.Stat }] : [],
      ),
    ]
      .filter(metric => metric.MetricName !== undefined)
      .map(({ MetricName, Namespace, Dimensions = [], statistic = '' }) => ({
        statistic,
        namespace: Namespace!,
        name: MetricName!,
        dimensions: Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value])),
      })),
  );
}

export interface WidgetBody {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly metrics?: readonly (readonly unknown[])[];
    readonly yAxis?: { readonly left?: { readonly label?: string } };
    readonly annotations?: { readonly horizontal?: readonly { readonly value: number }[] };
  };
}

/**
 * Reads the widgets of the dashboard's body.
 *
 * A value that only the deployment knows stands there as `<logical id>`.
 */
export function widgetsOf(template: Template): WidgetBody[] {
  const [dashboard] = resourcesOf<{ DashboardBody: string | { 'Fn::Join': [string, unknown[]] } }>(
    template,
    'AWS::CloudWatch::Dashboard',
  );
  const body = dashboard!.properties.DashboardBody;
  const text =
    typeof body === 'string'
      ? body
      : body['Fn::Join'][1].map(part => (typeof part === 'string' ? part : nameOf(part))).join('');
  return (JSON.parse(text) as { widgets: WidgetBody[] }).widgets;
}

export function metricsOfDashboard(template: Template): ShownMetric[] {
  return widgetsOf(template).flatMap(({ properties }) =>
    (properties.metrics ?? [])
      .filter(([namespace]) => typeof namespace === 'string')
      .map(metric => {
        const [namespace, name, ...rest] = metric.filter(part => typeof part === 'string') as string[];
        const pairs = Array.from({ length: rest.length / 2 }, (_, index) =>
          rest.slice(index * 2, index * 2 + 2),
        );
        const { stat = 'Average' } = metric.find(part => typeof part === 'object') as { stat?: string };
        return { namespace: namespace!, name: name!, dimensions: Object.fromEntries(pairs), statistic: stat };
      }),
  );
}

function nameOf(part: unknown): string {
  const { Ref, 'Fn::GetAtt': attribute } = part as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  return `<${Ref ?? attribute![0]}>`;
}

const MINUTE_SECONDS = 60;

/** Counts the parts of one template that watch over the pipeline and cost money. */
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

/** Lists the periods, in seconds, of the metrics that an alarm watches. */
function periodsOf({ Period, Metrics }: AlarmProperties): number[] {
  if (Metrics === undefined) return [Period!];
  return Metrics.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat.Period]));
}
