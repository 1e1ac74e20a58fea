import { UsageError } from '../../lib/core/errors.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { RedriveAnswer } from '../../lib/ports/operator.ts';
import {
  cancelQueueMove,
  chooseQueues,
  type DeployedQueue,
  type MoveTask,
  moveQueue,
  readDepth,
} from '../../lib/wiring/deployed-flow.ts';
import type { CommandBody } from './command.ts';
import type { StageCommand } from './table.ts';

/** Letters of one request: the function has time for them also on a slow database. */
const LETTERS_PER_REQUEST = 500;
const REPORT_EVERY_MS = 10_000;

type Redrive = StageCommand<'redrive'>;

export const redriveCommand: CommandBody<Redrive> = {
  check: requireSense,
  async run(context) {
    const { flags, terminal, deployment, result } = context;
    const queues = chooseQueues(deployment, flags.queue);
    if (flags.apply === true && flags.cancel === true) return cancelMoves(context);
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
};

function requireSense(flags: Redrive['flags']): void {
  const isSelective = flags.source !== undefined || flags.class !== undefined;
  if (isSelective && flags['whole-queue'] === true)
    throw new UsageError('--whole-queue moves letters unread: it goes without --source and --class.');
  if (flags['per-second'] !== undefined && flags['whole-queue'] !== true)
    throw new UsageError('--per-second belongs to --whole-queue.');
  if (flags.cancel === true && (isSelective || flags['whole-queue'] === true))
    throw new UsageError('--cancel takes only --queue.');
}

async function cancelMoves({ flags, terminal, deployment, result }: Redrive): Promise<number> {
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

type Counts = { -readonly [Name in keyof RedriveAnswer]: number };

/**
 * Sends stale rows again, request by request, until nothing is received.
 *
 * Letters that are left come back into sight. So no more letters are received than lay in the
 * queue at the beginning: none is received twice.
 */
async function redriveStaleRows(
  { flags, terminal, signal, deployment, result }: Redrive,
  queues: readonly DeployedQueue[],
): Promise<number> {
  const redriven: ({ queue: string } & Counts)[] = [];
  for (const queue of queues) {
    const { deadLetters } = await readDepth(deployment, queue);
    const sum: Counts = { received: 0, dispatched: 0, superseded: 0, left: 0, unreadable: 0 };
    while (sum.received < deadLetters && !signal.aborted) {
      const answer = await deployment.ask('redrive', {
        queue: queue.source,
        ...(flags.source === undefined ? {} : { source: flags.source }),
        ...(flags.class === undefined ? {} : { cause: flags.class }),
        limit: Math.min(LETTERS_PER_REQUEST, deadLetters - sum.received),
      });
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += answer[name];
      terminal.progress(
        `${queue.name}: ${formatCount(sum.received)} of ${formatCount(deadLetters)} letters`,
        REPORT_EVERY_MS,
      );
      if (answer.received === 0) break;
    }
    terminal.endProgress();
    if (deadLetters > 0) redriven.push({ queue: queue.name, ...sum });
  }
  result({ applied: true, redriven });
  if (redriven.length === 0) terminal.line('There are no dead letters.');
  for (const { queue, received, dispatched, superseded, left, unreadable } of redriven)
    terminal.line(
      `${queue}: ${formatCount(received)} letters; ${formatCount(dispatched)} rows sent again, ` +
        `${formatCount(superseded)} superseded; ${formatCount(left)} letters left, ` +
        `${formatCount(unreadable)} unreadable`,
    );
  if (!signal.aborted) return 0;
  terminal.note('Interrupted: the same command goes on. A letter is deleted only after its rows were sent.');
  return 1;
}

/** Moves whole queues, one after the other. An interruption leaves the task of SQS running. */
async function moveWholeQueues(
  { flags, terminal, signal, deployment, result }: Redrive,
  queues: readonly DeployedQueue[],
): Promise<number> {
  const moved: { queue: string; status: MoveTask['status'] | 'UNKNOWN'; moved: number }[] = [];
  for (const queue of queues) {
    if (signal.aborted) break;
    if ((await readDepth(deployment, queue)).deadLetters === 0) continue;
    // Told before the move begins, since an interrupted command may print nothing more.
    const cancel = deployment.lineOf(`redrive --queue ${queue.name} --cancel --apply`);
    terminal.note(`${queue.name}: SQS moves the letters, also when this command ends. To end it: ${cancel}`);
    const task = await moveQueue(deployment, queue, {
      perSecond: flags['per-second'],
      signal,
      onProgress: ({ moved: done, toMove }) =>
        terminal.progress(
          `${queue.name}: ` +
            `${formatCount(done)}${toMove === undefined ? '' : ` of ${formatCount(toMove)}`} letters ` +
            'moved',
          REPORT_EVERY_MS,
        ),
    });
    terminal.endProgress();
    moved.push({ queue: queue.name, status: task?.status ?? 'UNKNOWN', moved: task?.moved ?? 0 });
    if (task?.status === 'RUNNING') {
      terminal.line(
        `${queue.name}: ${formatCount(task.moved)} letters moved so far; the move goes on. To end it: ` +
          `${cancel}`,
      );
      continue;
    }
    terminal.line(
      `${queue.name}: ${(task?.status ?? 'unknown').toLowerCase()}, ${formatCount(task?.moved ?? 0)} ` +
        'letters moved.',
    );
  }
  result({ applied: true, moved });
  if (moved.length === 0) terminal.line('There are no dead letters.');
  return moved.every(({ status }) => status === 'COMPLETED') ? 0 : 1;
}
