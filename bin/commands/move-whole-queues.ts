import { type DeployedQueue, type MoveTask, moveQueue, readDepth } from '../../lib/wiring/deployed-flow.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import type { RedriveContext } from './aws-redrive.ts';

const REPORT_EVERY_MS = 10_000;

/** One queue after the other. Interrupted, the task of SQS goes on by itself. */
export async function moveWholeQueues(
  { flags, terminal, signal, deployment, result }: RedriveContext,
  queues: readonly DeployedQueue[],
): Promise<number> {
  const moved: { queue: string; status: MoveTask['status'] | 'UNKNOWN'; moved: number }[] = [];
  for (const queue of queues) {
    if (signal.aborted) break;
    if ((await readDepth(deployment, queue)).deadLetters === 0) continue;
    // Before it begins: whoever interrupts it twice sees nothing that comes after.
    const cancel = deployment.lineOf(`redrive --queue ${queue.name} --cancel --apply`);
    terminal.note(`${queue.name}: SQS moves the letters, also when this command ends. To end it: ${cancel}`);
    const task = await moveQueue(deployment, queue, {
      perSecond: flags['per-second'],
      signal,
      onProgress: ({ moved: done, toMove }) =>
        terminal.progress(
          `${queue.name}: ${formatCount(done)}${toMove === undefined ? '' : ` of ${formatCount(toMove)}`} letters moved`,
          REPORT_EVERY_MS,
        ),
    });
    terminal.endProgress();
    moved.push({ queue: queue.name, status: task?.status ?? 'UNKNOWN', moved: task?.moved ?? 0 });
    if (task?.status === 'RUNNING') {
      terminal.line(
        `${queue.name}: ${formatCount(task.moved)} letters moved so far; the move goes on. To end it: ${cancel}`,
      );
      continue;
    }
    terminal.line(
      `${queue.name}: ${(task?.status ?? 'unknown').toLowerCase()}, ${formatCount(task?.moved ?? 0)} letters moved.`,
    );
  }
  result({ applied: true, moved });
  if (moved.length === 0) terminal.line('There are no dead letters.');
  return moved.every(({ status }) => status === 'COMPLETED') ? 0 : 1;
}
