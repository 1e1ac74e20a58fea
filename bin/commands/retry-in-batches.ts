import type { AskOperator } from '../../lib/ports/operator.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import type { Terminal } from '../terminal/terminal.ts';

const BATCH_ROWS = 5000;
const REPORT_EVERY_MS = 10_000;

/** Makes failed rows stale in short transactions. Interrupted, it is not complete: called again, it goes on. */
export async function retryInBatches(
  ask: AskOperator,
  selection: Readonly<Record<'source' | 'cause' | 'itemId', string | undefined>>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<{ readonly retried: number; readonly isComplete: boolean }> {
  const given = Object.fromEntries(Object.entries(selection).filter(([, value]) => value !== undefined));
  let retried = 0;
  let more = true;
  while (more && !signal.aborted) {
    const batch = await ask('retry', { ...given, limit: BATCH_ROWS });
    retried += batch.rows;
    more = batch.more;
    terminal.progress(`${formatCount(retried)} rows`, REPORT_EVERY_MS);
  }
  terminal.endProgress();
  return { retried, isComplete: !more };
}
