import type { ComposedResult, OutcomeEntry, Verdict } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { Lane, Outcome } from '../../core/model/vocabulary.ts';
import type { Purchase, TextResult } from './buy-vectors.ts';
import { estimateSentTokens } from './call-provider.ts';
import { pickReading, withoutVector } from './decide-row.ts';
import type { BatchPlan } from './plan-batch.ts';

export interface Settlement {
  readonly space: Space;
  readonly dispatchId: string;
  readonly lane: Lane;
  readonly runId: number | null;
  readonly plan: BatchPlan;
  readonly purchase: Purchase;
}

/**
 * Composes the result object of a message's rows, with or without a purchase.
 * Rows of undecided texts are not in the object. Every row of a text gets a vector of its own, by
 * position.
 */
export function composeResult({ space, plan, purchase, ...dispatch }: Settlement): ComposedResult {
  const outcomes: OutcomeEntry[] = [...plan.outcomes];
  const vectors: (Buffer | null)[] = plan.outcomes.map(() => null);
  const verdicts: Verdict[] = [];
  for (const [position, { text, contentHash, rows }] of plan.toBuy.entries()) {
    const result = purchase.results.get(position);
    if (!result) continue;
    if (result.kind === 'refused') verdicts.push({ contentHash, failureClass: 'item', code: result.code });
    const tokens = result.kind === 'vector' ? estimateSentTokens(space, text) : 0;
    for (const { reading, prepared } of rows) {
      const { textLength, keptLength } = prepared;
      if (result.kind === 'vector') {
        const reached = { contentHash, textLength, keptLength, tokens };
        outcomes.push({ ...pickReading(reading), outcome: 'embedded', ...reached });
        vectors.push(result.vector);
      } else {
        outcomes.push(withoutVector(reading, nameOutcome(result), { contentHash, textLength }));
        vectors.push(null);
      }
    }
  }
  return {
    spaceId: space.spaceId,
    ...dispatch,
    dimensions: space.model.dimensions,
    calls: purchase.calls.map(({ entry }) => entry),
    outcomes,
    copies: plan.copies,
    touches: plan.touches,
    verdicts,
    vectors,
  };
}

function nameOutcome(result: Exclude<TextResult, { kind: 'vector' }>): Outcome {
  return result.kind === 'too-long' ? 'too-long' : `${result.kind}:${result.code}`;
}
