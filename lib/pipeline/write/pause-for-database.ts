import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RunObserver } from '../../ports/run-observer.ts';
import { describeFailure } from '../describe-failure.ts';

/**
 * Pauses the whole pipeline when the database said stop. Never rejects.
 * What cannot be written must not be bought. Failures of another class pause nothing.
 */
export async function pauseForDatabase(
  ports: {
    readonly control: ControlStore;
    readonly logger: Logger;
    readonly observer?: RunObserver | undefined;
  },
  error: unknown,
): Promise<void> {
  if (!(error instanceof FreshetError) || error.failureClass !== 'stop') return;
  ports.observer?.paused('pipeline', describeFailure(error));
  try {
    await ports.control.pause('pipeline', 'database', error.code);
  } catch (pauseError) {
    ports.logger.error('pause-not-stored', { code: error.code, cause: describeFailure(pauseError).code });
  }
}
