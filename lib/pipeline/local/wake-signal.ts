import type { Clock } from '../../ports/clock.ts';

export interface WakeSignal {
  notify(): void;
  /**
   * Resolves after `ms`, or with the next `notify`, also one that came since the last wait; never without a turn of the event loop. An embedded
   * database and a local model settle everything by promises: without that turn no signal of the operating system is ever heard.
   */
  wait(ms: number): Promise<void>;
}

/** Without a reason of its own each abort makes an error with a stack that nobody reads. */
const NOTIFIED = 'notified';

/** Sleeps on the port's clock, so that a virtual one decides when nothing happens. */
export function createWakeSignal(clock: Clock): WakeSignal {
  let sleeping: AbortController | undefined;
  let notified = false;
  return {
    notify() {
      notified = true;
      sleeping?.abort(NOTIFIED);
    },
    async wait(ms) {
      if (!notified) {
        sleeping = new AbortController();
        await clock.sleep(Math.max(0, ms), sleeping.signal);
        sleeping = undefined;
      }
      notified = false;
      await clock.sleep(0);
    },
  };
}
