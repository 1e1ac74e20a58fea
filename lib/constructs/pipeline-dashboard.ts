import { Duration, Stack } from 'aws-cdk-lib';
import { Dashboard, MathExpression, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { LONG_RUN_PERCENT } from './alarm-rules.ts';
import { budgetWidgets } from './budget-watch.ts';
import { databaseRow, providerRow } from './dashboard-outside-rows.ts';
import { createGraph, createNumbers, type DashboardRow, FULL_WIDTH, limitLine } from './dashboard-widgets.ts';
import { FUNCTION_SETTINGS } from './function-settings.ts';
import {
  DAY,
  FIVE_MINUTES,
  OBSERVED_FUNCTIONS,
  type ObservedPipeline,
  observedQueues,
} from './observed-pipeline.ts';
import { serviceRow } from './service-watch.ts';

/** The dashboard: rows from what was promised down to what it stands on, and what clients get. */
export class PipelineDashboard extends Construct {
  readonly dashboard: Dashboard;
  readonly rows: readonly DashboardRow[];
  /** The address of the dashboard in the console, for people. */
  readonly url: string;

  constructor(scope: Construct, id: string, observed: ObservedPipeline) {
    super(scope, id);
    this.rows = [
      ...[promiseRow, flowRow, providerRow, functionsRow, databaseRow].map(row => row(observed)),
      ...(observed.service === undefined ? [] : [serviceRow(observed, observed.service)]),
    ];
    this.dashboard = new Dashboard(this, 'Dashboard', {
      defaultInterval: DAY,
      widgets: this.rows.flatMap(({ name, widgets }) => [
        [new TextWidget({ markdown: `## ${name}`, width: FULL_WIDTH, height: 1 })],
        widgets.map(({ widget }) => widget),
      ]),
    });
    const { region } = Stack.of(this);
    const console = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}`;
    this.url = `${console}#dashboards/dashboard/${this.dashboard.dashboardName}`;
  }
}

/** The dashboard row of what was promised, and what it costs. */
function promiseRow(observed: ObservedPipeline): DashboardRow {
  const { metrics, sloSeconds, tickSeconds } = observed;
  const budget = budgetWidgets(observed);
  const [ages, rows, coverage, money] = budget.length === 0 ? [8, 6, 4, 6] : [6, 5, 4, 4];
  const period = Duration.seconds(Math.max(60, tickSeconds));
  const cost = metrics.sum('CostUsd', { period: DAY, label: 'US dollars today (UTC)' });
  const bought = metrics.one('EmbeddedRows', { statistic: 'Sum', period: DAY });
  return {
    name: 'Promise',
    widgets: [
      createGraph({
        title: 'Oldest stale row',
        description:
          'How long the oldest edited row has waited for its vector, and the oldest of a backfill; the ' +
          'line is the promise. Above it, the alarm `freshness` counts.',
        width: ages,
        unit: 'seconds',
        metrics: [
          metrics.one('OldestStaleRowAgeSeconds', { statistic: 'Maximum', period, label: 'edits' }),
          metrics.one('OldestBulkRowAgeSeconds', { statistic: 'Maximum', period, label: 'backfill' }),
        ],
        lines: [limitLine(sloSeconds, 'promise')],
      }),
      createGraph({
        title: 'Stale rows',
        description:
          'Rows that were found and are not embedded yet; of several sources and models the most. Edits ' +
          'should fall to 0 between two looks; a backfill holds at `limits.maxInFlight` until it ends.',
        width: rows,
        unit: 'rows',
        metrics: [
          metrics.one('StaleRows', { statistic: 'Maximum', period, label: 'edits, most of a source' }),
          metrics.one('BulkRows', { statistic: 'Maximum', period, label: 'backfill, most of a source' }),
        ],
      }),
      createNumbers({
        title: 'Coverage',
        description:
          'The share of rows that have a vector of their latest version, at the end of the day’s walk ' +
          'over all keys; of several sources the least.',
        width: coverage,
        metrics: [
          metrics.one('CoveragePercent', {
            statistic: 'Minimum',
            period: DAY,
            label: 'percent, least of all sources',
          }),
        ],
      }),
      createNumbers({
        title: 'Money',
        description:
          'What the provider’s calls cost today, and what a million bought vectors cost at that rate. ' +
          'AWS’s own bill is not in it.',
        width: money,
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
      ...budget,
    ],
  };
}

/** The dashboard row of the way of rows, from detected to written. */
function flowRow(observed: ObservedPipeline): DashboardRow {
  const { metrics, scheduleDeadLetters } = observed;
  const queues = observedQueues(observed);
  const sum = (label: string) => ({ statistic: 'Sum', label, period: FIVE_MINUTES });
  const letters = (queue: Queue, label: string) =>
    queue.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', label, period: FIVE_MINUTES });
  return {
    name: 'Flow',
    widgets: [
      createGraph({
        title: 'Messages',
        description:
          'Per queue, messages sent, received and deleted. Received without deleted: work that fails ' +
          'and comes again. Sent without received: an event source is closed.',
        width: 6,
        unit: 'messages',
        metrics: queues.flatMap(({ name, queue }) => [
          queue.metricNumberOfMessagesSent(sum(`${name} sent`)),
          queue.metricNumberOfMessagesReceived(sum(`${name} received`)),
          queue.metricNumberOfMessagesDeleted(sum(`${name} deleted`)),
        ]),
      }),
      createGraph({
        title: 'Age of the oldest message',
        description:
          'Whether a queue is worked off. Poison leaves it for the dead letters, so it says less than ' +
          'the oldest stale row.',
        width: 4,
        unit: 'seconds',
        metrics: queues.map(({ name, queue }) =>
          queue.metricApproximateAgeOfOldestMessage({
            statistic: 'Maximum',
            label: name,
            period: FIVE_MINUTES,
          }),
        ),
      }),
      createGraph({
        title: 'Dead letters',
        description:
          'Messages that failed five times, per queue, and lost ticks of the schedules. Anything above ' +
          '0 is an alarm.',
        width: 4,
        unit: 'messages',
        metrics: [
          ...queues.map(({ name, deadLetterQueue }) => letters(deadLetterQueue, name)),
          letters(scheduleDeadLetters, 'schedules'),
        ],
      }),
      createGraph({
        title: 'Rows',
        description:
          'What became of rows: detected, sent, then bought, copied from an equal text, touched ' +
          '(unchanged), excluded, deleted because their row is gone.',
        width: 6,
        unit: 'rows',
        metrics: (
          [
            'DetectedRows',
            'SentRows',
            'EmbeddedRows',
            'CopiedRows',
            'TouchedRows',
            'ExcludedRows',
            'OrphansDeleted',
          ] as const
        ).map(name => metrics.one(name, sum(name))),
      }),
      createGraph({
        title: 'Failed rows',
        description:
          'Rows that got no vector, by class: refused by the provider, given up after five attempts, ' +
          'too long. `freshet aws failures` has the ids.',
        width: 4,
        unit: 'rows',
        metrics: (
          ['FailedRows', 'RefusedRows', 'UndeliveredRows', 'TooLongRows', 'PostponedRows'] as const
        ).map(name => metrics.one(name, sum(name))),
      }),
    ],
  };
}

/** The dashboard row of the functions, as Lambda measures them. */
function functionsRow({ functions, metrics }: ObservedPipeline): DashboardRow {
  const each = OBSERVED_FUNCTIONS.map(name => ({ name, target: functions[name] }));
  return {
    name: 'Functions',
    widgets: [
      createGraph({
        title: 'Errors',
        description:
          'Invocations that failed as a whole. A message that fails alone is not among them: it is on ' +
          'the right, with ticks and events that ended a second before their time.',
        width: 6,
        unit: 'invocations',
        metrics: each.map(({ name, target }) =>
          target.metricErrors({ statistic: 'Sum', label: name, period: FIVE_MINUTES }),
        ),
        right: [
          metrics.sum('FailedRecords', { label: 'failed messages' }),
          metrics.sum('EarlyTimeouts', { label: 'early timeouts' }),
        ],
      }),
      createGraph({
        title: 'Throttles',
        description: 'Invocations that Lambda refused: the account’s concurrency is used up.',
        width: 6,
        unit: 'invocations',
        metrics: each.map(({ name, target }) =>
          target.metricThrottles({ statistic: 'Sum', label: name, period: FIVE_MINUTES }),
        ),
      }),
      createGraph({
        title: 'Duration against timeout',
        description:
          'p99 in percent of the time that the function has. `detect` may reach its end: a walk over ' +
          'all keys takes what it is given.',
        width: 6,
        unit: 'percent',
        metrics: each.map(
          ({ name, target }) =>
            new MathExpression({
              expression: `100 * ${name}Duration / ${FUNCTION_SETTINGS[name].timeoutSeconds * 1000}`,
              usingMetrics: {
                [`${name}Duration`]: target.metricDuration({
                  statistic: 'p99',
                  period: FIVE_MINUTES,
                }),
              },
              label: name,
              period: FIVE_MINUTES,
            }),
        ),
        lines: [limitLine(LONG_RUN_PERCENT, 'alarm')],
      }),
      createGraph({
        title: 'Concurrency and messages',
        description:
          'Environments at work; on the right the messages they took, and ticks of detect that found ' +
          'another at work.',
        width: 6,
        unit: 'environments',
        metrics: each.map(({ name, target }) =>
          target.metric('ConcurrentExecutions', {
            statistic: 'Maximum',
            label: name,
            period: FIVE_MINUTES,
          }),
        ),
        right: [
          metrics.sum('Records', { label: 'messages' }),
          metrics.one('OverlappedTicks', { statistic: 'Sum', label: 'overlapped ticks' }),
        ],
      }),
    ],
  };
}
