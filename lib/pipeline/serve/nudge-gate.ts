import { describeUnexpected, FreshetError } from '../../core/errors.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
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

/** Nudges of a second that a function passes on: the first, and one for those after it. */
const PASSES_A_SECOND = 2;

/**
 * Passes nudges on from a function, which does nothing once a request is answered.
 * Of each second two are passed on, and the others are covered by them: a look that is kept out by
 * the one before it begins when the second of that one is over.
 * @throws ServiceRefusal `not_ready` where it could not be passed on
 */
export function createNudgeWindow(
  pass: () => Promise<void>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): () => Promise<void> {
  let passedAtMs: readonly number[] = [];
  return async () => {
    const nowMs = clock.now();
    passedAtMs = passedAtMs.filter(atMs => nowMs - atMs >= 0 && nowMs - atMs < PASS_EVERY_MS);
    if (passedAtMs.length >= PASSES_A_SECOND) return;
    passedAtMs = [...passedAtMs, nowMs];
    await pass().catch((error: unknown) => {
      const code = error instanceof FreshetError ? error.code : describeUnexpected(error);
      logger.warn('nudge-lost', { code });
      throw new ServiceRefusal(
        'not_ready',
        'The nudge was not passed on: the next look is by the schedule.',
        {
          retryAfterSeconds: 1,
        },
      );
    });
  };
}
