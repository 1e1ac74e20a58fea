import type { RedriveAnswer } from '../../lib/ports/operator.ts';
import { type DeployedQueue, readDepth } from '../../lib/wiring/deployed-flow.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import type { RedriveContext } from './aws-redrive.ts';

/** Of one request: within the time that the function has, also on a slow database. */
const LETTERS_PER_REQUEST = 500;
const REPORT_EVERY_MS = 10_000;

type Counts = { -readonly [Name in keyof RedriveAnswer]: number };

/** Asks again until nothing is received. What is left comes back into sight, so more than was there at the beginning is not received twice. */
export async function redriveStaleRows(
  { flags, terminal, signal, deployment, result }: RedriveContext,
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
      `${queue}: ${formatCount(received)} letters; ${formatCount(dispatched)} rows sent again, ${formatCount(superseded)} superseded; ${formatCount(left)} letters left, ${formatCount(unreadable)} unreadable`,
    );
  if (!signal.aborted) return 0;
  terminal.note('Interrupted: the same command goes on. A letter is deleted only after its rows were sent.');
  return 1;
}
