import { UsageError } from '../../lib/core/errors.ts';
import { isOfCause } from '../../lib/core/outcomes.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import { reportFailures, withAdvice } from '../terminal/reports.ts';
import type { CommandBody } from './command.ts';
import type { OperatorCommand } from './table.ts';

const DEFAULT_EXAMPLES = 5;
/** Rows that one request makes stale, in one short transaction. */
const BATCH_ROWS = 5000;
const REPORT_EVERY_MS = 10_000;

export const failuresCommand: CommandBody<OperatorCommand<'failures'>> = {
  async run({ flags, terminal, ask, deployment, result }) {
    const answer = await ask('failures', { exampleLimit: flags.examples ?? DEFAULT_EXAMPLES });
    const advised = withAdvice(answer.failures, deployment === undefined ? 'local' : 'deployed');
    result({ failures: advised });
    reportFailures(advised, terminal);
    return 0;
  },
};

type Retry = OperatorCommand<'retry'>;

export const retryCommand: CommandBody<Retry> = {
  check(flags) {
    if (flags.class !== undefined && flags.item !== undefined)
      throw new UsageError('retry takes --class or --item, not both.');
  },
  async run(context) {
    const { flags, terminal, deployment, result } = context;
    if (deployment !== undefined && flags.apply !== true) {
      const rows = await countRows(context);
      result({ applied: false, rows });
      terminal.line(`Up to ${formatCount(rows)} failed rows match; --apply makes them stale.`);
      return 0;
    }
    const { rows, isComplete } = await retryInBatches(context);
    result(deployment === undefined ? { retried: rows } : { applied: true, rows });
    const next = deployment === undefined ? `; ${FRESHET} run embeds them` : '';
    terminal.line(
      rows === 0
        ? 'No failed row matches.'
        : `${formatCount(rows)} ${rows === 1 ? 'row is' : 'rows are'} stale again${next}.`,
    );
    return isComplete ? 0 : 1;
  },
};

/** Counts the failed rows that match; with `--item` one at most, of whatever cause. */
async function countRows({ flags, ask }: Retry): Promise<number> {
  const { failures: groups } = await ask('failures', { exampleLimit: 1 });
  const rows = groups
    .filter(group => flags.source === undefined || group.source === flags.source)
    .filter(group => flags.class === undefined || isOfCause(group, flags.class))
    .reduce((sum, group) => sum + group.rows, 0);
  return flags.item === undefined ? rows : Math.min(rows, 1);
}

/**
 * Makes failed rows stale, request by request.
 * An interrupted retry is not complete; the same command goes on with the others.
 */
async function retryInBatches({
  flags,
  terminal,
  signal,
  ask,
}: Retry): Promise<{ readonly rows: number; readonly isComplete: boolean }> {
  const request = {
    ...(flags.source === undefined ? {} : { source: flags.source }),
    ...(flags.class === undefined ? {} : { cause: flags.class }),
    ...(flags.item === undefined ? {} : { itemId: flags.item }),
    limit: BATCH_ROWS,
  };
  let rows = 0;
  let more = true;
  while (more && !signal.aborted) {
    const batch = await ask('retry', request);
    rows += batch.rows;
    more = batch.more;
    if (more) terminal.progress(`${formatCount(rows)} rows`, REPORT_EVERY_MS);
  }
  terminal.endProgress();
  return { rows, isComplete: !more };
}
