import { FreshetError } from '../core/errors/freshet-error.ts';
import { fullJitterMs } from '../core/retry/full-jitter.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';

const MAX_TRIES = 3;

/**
 * Tries work up to three times while it fails as `transient`.
 * A further try is made only when its wait is shorter than `remainingMs`.
 * @throws the last failure of the work.
 */
export async function retryTransient<T>(
  ports: { readonly clock: Clock; readonly randomness: Randomness },
  remainingMs: () => number,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const transient = error instanceof FreshetError && error.failureClass === 'transient';
      const waitMs = fullJitterMs(attempt, ports.randomness.fraction());
      if (!transient || attempt + 1 >= MAX_TRIES || waitMs >= remainingMs()) throw error;
      await ports.clock.sleep(waitMs);
    }
  }
}
