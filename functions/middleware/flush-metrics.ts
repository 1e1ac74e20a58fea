import type { MiddlewareObj } from '@middy/core';
import type { Metrics } from '../../lib/ports/metrics.ts';

/** Time to write the answer and the metrics of an invocation that hangs. */
export const EARLY_TIMEOUT_MS = 1_000;

/** One event per invocation. What a frozen earlier one left goes out first; a timeout still reports what was counted until then. */
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
