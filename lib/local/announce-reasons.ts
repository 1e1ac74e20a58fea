import type { ObservedReason } from '../ports/process.ts';
import type { RunTally } from './run-tally.ts';

/**
 * Lets `onWaiting` know each reason that the tally is given, once for each code.
 * Rows that are sent again at once wait for nothing, and neither does a run that is told to stop.
 * `announced` are the codes that were announced, which the looks of one run share.
 */
export function announceReasons(
  tally: RunTally,
  {
    onWaiting,
    signal,
  }: { readonly onWaiting: (reason: ObservedReason) => void; readonly signal: AbortSignal },
  announced: Set<string>,
): RunTally {
  const announce = (reason: ObservedReason) => {
    if (signal.aborted || announced.has(reason.code)) return;
    announced.add(reason.code);
    onWaiting(reason);
  };
  return {
    ...tally,
    postponed(rows, afterSeconds, reason) {
      tally.postponed(rows, afterSeconds, reason);
      if (afterSeconds > 0) announce(reason);
    },
    recordFailed(reason) {
      tally.recordFailed(reason);
      announce(reason);
    },
  };
}
