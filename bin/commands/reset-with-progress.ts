import type { AskOperator, OutcomeSelection, ResetCursor, SpaceResetPlan } from '../../lib/ports/operator.ts';
import { confirm } from '../terminal/confirm.ts';
import { formatCount, formatUsd } from '../terminal/format-numbers.ts';
import type { FlagValues } from '../terminal/read-flags.ts';
import type { CommandContext } from './command.ts';
import type { resetFlags } from './reset-flags.ts';

/** Rows of one short transaction: what waits for them waits some tens of milliseconds. */
const BATCH_ROWS = 5000;
const REPORT_EVERY_MS = 10_000;

/** Counts; with `--apply` asks and then resets in batches. Interrupted, it says how far it came: called again, it goes on. */
export async function resetWithProgress(
  ask: AskOperator,
  selection: OutcomeSelection,
  {
    flags,
    terminal,
    signal,
  }: Pick<CommandContext, 'terminal' | 'signal'> & { readonly flags: FlagValues<typeof resetFlags> },
  whatComesNext: string,
): Promise<number> {
  const { spaces } = await ask('plan-reset', selection);
  const total = spaces.reduce((sum, space) => sum + space.rows, 0);
  if (flags.apply !== true) terminal.result({ applied: false, spaces });
  for (const space of spaces) terminal.line(describePlan(space));
  if (total === 0 && flags.apply === true) terminal.result({ applied: true, spaces, rows: 0 });
  if (total === 0) return 0;
  if (flags.apply !== true) {
    terminal.line('Nothing was changed: --apply does it. Search goes on with the old vectors meanwhile.');
    return 0;
  }
  await confirm(`Reset ${formatCount(total)} rows?`, flags.yes === true);
  let rows = 0;
  let cursor: ResetCursor | null = null;
  do {
    const batch: { rows: number; cursor: ResetCursor | null } = await ask('reset', {
      ...selection,
      cursor,
      limit: BATCH_ROWS,
    });
    rows += batch.rows;
    cursor = batch.cursor;
    terminal.progress(`${formatCount(rows)} of ${formatCount(total)} rows`, REPORT_EVERY_MS);
  } while (cursor !== null && !signal.aborted);
  terminal.endProgress();
  terminal.result({ applied: true, spaces, rows });
  const next = cursor === null ? whatComesNext : 'interrupted: the same command goes on with the others.';
  terminal.line(`${formatCount(rows)} rows are stale; ${next}`);
  return cursor === null ? 0 : 1;
}

function describePlan({ source, model, rows, texts, tokens, costUsd }: SpaceResetPlan): string {
  return `${source} · ${model}: ${formatCount(rows)} rows; to embed them again: ${formatCount(texts)} different texts, about ${formatCount(tokens)} tokens, ${formatUsd(costUsd)}`;
}
