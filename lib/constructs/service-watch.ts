import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import { createGraph, type DashboardRow, limitLine } from './dashboard-widgets.ts';
import { type AlarmDescription, FIVE_MINUTES, type ObservedPipeline } from './observed-pipeline.ts';

/** The share of requests without an answer, in percent, that is no bad luck any more. */
const ERRORS_PERCENT = 5;

/** Milliseconds of one request in a hundred above which somebody should look. */
const SLOW_REQUEST_MS = 5_000;

/**
 * The alarms on what clients of the service get: 5xx, and slow answers.
 * The API measures both, so that a function that never started counts as well. Two bad periods of
 * three: a single request that fails at night is no share.
 */
export function ofService(api: HttpApi): AlarmDescription[] {
  const rule = { periods: 3, badPeriods: 2 };
  return [
    {
      ...rule,
      kind: 'service-errors',
      metric: new MathExpression({
        expression: '100 * FILL(failed, 0) / requests',
        usingMetrics: {
          failed: api.metricServerError({ statistic: 'Sum', period: FIVE_MINUTES }),
          requests: api.metricCount({ statistic: 'SampleCount', period: FIVE_MINUTES }),
        },
        label: 'requests answered with 5xx, in percent',
        period: FIVE_MINUTES,
      }),
      threshold: ERRORS_PERCENT,
    },
    {
      ...rule,
      kind: 'service-latency',
      metric: api.metricLatency({ statistic: 'p99', period: FIVE_MINUTES }),
      threshold: SLOW_REQUEST_MS,
    },
  ];
}

/** The dashboard row of the service for clients, as the API in front of it measures it. */
export function serviceRow(
  { metrics }: ObservedPipeline,
  { api, function: target }: NonNullable<ObservedPipeline['service']>,
): DashboardRow {
  const sum = (label: string) => ({ statistic: 'Sum', label, period: FIVE_MINUTES });
  return {
    name: 'Service',
    widgets: [
      createGraph({
        title: 'Service: requests',
        description:
          'Only with `api`. Requests, those that were refused (4xx: no token, a wrong body, over the ' +
          'rate), and those without an answer (5xx). Many 401 are an issuer or an audience that differs.',
        width: 6,
        unit: 'requests',
        metrics: [
          api.metricCount({ statistic: 'SampleCount', label: 'requests', period: FIVE_MINUTES }),
          api.metricClientError(sum('4xx')),
          api.metricServerError(sum('5xx')),
        ],
      }),
      createGraph({
        title: 'Service: latency',
        description:
          'Only with `api`. What a client waits, usual (p50) and slow (p99), and the part of the ' +
          'function; the line is the alarm `service-latency`. The first request of an environment ' +
          'starts it.',
        width: 6,
        unit: 'milliseconds',
        metrics: [
          api.metricLatency({ statistic: 'p50', label: 'p50', period: FIVE_MINUTES }),
          api.metricLatency({ statistic: 'p99', label: 'p99', period: FIVE_MINUTES }),
          api.metricIntegrationLatency({ statistic: 'p50', label: 'function p50', period: FIVE_MINUTES }),
        ],
        lines: [limitLine(SLOW_REQUEST_MS, 'alarm')],
      }),
      createGraph({
        title: 'Service: environments',
        description:
          'Only with `api`. Environments at work, requests that found none free (`api.environments` is ' +
          'too low), and requests whose function failed.',
        width: 6,
        unit: 'count',
        metrics: [
          target.metric('ConcurrentExecutions', {
            statistic: 'Maximum',
            label: 'at work',
            period: FIVE_MINUTES,
          }),
          target.metricThrottles(sum('none free')),
          target.metricErrors(sum('failed')),
        ],
      }),
      createGraph({
        title: 'Service: calls',
        description:
          'Only with `api`. Calls of the provider for clients, and those that gave no vectors; on the ' +
          'right what they cost. Budgets count them and do not stop them.',
        width: 6,
        unit: 'calls',
        metrics: (['ProviderCalls', 'ProviderFailures', 'ProviderThrottles'] as const).map(name =>
          metrics.one(name, { ...sum(name), from: 'api' }),
        ),
        right: [metrics.one('CostUsd', { ...sum('US dollars'), from: 'api' })],
      }),
    ],
  };
}
