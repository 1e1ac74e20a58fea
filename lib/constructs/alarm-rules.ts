import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, type MetricOptions, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { ENDPOINT_METRICS, type EndpointMetricName } from '../core/gpu-endpoint.ts';
import { FUNCTION_SETTINGS, type FunctionName } from './function-settings.ts';
import { OBSERVED_FUNCTIONS, type ObservedPipeline, observedQueues } from './observed-pipeline.ts';
import type { AlarmRuleOf, PipelineAlarmsProps } from './pipeline-alarms.ts';

/** A metric of SageMaker about an inference component. */
export function endpointMetric(
  inferenceComponentName: string,
  name: EndpointMetricName,
  options: MetricOptions,
): Metric {
  return new Metric({
    namespace: ENDPOINT_METRICS[name].namespace,
    metricName: name,
    period: Duration.minutes(1),
    dimensionsMap: { InferenceComponentName: inferenceComponentName },
    ...options,
  });
}

const MICROSECONDS = 1_000_000;

/** Percent of the memory of the endpoint's GPU above which an alarm goes off. */
export const FULL_MEMORY_PERCENT = 95;

/**
 * The alarms on an endpoint that serves one of the models.
 * None of these alarms pages: `freshness` sees what an endpoint delays. An alarm takes three bad
 * minutes of five. An endpoint at zero has no data, and that is no trouble. SageMaker gives a
 * container 60 s for an answer, and takes no percentile of the overhead.
 */
export function listEndpointAlarms(inferenceComponentName: string): AlarmRuleOf[] {
  const metric = (name: EndpointMetricName, statistic: string) =>
    endpointMetric(inferenceComponentName, name, { statistic });
  const common = { of: inferenceComponentName, periods: 5, badPeriods: 3 };
  return [
    {
      ...common,
      kind: 'endpoint-errors',
      metric: metric('Invocation5XXErrors', 'Sum'),
      threshold: 0,
    },
    {
      ...common,
      kind: 'endpoint-latency',
      metric: metric('ModelLatency', 'p99'),
      threshold: 30 * MICROSECONDS,
    },
    {
      ...common,
      kind: 'endpoint-memory',
      metric: metric('GPUMemoryUtilizationNormalized', 'Maximum'),
      threshold: FULL_MEMORY_PERCENT,
    },
    {
      ...common,
      kind: 'endpoint-overhead',
      metric: metric('OverheadLatency', 'Average'),
      threshold: MICROSECONDS,
    },
  ];
}

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);
const DAY = Duration.days(1);

/** The share of failed calls, in percent, that is no bad luck any more. */
const PROVIDER_RATE_PERCENT = 20;
const PART_OF_TIMEOUT = 0.8;
const VISIBILITY_TIMEOUTS = 3;

/**
 * The functions whose duration is watched.
 * `detect` takes all of its time by design: a walk over all keys goes on until ten seconds are
 * left.
 */
const TIMED: readonly FunctionName[] = OBSERVED_FUNCTIONS.filter(name => name !== 'detect');

/** All alarms of a deployment but the composite one. */
export function listAlarms(
  observed: ObservedPipeline,
  { budgetUsd, webhook }: Pick<PipelineAlarmsProps, 'budgetUsd' | 'webhook'>,
): readonly AlarmRuleOf[] {
  const { inferenceComponentName } = observed;
  return [
    freshness(observed),
    ...ofQueues(observed),
    ...ofFunctions(observed),
    ...ofProvider(observed),
    ...ofGuard(observed),
    orphans(observed),
    ...(inferenceComponentName === undefined ? [] : listEndpointAlarms(inferenceComponentName)),
    ...(webhook === undefined ? [] : [webhookErrors(webhook)]),
    ...(budgetUsd === undefined ? [] : [budget(observed, budgetUsd)]),
  ];
}

/**
 * The alarm on the age of the oldest stale row.
 * The alarm is also the dead man's switch of schedule and `detect`: without a tick there is no
 * data, and missing data alarms. The period is never shorter than the time between two ticks.
 */
function freshness({ metrics, sloSeconds, tickSeconds }: ObservedPipeline): AlarmRuleOf {
  const period = Duration.seconds(Math.max(FIVE_MINUTES.toSeconds(), tickSeconds));
  return {
    kind: 'freshness',
    metric: metrics.one('OldestStaleRowAgeSeconds', { statistic: 'Maximum', period }),
    threshold: sloSeconds,
    periods: 3,
    missing: TreatMissingData.BREACHING,
  };
}

/**
 * The alarms on queues and dead-letter queues.
 * The alarms count visible dead letters, not sent ones: letters that a redrive or SQS itself moves
 * are not counted as sent.
 */
function ofQueues(observed: ObservedPipeline): AlarmRuleOf[] {
  const queues = observedQueues(observed);
  return [
    ...queues.map(
      ({ name, deadLetterQueue }): AlarmRuleOf => ({
        kind: 'dead-letters',
        of: name,
        metric: deadLetterQueue.metricApproximateNumberOfMessagesVisible({
          period: MINUTE,
          statistic: 'Maximum',
        }),
        threshold: 0,
      }),
    ),
    {
      kind: 'schedule-dead-letters',
      metric: observed.scheduleDeadLetters.metricApproximateNumberOfMessagesVisible({
        period: MINUTE,
        statistic: 'Maximum',
      }),
      threshold: 0,
    },
    ...queues.map(
      ({ name, queue, visibilitySeconds }): AlarmRuleOf => ({
        kind: 'queue-age',
        of: name,
        metric: queue.metricApproximateAgeOfOldestMessage({ period: FIVE_MINUTES, statistic: 'Maximum' }),
        threshold: VISIBILITY_TIMEOUTS * visibilitySeconds,
        periods: 3,
      }),
    ),
  ];
}

function ofFunctions({ functions }: ObservedPipeline): AlarmRuleOf[] {
  return [
    ...OBSERVED_FUNCTIONS.flatMap((name): AlarmRuleOf[] => [
      {
        kind: 'function-errors',
        of: name,
        metric: functions[name].metricErrors({ period: FIVE_MINUTES, statistic: 'Sum' }),
        threshold: 0,
        periods: 2,
      },
      {
        kind: 'function-throttles',
        of: name,
        metric: functions[name].metricThrottles({ period: FIVE_MINUTES, statistic: 'Sum' }),
        threshold: 0,
        periods: 2,
      },
    ]),
    ...TIMED.map(
      (name): AlarmRuleOf => ({
        kind: 'function-duration',
        of: name,
        metric: functions[name].metricDuration({ period: FIVE_MINUTES, statistic: 'p99' }),
        threshold: PART_OF_TIMEOUT * FUNCTION_SETTINGS[name].timeoutSeconds * 1000,
        periods: 3,
      }),
    ),
  ];
}

function ofProvider({ metrics }: ObservedPipeline): AlarmRuleOf[] {
  const sumOf = (name: 'ProviderCalls' | 'ProviderFailures' | 'ProviderThrottles') =>
    metrics.one(name, { statistic: 'Sum', period: MINUTE, from: 'embed' });
  const calls = sumOf('ProviderCalls');
  const throttles = sumOf('ProviderThrottles');
  const rate = (expression: string, usingMetrics: Record<string, typeof calls>, label: string) =>
    new MathExpression({ expression, usingMetrics: { calls, ...usingMetrics }, period: MINUTE, label });
  return [
    {
      kind: 'provider-errors',
      metric: rate(
        '100 * (FILL(failures, 0) - FILL(throttles, 0)) / calls',
        { failures: sumOf('ProviderFailures'), throttles },
        'failed calls, in percent',
      ),
      threshold: PROVIDER_RATE_PERCENT,
      periods: 5,
    },
    {
      kind: 'provider-throttles',
      metric: rate('100 * FILL(throttles, 0) / calls', { throttles }, 'throttled calls, in percent'),
      threshold: PROVIDER_RATE_PERCENT,
      periods: 5,
    },
    {
      kind: 'unknown-failures',
      metric: metrics.one('UnknownFailures', { statistic: 'Sum' }),
      threshold: 0,
    },
  ];
}

/**
 * The alarms on what the guard reports.
 * The guard looks once a minute. Where the guard falls silent, `database-unreachable` alarms:
 * nobody opens or closes a queue then.
 */
function ofGuard({ metrics }: ObservedPipeline): AlarmRuleOf[] {
  const minuteOf = (name: 'PausedModels' | 'PausedSources' | 'MappingsDisabledByHand') =>
    metrics.one(name, { statistic: 'Maximum', period: MINUTE });
  return [
    {
      kind: 'database-unreachable',
      metric: metrics.one('DatabaseUnreachable', { statistic: 'Minimum', period: MINUTE }),
      threshold: 0,
      periods: 5,
      missing: TreatMissingData.BREACHING,
    },
    { kind: 'models-paused', metric: minuteOf('PausedModels'), threshold: 0, periods: 3 },
    { kind: 'sources-paused', metric: minuteOf('PausedSources'), threshold: 0, periods: 3 },
    {
      kind: 'mapping-disabled-by-hand',
      metric: minuteOf('MappingsDisabledByHand'),
      threshold: 0,
      periods: 60,
    },
  ];
}

/**
 * The alarm on a removal of orphans that was stopped.
 * Each walk over all keys reports the metric, and nobody reports it between two walks: missing data
 * leaves the alarm as it is.
 */
function orphans({ metrics }: ObservedPipeline): AlarmRuleOf {
  return {
    kind: 'orphan-removal-stopped',
    metric: metrics.one('OrphanRemovalStopped', { statistic: 'Maximum', period: DAY }),
    threshold: 0,
    missing: TreatMissingData.IGNORE,
  };
}

/** The alarm on the webhook's own failures, which the other receivers see. */
function webhookErrors(webhook: LambdaFunction): AlarmRuleOf {
  return {
    kind: 'webhook-errors',
    metric: webhook.metricErrors({ period: FIVE_MINUTES, statistic: 'Sum' }),
    threshold: 0,
  };
}

function budget({ metrics }: ObservedPipeline, budgetUsd: number): AlarmRuleOf {
  return { kind: 'budget', metric: metrics.sum('CostUsd', { period: DAY }), threshold: budgetUsd };
}
