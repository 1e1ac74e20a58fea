import { BUDGET_PAUSE } from '../core/control.ts';
import type { EmbeddingStore } from '../ports/outcome-store.ts';
import type { RunTally } from './run-tally.ts';

/**
 * Keeps a run within what it may spend: `--max-usd`.
 * Counted are its answered calls and the estimates of those under way, so that the last call may go
 * beyond by what its bill is above its estimate. The first call that is refused stops the run;
 * nothing failed, and the next run goes on.
 */
export function keepRunBudget(
  embedding: EmbeddingStore,
  tally: RunTally,
  maxUsd: number,
): { readonly embedding: EmbeddingStore; readonly tally: RunTally } {
  const open = new Map<string, number>();
  const openUsd = () => [...open.values()].reduce((sum, usd) => sum + usd, 0);
  return {
    embedding: {
      ...embedding,
      async grantCall(space, grant) {
        const { callId, estimatedCostUsd } = grant;
        const isFree = estimatedCostUsd === 0;
        if (!isFree && tally.totals().costUsd + openUsd() + estimatedCostUsd > maxUsd) {
          const message = `--max-usd is ${maxUsd}, and the next call would go beyond it.`;
          tally.recordFailed({ failureClass: 'stop', code: BUDGET_PAUSE, message });
          return { scope: 'This run', reason: BUDGET_PAUSE };
        }
        open.set(callId, estimatedCostUsd);
        const refusal = await embedding.grantCall(space, grant);
        if (refusal !== undefined) open.delete(callId);
        return refusal;
      },
    },
    tally: {
      ...tally,
      called(entry) {
        open.delete(entry.callId);
        tally.called(entry);
      },
    },
  };
}
