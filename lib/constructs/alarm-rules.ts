import { MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { TICK_PERIODS } from '../core/config/aws-limits.ts';
import type { EndpointMetricName } from '../core/gpu-endpoint.ts';
import { ofBudget } from './budget-watch.ts';
import { FUNCTION_SETTINGS, type FunctionName } from './function-settings.ts';
import {
  type AlarmDescription,
  DAY,
  endpointMetric,
  FIVE_MINUTES,
  MINUTE,
  OBSERVED_FUNCTIONS,
  type ObservedPipeline,
  observedQueues,
  tickPeriod,
} from './observed-pipeline.ts';
import { ofService } from './service-watch.ts';

/** The share of failed calls, in percent, that is no bad luck any more. */
const PROVIDER_RATE_PERCENT = 20;

/** Percent of a function's timeout that its p99 may take before an alarm goes off. */
export const LONG_RUN_PERCENT = 80;

/** Visibility timeouts after which the oldest message of a queue is too old. */
const VISIBILITY_TIMEOUTS = 3;

/** Percent of the memory of the endpoint's GPU above which an alarm goes off. */
export const FULL_MEMORY_PERCENT = 95;

const MICROSECONDS = 1_000_000;

/**
 * The functions whose duration is watched.
 * `detect` takes all of its time by design: a walk over all keys goes on until ten seconds are
 * left.
 */
const TIMED: readonly FunctionName[] = OBSERVED_FUNCTIONS.filter(name => name !== 'detect');

interface AlarmOptions {
  /** US dollars per day; undefined: no alarm on the budget. */
  readonly budgetUsd?: number | undefined;
  /** The function that posts to the webhook; undefined: there is no webhook. */
  readonly webhook?: LambdaFunction | undefined;
}

/** All alarms of a deployment but the composite ones. */
export function listAlarms(
  observed: ObservedPipeline,
  { budgetUsd, webhook }: AlarmOptions,
): readonly AlarmDescription[] {
  const { inferenceComponentName } = observed;
  return [
    ...ofTicks(observed),
    ...ofQueues(observed),
    ...ofFunctions(observed),
    ...ofProvider(observed),
    ...ofGuard(observed),
    orphans(observed),
    ...(inferenceComponentName === undefined ? [] : ofEndpoint(inferenceComponentName)),
    ...(observed.service === undefined ? [] : ofService(observed.service.api)),
    ...(webhook === undefined ? [] : [webhookErrors(webhook)]),
    ...ofBudget(observed, budgetUsd),
  ];
}

/**
 * The alarms on the age of the oldest stale row, and on ticks that tell nothing.
 * The second is the dead man's switch of schedule and `detect`: without a tick there is no data,
 * and missing data alarms. The first keeps its state then: that nobody looks does not mean that no
 * row waits.
 */
function ofTicks(observed: ObservedPipeline): AlarmDescription[] {
  const { metrics, sloSeconds } = observed;
  const period = tickPeriod(observed);
  return [
    {
      kind: 'freshness',
      metric: metrics.one('OldestStaleRowAgeSeconds', { statistic: 'Maximum', period }),
      threshold: sloSeconds,
      periods: TICK_PERIODS,
      missing: TreatMissingData.IGNORE,
    },
    {
      kind: 'detect-silent',
      metric: metrics.one('OldestStaleRowAgeSeconds', { statistic: 'SampleCount', period }),
      threshold: 1,
      comparison: 'below',
      periods: TICK_PERIODS,
      missing: TreatMissingData.BREACHING,
    },
  ];
}

/**
 * The alarms on queues and dead-letter queues.
 * The alarms count visible dead letters, not sent ones: letters that a redrive or SQS itself moves
 * are not counted as sent.
 */
function ofQueues(observed: ObservedPipeline): AlarmDescription[] {
  const queues = observedQueues(observed);
  const lettersIn = (queue: Queue) =>
    queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum' });
  return [
    ...queues.map(
      ({ name, deadLetterQueue }): AlarmDescription => ({
        kind: 'dead-letters',
        subject: name,
        metric: lettersIn(deadLetterQueue),
        threshold: 0,
      }),
    ),
    { kind: 'schedule-dead-letters', metric: lettersIn(observed.scheduleDeadLetters), threshold: 0 },
    ...queues.map(
      ({ name, queue, visibilitySeconds }): AlarmDescription => ({
        kind: 'queue-age',
        subject: name,
        metric: queue.metricApproximateAgeOfOldestMessage({ period: FIVE_MINUTES, statistic: 'Maximum' }),
        threshold: VISIBILITY_TIMEOUTS * visibilitySeconds,
        periods: 3,
      }),
    ),
  ];
}

function ofFunctions({ functions }: ObservedPipeline): AlarmDescription[] {
  const sum = { period: FIVE_MINUTES, statistic: 'Sum' };
  return [
    ...OBSERVED_FUNCTIONS.flatMap((name): AlarmDescription[] => {
      const rule = { subject: name, threshold: 0, periods: 2 };
      return [
        { ...rule, kind: 'function-errors', metric: functions[name].metricErrors(sum) },
        { ...rule, kind: 'function-throttles', metric: functions[name].metricThrottles(sum) },
      ];
    }),
    ...TIMED.map(
      (name): AlarmDescription => ({
        kind: 'function-duration',
        subject: name,
        metric: functions[name].metricDuration({ period: FIVE_MINUTES, statistic: 'p99' }),
        threshold: (LONG_RUN_PERCENT * FUNCTION_SETTINGS[name].timeoutSeconds * 1000) / 100,
        periods: 3,
      }),
    ),
  ];
}

/** The alarms on calls of the provider: two bad ticks of three, so that one hiccup tells nobody. */
function ofProvider(observed: ObservedPipeline): AlarmDescription[] {
  const { metrics } = observed;
  const period = tickPeriod(observed);
  const rule = { threshold: PROVIDER_RATE_PERCENT, periods: TICK_PERIODS, badPeriods: 2 };
  const sumOf = (name: 'ProviderCalls' | 'ProviderFailures' | 'ProviderThrottles') =>
    metrics.one(name, { statistic: 'Sum', period, from: 'embed' });
  const calls = sumOf('ProviderCalls');
  const throttles = sumOf('ProviderThrottles');
  const rate = (expression: string, usingMetrics: Record<string, typeof calls>, label: string) =>
    new MathExpression({ expression, usingMetrics: { calls, ...usingMetrics }, period, label });
  return [
    {
      ...rule,
      kind: 'provider-errors',
      metric: rate(
        '100 * (FILL(failures, 0) - FILL(throttles, 0)) / calls',
        { failures: sumOf('ProviderFailures'), throttles },
        'failed calls, in percent',
      ),
    },
    {
      ...rule,
      kind: 'provider-throttles',
      metric: rate('100 * FILL(throttles, 0) / calls', { throttles }, 'throttled calls, in percent'),
    },
    { kind: 'unknown-failures', metric: metrics.one('UnknownFailures', { statistic: 'Sum' }), threshold: 0 },
  ];
}

/**
 * The alarms on what the guard reports.
 * The guard looks once a minute. Where the guard falls silent, `database-unreachable` alarms:
 * nobody opens or closes a queue then.
 */
function ofGuard({ metrics }: ObservedPipeline): AlarmDescription[] {
  const minuteOf = (name: 'UnknownSchema' | 'PausedModels' | 'PausedSources' | 'MappingsDisabledByHand') =>
    metrics.one(name, { statistic: 'Maximum', period: MINUTE });
  return [
    {
      kind: 'database-unreachable',
      metric: metrics.one('DatabaseUnreachable', { statistic: 'Minimum', period: MINUTE }),
      threshold: 0,
      periods: 5,
      missing: TreatMissingData.BREACHING,
    },
    { kind: 'unknown-schema', metric: minuteOf('UnknownSchema'), threshold: 0, periods: 5 },
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
function orphans({ metrics }: ObservedPipeline): AlarmDescription {
  return {
    kind: 'orphan-removal-stopped',
    metric: metrics.one('OrphanRemovalStopped', { statistic: 'Maximum', period: DAY }),
    threshold: 0,
    missing: TreatMissingData.IGNORE,
  };
}

/**
 * The alarms on an endpoint that serves one of the models.
 * None of these alarms pages: `freshness` sees what an endpoint delays. An alarm takes three bad
 * minutes of five. An endpoint at zero has no data, and that is no trouble. SageMaker gives a
 * container 60 s for an answer, and takes no percentile of the overhead.
 */
function ofEndpoint(inferenceComponentName: string): AlarmDescription[] {
  const metric = (name: EndpointMetricName, statistic: string) =>
    endpointMetric(inferenceComponentName, name, { statistic });
  const rule = { subject: inferenceComponentName, periods: 5, badPeriods: 3 };
  return [
    { ...rule, kind: 'endpoint-errors', metric: metric('Invocation5XXErrors', 'Sum'), threshold: 0 },
    {
      ...rule,
      kind: 'endpoint-latency',
      metric: metric('ModelLatency', 'p99'),
      threshold: 30 * MICROSECONDS,
    },
    {
      ...rule,
      kind: 'endpoint-memory',
      metric: metric('GPUMemoryUtilizationNormalized', 'Maximum'),
      threshold: FULL_MEMORY_PERCENT,
    },
    {
      ...rule,
      kind: 'endpoint-overhead',
      metric: metric('OverheadLatency', 'Average'),
      threshold: MICROSECONDS,
    },
  ];
}

/** The alarm on the webhook's own failures, which the other receivers see. */
function webhookErrors(webhook: LambdaFunction): AlarmDescription {
  return {
    kind: 'webhook-errors',
    metric: webhook.metricErrors({ period: FIVE_MINUTES, statistic: 'Sum' }),
    threshold: 0,
  };
}
