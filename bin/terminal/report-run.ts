import type { RunEnd } from '../../lib/local/run-locally.ts';
import { formatRun } from './format-run.ts';
import type { Terminal } from './terminal.ts';

/** Prints what a run did and how it ended; resolves to its exit code. */
export function reportRun({ result, notices, ending }: RunEnd, terminal: Terminal): number {
  const { error, exitCode, sentences } = ending;
  terminal.result(error === undefined ? result : { ...result, error });
  terminal.line();
  for (const line of formatRun(result)) terminal.line(line);
  for (const notice of notices) terminal.note(notice);
  for (const sentence of sentences) terminal.note(error === undefined ? sentence : `freshet: ${sentence}`);
  return exitCode;
}
