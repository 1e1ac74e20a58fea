import { MAX_ATTEMPTS } from '../core/dispatch/batch-tier.ts';
import type { Outcome } from '../core/model/vocabulary.ts';
import { failureOfOutcome } from '../core/report/failure-of-outcome.ts';

/**
 * Composes a line of the failure log: ids and codes, no text.
 * Class and code are those that `failures` prints.
 */
export function describeFailedRow(
  row: { readonly source: string; readonly id: string; readonly outcome: Outcome },
  nowMs: number,
): string {
  const failure = failureOfOutcome(row.outcome);
  return JSON.stringify({
    time: new Date(nowMs).toISOString(),
    source: row.source,
    id: row.id,
    class: failure?.failureClass,
    code: failure?.code,
    attempts: row.outcome === 'undelivered' ? MAX_ATTEMPTS : 1,
  });
}
