import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { type ObservedPipeline, observedQueues } from '../observed-pipeline.ts';
import { graph } from './graph.ts';
import type { DashboardRow } from './told-widget.ts';

const period = Duration.minutes(5);

/** The dashboard row of the way of rows, from detected to written. */
export function flowRow(observed: ObservedPipeline): DashboardRow {
  const { metrics, scheduleDeadLetters } = observed;
  const queues = observedQueues(observed);
  const sum = (label: string) => ({ statistic: 'Sum', label, period });
  const letters = (queue: Queue, label: string) =>
    queue.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', label, period });
  return {
    name: 'Flow',
    widgets: [
      graph({
        title: 'Messages',
        tells:
          'Per queue, messages sent, received and deleted. Received without deleted: work that fails and comes again. Sent without received: an event source is closed.',
        width: 6,
        unit: 'messages',
        metrics: queues.flatMap(({ name, queue }) => [
          queue.metricNumberOfMessagesSent(sum(`${name} sent`)),
          queue.metricNumberOfMessagesReceived(sum(`${name} received`)),
          queue.metricNumberOfMessagesDeleted(sum(`${name} deleted`)),
        ]),
      }),
      graph({
        title: 'Age of the oldest message',
        tells:
          'Whether a queue is worked off. Poison leaves it for the dead letters, so it says less than the oldest stale row.',
        width: 4,
        unit: 'seconds',
        metrics: queues.map(({ name, queue }) =>
          queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', label: name, period }),
        ),
      }),
      graph({
        title: 'Dead letters',
        tells:
          'Messages that failed five times, per queue, and lost ticks of the schedules. Anything above 0 is an alarm.',
        width: 4,
        unit: 'messages',
        metrics: [
          ...queues.map(({ name, deadLetterQueue }) => letters(deadLetterQueue, name)),
          letters(scheduleDeadLetters, 'schedules'),
        ],
      }),
      graph({
        title: 'Rows',
        tells:
          'What became of rows: detected, sent, then bought, copied from an equal text, touched (unchanged), excluded, deleted because their row is gone.',
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
      graph({
        title: 'Failed rows',
        tells:
          'Rows that got no vector, by class: refused by the provider, given up after five attempts, too long. `freshet aws failures` has the ids.',
        width: 4,
        unit: 'rows',
        metrics: (
          ['FailedRows', 'RefusedRows', 'UndeliveredRows', 'TooLongRows', 'PostponedRows'] as const
        ).map(name => metrics.one(name, sum(name))),
      }),
    ],
  };
}
