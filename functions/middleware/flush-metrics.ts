import type { MiddlewareObj } from '@middy/core';
import type { Metrics } from '../../lib/ports/metrics.ts';

/** Milliseconds kept to write the answer and the metrics of an invocation that hangs. */
export const EARLY_TIMEOUT_MS = 1_000;

/**
 * A middleware that writes the metrics of an invocation as one event.
 * Metrics that a frozen earlier invocation left go out first. An invocation that runs into the
 * early timeout still reports what it counted until then.
 */
export function flushMetrics<Event, Result>(metrics: Metrics): MiddlewareObj<Event, Result> {
  return {
    before: () => metrics.flush(),
    after: () => metrics.flush(),
    onError: async ({ error }) => {
      if (error?.name === 'TimeoutError') metrics.count('EarlyTimeouts', 1);
      await metrics.flush();
    },
  };
}
