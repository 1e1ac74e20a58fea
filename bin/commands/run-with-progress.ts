import { withFailureLog } from '../../lib/local/failure-log.ts';
import { type RunEnd, runLocally } from '../../lib/local/run-locally.ts';
import type { Workspace } from '../../lib/wiring/workspace.ts';
import { formatCoverage } from '../terminal/format-coverage.ts';
import { createProgressMeter } from '../terminal/progress-meter.ts';
import type { CommandContext, runFlags } from './command.ts';
import { maxWaitOf, reportEveryOf } from './run-options.ts';

/** Runs until nothing is stale (or goes on watching, where an interval is given): the coverage before, a live line while it works. */
export async function runWithProgress(
  workspace: Workspace,
  { flags, terminal, signal }: CommandContext<typeof runFlags>,
  watchIntervalMs?: number,
): Promise<RunEnd> {
  let meter = createProgressMeter(0, Date.now);
  const end = await withFailureLog(flags['failure-log'], failureLog =>
    runLocally(workspace, {
      signal,
      maxWaitMs: maxWaitOf(flags),
      maxItems: flags['max-items'],
      watchIntervalMs,
      failureLog,
      onPrepared: ({ before, resumed }) => {
        for (const pause of resumed)
          terminal.note(`Resumed: ${pause.scope} was paused by ${pause.reason} since ${pause.since}.`);
        for (const line of before.flatMap(formatCoverage)) terminal.line(line);
        const toDo = before.reduce((sum, coverage) => sum + coverage.stale + coverage.inFlight, 0);
        meter = createProgressMeter(Math.min(toDo, flags['max-items'] ?? toDo), Date.now);
      },
      onStopRequested: () =>
        terminal.note('freshet stop: the batch in hand ends or is given back. Nothing is lost.'),
      onWaiting: ({ code, message }) => terminal.note(`Waiting: ${message} (${code})`),
      onProgress: ({ itemsDone, tokens, costUsd }) =>
        terminal.progress(meter({ items: itemsDone, tokens, costUsd }), reportEveryOf(flags)),
    }),
  );
  terminal.endProgress();
  return end;
}
