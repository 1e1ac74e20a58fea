import { batchTermsOf, isEdited, waitingLeaseSeconds } from '../../core/batches.ts';
import type { Space } from '../../core/model.ts';
import type { BatchLane } from '../../ports/batches.ts';
import type { SourceReading } from '../../ports/outcome-store.ts';
import type { Clock, Metrics } from '../../ports/process.ts';
import type { TextResult } from './buy-vectors.ts';
import { estimateSentTokens } from './fit-texts.ts';
import type { BatchPlan, UniqueText } from './plan-rows.ts';

/** What the batch lane leaves of a plan. */
export interface DividedPlan {
  /** What is settled and bought now. */
  readonly plan: BatchPlan;
  /** Texts whose vectors a batch brought, with the vectors by their position. */
  readonly brought: {
    readonly toBuy: readonly UniqueText[];
    readonly results: ReadonlyMap<number, TextResult>;
  };
  /** Ids of the rows that wait for a batch: nobody settles them now, and nobody gives them back. */
  readonly waiting: ReadonlySet<string>;
}

interface DivisionPorts {
  readonly batches?: BatchLane | undefined;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * Divides the texts of a plan between the batch lane and calls.
 * A text of the bulk lane waits for a batch, unless it has been late or refused there. What is seen
 * to be an edit never waits, whichever pass saw it first: it is bought by a call, and counted where
 * the same text stands in a batch. A new row of a long transaction is not told from one of a load.
 * Whoever waits is noted first and vectors are looked for afterwards, so that a vector that comes
 * in between is seen.
 */
export async function divideByBatches(
  ports: DivisionPorts,
  space: Space,
  dispatch: { readonly dispatchId: string; readonly lane: 'fresh' | 'bulk' },
  plan: BatchPlan,
): Promise<DividedPlan> {
  const { batches, metrics } = ports;
  const terms = batchTermsOf(space.model);
  const nothing = { toBuy: [], results: new Map() };
  if (batches === undefined || terms === undefined || plan.toBuy.length === 0)
    return { plan, brought: nothing, waiting: new Set() };
  const { store } = batches;
  const nowMs = ports.clock.now();
  const isEdit = ({ contentHash, rows }: UniqueText) =>
    dispatch.lane === 'fresh' ||
    rows.some(({ reading }) => isEdited(reading.version, nowMs) || hadOtherText(reading, contentHash));
  const edits = plan.toBuy.filter(isEdit);
  const patient = plan.toBuy.filter(text => !isEdit(text));
  const joined =
    patient.length > 0
      ? await store.joinBatch(
          space,
          dispatch.dispatchId,
          patient.map(text => toWaiting(space, text)),
          waitingLeaseSeconds(terms),
        )
      : new Set<string>();
  const others = plan.toBuy.filter(({ contentHash }) => !joined.has(contentHash));
  const hashes = others.map(({ contentHash }) => contentHash);
  const inBatch =
    edits.length > 0
      ? await store.takeForEdit(
          space,
          edits.map(({ contentHash }) => contentHash),
        )
      : new Set<string>();
  const vectors = await store.findVectors(space, hashes);
  const bought = others.filter(({ contentHash }) => vectors.has(contentHash));
  const toBuy = others.filter(({ contentHash }) => !vectors.has(contentHash));
  const beside = toBuy.filter(({ contentHash }) => inBatch.has(contentHash)).length;
  if (edits.length > 0) metrics.count('TextsBoughtBesideBatch', beside);
  const results = bought.map(({ contentHash }, position): [number, TextResult] => [
    position,
    { kind: 'vector', vector: vectors.get(contentHash)! },
  ]);
  return {
    plan: { ...plan, toBuy },
    brought: { toBuy: bought, results: new Map(results) },
    waiting: new Set(
      plan.toBuy.flatMap(({ contentHash, rows }) =>
        joined.has(contentHash) ? rows.map(({ reading }) => reading.id) : [],
      ),
    ),
  };
}

/**
 * Whether the space holds an outcome of another text and version of the row.
 * Such a row was edited, however old its version is: `now()` of a long transaction is of its
 * beginning. What a reset took the hash from was not. A text that changed without its version was
 * found by a walk over all keys, hours or a day later: nobody waits for it.
 */
function hadOtherText({ stored, version }: SourceReading, contentHash: string): boolean {
  const storedHash = stored?.contentHash ?? contentHash;
  return storedHash !== contentHash && stored?.version !== version;
}

function toWaiting(space: Space, { text, contentHash, rows }: UniqueText) {
  return {
    contentHash,
    tokens: Math.ceil(estimateSentTokens(space, text)),
    rows: rows.map(({ reading: { id, version } }) => ({ id, version })),
  };
}
