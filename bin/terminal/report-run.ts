import type { RunEnd } from '../../lib/wiring/run-locally.ts';
import { formatCount } from './format-numbers.ts';
import { formatRun } from './format-run.ts';
import type { Terminal } from './terminal.ts';

/** Prints what a run did; resolves to its exit code. */
export function reportRun({ result, stoppedBy }: RunEnd, terminal: Terminal): number {
  terminal.result(stoppedBy === undefined ? result : { ...result, error: stoppedBy });
  terminal.line();
  for (const line of formatRun(result)) terminal.line(line);
  if (stoppedBy !== undefined) {
    terminal.note(`freshet: ${stoppedBy.message}`);
    return stoppedBy.code === 'wrong_dimensions' ? 2 : 1;
  }
  const failed = result.spaces.reduce((sum, space) => sum + space.failed, 0);
  if (failed === 0) return 0;
  terminal.note(`${formatCount(failed)} rows failed: npm run freshet -- failures says why and what to do.`);
  return 3;
}
