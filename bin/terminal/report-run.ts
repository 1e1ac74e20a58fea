import type { RunEnd } from '../../lib/wiring/run-locally.ts';
import { formatCount } from './format-numbers.ts';
import { formatRun } from './format-run.ts';
import type { Terminal } from './terminal.ts';

/** The model's line of the configuration, or a table that the application changed. */
const MENDED_BY_PEOPLE = /^(wrong_dimensions|source-(missing|swapped)|column-(missing|changed)|permission)$/;

/** As after SIGINT and SIGTERM. */
const STOPPED = 130;

/** Prints what a run did; resolves to its exit code. */
export function reportRun({ result, notices, stopRequested, stoppedBy }: RunEnd, terminal: Terminal): number {
  terminal.result(stoppedBy === undefined ? result : { ...result, error: stoppedBy });
  terminal.line();
  for (const line of formatRun(result)) terminal.line(line);
  for (const notice of notices) terminal.note(notice);
  if (stoppedBy !== undefined) {
    terminal.note(`freshet: ${stoppedBy.message}`);
    return MENDED_BY_PEOPLE.test(stoppedBy.code) ? 2 : 1;
  }
  if (stopRequested) {
    terminal.note('Stopped because another process asked for it: freshet stop. The next run goes on.');
    return STOPPED;
  }
  const failed = result.spaces.reduce((sum, space) => sum + space.failed, 0);
  if (failed === 0) return 0;
  terminal.note(`${formatCount(failed)} rows failed: npm run freshet -- failures says why and what to do.`);
  return 3;
}
