import { UsageError } from '../../lib/core/errors.ts';
import {
  cancelQueueMove,
  chooseQueues,
  MAX_MOVES_PER_SECOND,
  readDepth,
} from '../../lib/wiring/deployed-flow.ts';
import { switchFlag, textFlag, wholeNumberFlag } from '../terminal/flag.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { type AwsContext, applyFlag, defineAwsCommand } from './aws-command.ts';
import { moveWholeQueues } from './move-whole-queues.ts';
import { redriveStaleRows } from './redrive-stale-rows.ts';

export const redriveFlags = {
  queue: textFlag('NAME', 'results, or model/lane as `aws status` prints them (every queue)'),
  source: textFlag('NAME', 'only rows of this source'),
  class: textFlag('C', 'only rows whose last outcome failed with this class or code'),
  'whole-queue': switchFlag('let SQS move every letter back unread, superseded ones too'),
  'per-second': wholeNumberFlag('N', 'messages per second of --whole-queue', {
    least: 1,
    most: MAX_MOVES_PER_SECOND,
  }),
  cancel: switchFlag('end the --whole-queue move that runs; what was moved stays moved'),
  apply: applyFlag,
} as const;

export type RedriveContext = AwsContext<typeof redriveFlags>;

export const command = defineAwsCommand({
  summary: 'sends dead letters again: only the rows that are still stale, or --whole-queue',
  flags: redriveFlags,
  check: requireSense,
  async run(context) {
    const { flags, terminal, deployment, result } = context;
    const queues = chooseQueues(deployment, flags.queue);
    if (flags.apply === true && flags.cancel === true) return cancel(context);
    if (flags.apply === true && flags['whole-queue'] === true) return moveWholeQueues(context, queues);
    if (flags.apply === true) return redriveStaleRows(context, queues);
    const depths = await Promise.all(queues.map(queue => readDepth(deployment, queue)));
    const letters = depths.reduce((sum, depth) => sum + depth.deadLetters, 0);
    result({ applied: false, queues: depths });
    for (const { queue, deadLetters } of depths)
      if (deadLetters > 0) terminal.line(`${queue}: ${formatCount(deadLetters)} dead letters`);
    terminal.line(
      letters === 0
        ? 'There are no dead letters.'
        : 'Mend the cause first (aws failures, aws logs); --apply sends them again.',
    );
    return 0;
  },
});

function requireSense(flags: RedriveContext['flags']): void {
  const isSelective = flags.source !== undefined || flags.class !== undefined;
  if (isSelective && flags['whole-queue'] === true)
    throw new UsageError('--whole-queue moves letters unread: it goes without --source and --class.');
  if (flags['per-second'] !== undefined && flags['whole-queue'] !== true)
    throw new UsageError('--per-second belongs to --whole-queue.');
  if (flags.cancel === true && (isSelective || flags['whole-queue'] === true))
    throw new UsageError('--cancel takes only --queue.');
}

async function cancel({ flags, terminal, deployment, result }: RedriveContext): Promise<number> {
  const cancelled: { queue: string; moved: number }[] = [];
  for (const queue of chooseQueues(deployment, flags.queue)) {
    const task = await cancelQueueMove(deployment, queue);
    if (task !== undefined) cancelled.push({ queue: queue.name, moved: task.moved });
  }
  result({ applied: true, cancelled });
  for (const { queue, moved } of cancelled)
    terminal.line(`${queue}: cancelled after ${formatCount(moved)} letters.`);
  if (cancelled.length === 0) terminal.line('No move is running.');
  return 0;
}
