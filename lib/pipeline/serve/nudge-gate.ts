import { describeUnexpected, FreshetError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../ports/process.ts';
import type { NudgeAnswer } from '../../ports/rows-operator.ts';

/** Nudges are passed on this far apart: a run looks no oftener. */
const PASS_EVERY_MS = 1000;

/**
 * Passes nudges on, however many come, at most once a second.
 * The first one is passed on at once, and those that come within its second together at the end of
 * it: after each nudge a look begins. One that cannot be passed on is logged and forgotten, because
 * the next look of the schedule finds the same rows.
 */
export function createNudgeGate(
  pass: () => Promise<NudgeAnswer>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): () => void {
  let isWanted = false;
  let isPassing = false;
  const passOn = async () => {
    isPassing = true;
    while (isWanted) {
      isWanted = false;
      await pass().catch((error: unknown) => {
        const code = error instanceof FreshetError ? error.code : describeUnexpected(error);
        logger.warn('nudge-lost', { code });
      });
      await clock.sleep(PASS_EVERY_MS);
    }
    isPassing = false;
  };
  return () => {
    isWanted = true;
    if (!isPassing) void passOn();
  };
}
