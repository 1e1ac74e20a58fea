import { Duration } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { type IMetric, MathExpression, Metric, type TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { AlarmKindName } from '../core/alarms.ts';
import type { Cap } from '../core/budget.ts';
import { ENDPOINT_METRICS, type EndpointMetricName } from '../core/gpu-endpoint.ts';
import { METRIC_NAMESPACE, METRICS, type MetricComponent, type MetricName } from '../core/metrics.ts';
import { FUNCTION_NAMES, type FunctionName, visibilitySeconds } from './function-settings.ts';
import type { PipelineLane, QueuePair } from './queues.ts';

/** The periods over which dashboard and alarms read metrics. */
export const MINUTE = Duration.minutes(1);
export const FIVE_MINUTES = Duration.minutes(5);
export const DAY = Duration.days(1);

/** What dashboard and alarms look at. */
export interface ObservedPipeline {
  readonly metrics: FreshetMetrics;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly lanes: readonly PipelineLane[];
  readonly resultsQueue: QueuePair;
  readonly scheduleDeadLetters: Queue;
  readonly sloSeconds: number;
  /** Seconds between two looks at the changed rows. */
  readonly tickSeconds: number;
  /** The caps of the budget; none where none is configured. */
  readonly caps: readonly Cap[];
  /** The inference component of SageMaker, where one serves a model. */
  readonly inferenceComponentName?: string | undefined;
  /** The API for clients, where the stage has one. */
  readonly service: { readonly api: HttpApi; readonly function: LambdaFunction } | undefined;
}

/** A period that sees a tick, after which alone a stage with few edits calls its provider. */
export function tickPeriod({ tickSeconds }: ObservedPipeline): Duration {
  return Duration.seconds(Math.max(FIVE_MINUTES.toSeconds(), tickSeconds));
}

/** One alarm, as `listAlarms` describes it. */
export interface AlarmDescription {
  readonly kind: AlarmKindName;
  /** What the alarm watches, where a kind watches several things. */
  readonly subject?: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /**
   * Alarm above the threshold, at the threshold and above, or below it.
   * @default above
   */
  readonly comparison?: 'above' | 'from' | 'below';
  /**
   * Periods in a row that are looked at.
   * @default 1
   */
  readonly periods?: number;
  /**
   * How many of these periods make an alarm when they are bad.
   * @default all
   */
  readonly badPeriods?: number;
  /**
   * What missing data counts as.
   * @default notBreaching
   */
  readonly missing?: TreatMissingData;
}

interface ObservedQueue {
  /** `<alias>-<lane>`, or `results`. */
  readonly name: string;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly visibilitySeconds: number;
}

export function observedQueues({ lanes, resultsQueue }: ObservedPipeline): readonly ObservedQueue[] {
  return [
    ...lanes.map(({ alias, lane, queue, deadLetterQueue }) => ({
      name: `${alias}-${lane}`,
      queue,
      deadLetterQueue,
      visibilitySeconds: visibilitySeconds('embed'),
    })),
    {
      name: 'results',
      queue: resultsQueue.queue,
      deadLetterQueue: resultsQueue.deadLetterQueue,
      visibilitySeconds: visibilitySeconds('write'),
    },
  ];
}

/**
 * The functions that dashboard and alarms watch.
 * `migrate` runs in a deployment, which fails with it. What fails in `operate` is told to whoever
 * asked.
 */
export const OBSERVED_FUNCTIONS: readonly FunctionName[] = FUNCTION_NAMES.filter(
  name => name !== 'migrate' && name !== 'operate',
);

interface SeriesOptions {
  readonly statistic: string;
  /**
   * The period over which the metric is read.
   * @default 5 minutes
   */
  readonly period?: Duration;
  /**
   * The component whose series is read.
   * @default the first component that emits the metric
   */
  readonly from?: MetricComponent;
  readonly label?: string;
}

/** The functions' own metrics, by the dimensions with which the functions emit them. */
export class FreshetMetrics {
  readonly #stage: string;
  readonly #provider: string;

  constructor(stage: string, provider: string) {
    this.#stage = stage;
    this.#provider = provider;
  }

  /** The metric of one component. */
  one(metricName: MetricName, { from, period, ...options }: SeriesOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: {
        stage: this.#stage,
        component: from ?? METRICS[metricName].from[0],
        provider: this.#provider,
      },
      period: period ?? FIVE_MINUTES,
      ...options,
    });
  }

  /** The sum over all components that emit the metric; missing data counts as 0. */
  sum(metricName: MetricName, options: Pick<SeriesOptions, 'period' | 'label'> = {}): MathExpression {
    const series = METRICS[metricName].from.map(
      component => [`${lowerFirst(metricName)}Of${component}`, component] as const,
    );
    const { period = FIVE_MINUTES, label = metricName } = options;
    return new MathExpression({
      expression: series.map(([id]) => `FILL(${id}, 0)`).join(' + '),
      usingMetrics: Object.fromEntries(
        series.map(([id, from]) => [id, this.one(metricName, { statistic: 'Sum', from, period })]),
      ),
      label,
      period,
    });
  }
}

function lowerFirst(name: string): string {
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
}

/** A metric of SageMaker about an inference component, read per minute. */
export function endpointMetric(
  inferenceComponentName: string,
  name: EndpointMetricName,
  options: { readonly statistic: string; readonly label?: string },
): Metric {
  return new Metric({
    namespace: ENDPOINT_METRICS[name].namespace,
    metricName: name,
    period: MINUTE,
    dimensionsMap: { InferenceComponentName: inferenceComponentName },
    ...options,
  });
}
