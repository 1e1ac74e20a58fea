import { UsageError } from '../../lib/core/errors.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { OutcomeSelection, ResetCursor } from '../../lib/ports/operator.ts';
import { formatQuote } from '../terminal/format-quote.ts';
import { confirm } from '../terminal/terminal.ts';
import type { CommandBody } from './command.ts';
import type { OperatorCommand } from './table.ts';

/** Rows of one short transaction: other writers of these rows wait some tens of milliseconds. */
const BATCH_ROWS = 5000;
const REPORT_EVERY_MS = 10_000;

type Reset = OperatorCommand<'reset'>;

export const resetCommand: CommandBody<Reset> = {
  check: flags => void readSelection(flags),
  async run(context) {
    const { flags, deployment } = context;
    const selection = readSelection(flags);
    if (deployment === undefined) return resetWithProgress(context, selection, `${FRESHET} run embeds them.`);
    const code = await resetWithProgress(context, selection, 'the walk that finds them begins now.');
    if (flags.apply !== true || code !== 0) return code;
    const { startBackfill } = await import('../../lib/wiring/deployment.ts');
    const { olderThan: _, ...places } = selection;
    await startBackfill(deployment, places);
    return code;
  },
};

/**
 * Reads which rows to reset.
 * @throws UsageError where nothing was chosen: no choice must not mean every row
 */
function readSelection(flags: Reset['flags']): OutcomeSelection {
  const { source, model } = flags;
  const olderThan = flags['older-than'];
  const isNarrowed = source !== undefined || model !== undefined || olderThan !== undefined;
  if (isNarrowed && flags.all) throw new UsageError('--all goes with no other selection.');
  if (!isNarrowed && !flags.all)
    throw new UsageError('reset needs --all, --source, --model or --older-than.');
  return {
    ...(source === undefined ? {} : { source }),
    ...(model === undefined ? {} : { model }),
    ...(olderThan === undefined ? {} : { olderThan }),
  };
}

/**
 * Counts the rows; with `--apply` asks and then resets them in batches.
 * Interrupted, it says how far it came: called again, it goes on.
 */
async function resetWithProgress(
  { flags, terminal, signal, ask, result }: Reset,
  selection: OutcomeSelection,
  whatComesNext: string,
): Promise<number> {
  const { spaces } = await ask('plan-reset', selection);
  // The type holds for a stage of this version alone.
  if (spaces.some(({ calls }) => calls === undefined))
    throw new UsageError('The stage runs an older version, whose resets have no quote.', 'npm run deploy');
  const total = spaces.reduce((sum, space) => sum + space.rows, 0);
  if (flags.apply !== true) result({ applied: false, spaces });
  for (const space of spaces) for (const line of formatQuote(space)) terminal.line(line);
  if (total === 0 && flags.apply === true) result({ applied: true, spaces, rows: 0 });
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
  result({ applied: true, spaces, rows });
  const next = cursor === null ? whatComesNext : 'interrupted: the same command goes on with the others.';
  terminal.line(`${formatCount(rows)} rows are stale; ${next}`);
  return cursor === null ? 0 : 1;
}
