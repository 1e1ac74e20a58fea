import { BUDGET_PAUSE } from '../../core/control.ts';
import type { FreshetError } from '../../core/errors.ts';
import { HALF_RANGE_CODE, roundToHalf } from '../../core/half-floats.ts';
import { type DispatchMessage, MAX_VISIBILITY_SECONDS } from '../../core/messages.ts';
import type { Lane, Outcome, Space, VectorStorage } from '../../core/model.ts';
import { failureOfOutcome } from '../../core/outcomes.ts';
import type { ComposedResult, OutcomeEntry, Verdict } from '../../core/result-object.ts';
import type { ObservedReason } from '../../ports/process.ts';
import { announceResult } from '../claim-check.ts';
import { describeFailure } from '../failures.ts';
import { pauseModel } from '../pauses.ts';
import type { QueueRecord, RecordResult } from '../records.ts';
import type { Purchase, TextResult } from './buy-vectors.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { estimateSentTokens } from './fit-texts.ts';
import { type BatchPlan, pickReading, withoutVector } from './plan-rows.ts';

/** What is known of the rows of a message, or of a part of them, once no more is bought. */
export interface Settlement {
  readonly space: Space;
  readonly dispatchId: string;
  readonly lane: Lane;
  readonly runId: number | null;
  readonly plan: BatchPlan;
  readonly purchase: Purchase;
}

/**
 * Stores and announces what is known and what was bought. Returns the settled ids.
 * When nothing is worth announcing, no object is stored, and the calls, which bought nothing for
 * certain, lose their grants.
 * @throws FreshetError of class `transient` where the result was not stored or not announced.
 */
export async function settlePurchase(
  ports: EmbedPorts,
  settlement: Settlement,
  remainingMs: () => number,
): Promise<readonly string[]> {
  const { space, purchase } = settlement;
  const result = composeResult(settlement);
  let settled: readonly string[] = [];
  if (isWorthAnnouncing(result, purchase)) {
    settled = await announceResult(ports, result, remainingMs);
    for (const { id, outcome } of result.outcomes) {
      if (failureOfOutcome(outcome) !== undefined)
        ports.observer?.rowFailed({ source: space.source.name, id, outcome });
    }
  } else {
    for (const { entry } of purchase.calls) await ports.embedding.revokeGrant(entry.callId);
  }
  ports.metrics.count('RefusedTexts', result.verdicts.length);
  return settled;
}

/**
 * Composes the result object of a message's rows, with or without a purchase.
 * Rows of undecided texts are not in the object. Every row of a text gets a vector of its own, by
 * position.
 */
function composeResult({ space, plan, purchase, ...dispatch }: Settlement): ComposedResult {
  const outcomes: OutcomeEntry[] = [...plan.outcomes];
  const vectors: (Buffer | null)[] = plan.outcomes.map(() => null);
  const verdicts: Verdict[] = [];
  for (const [position, { text, contentHash, rows }] of plan.toBuy.entries()) {
    const bought = purchase.results.get(position);
    if (!bought) continue;
    const result = toStored(bought, space.source.storage);
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
    ...(space.source.storage && { storage: space.source.storage }),
    calls: purchase.calls.map(({ entry }) => entry),
    outcomes,
    copies: plan.copies,
    touches: plan.touches,
    verdicts,
    vectors,
  };
}

/**
 * Turns a vector into what its space stores.
 * One that is no vector of half floats is refused with its text: the database would refuse it, and
 * with it, for a while, its neighbours. The same text would bring the same vector again.
 */
function toStored(result: TextResult, storage: VectorStorage): TextResult {
  if (result.kind !== 'vector' || storage === undefined) return result;
  const vector = roundToHalf(result.vector);
  return vector === undefined ? { kind: 'refused', code: HALF_RANGE_CODE } : { kind: 'vector', vector };
}

function nameOutcome(result: Exclude<TextResult, { kind: 'vector' }>): Outcome {
  if (result.kind === 'too-long') return 'too-long';
  return result.kind === 'excluded' ? `excluded:${result.code}` : `${result.kind}:${result.code}`;
}

function isWorthAnnouncing(result: ComposedResult, { calls }: Purchase): boolean {
  const entries = result.outcomes.length + result.copies.length + result.touches.length;
  return entries > 0 || calls.some(({ maybeBilled }) => maybeBilled);
}

/**
 * Seconds by which a lease outlives its hidden message.
 * `detect` thereby does not send the same rows while the message returns.
 */
const LEASE_MARGIN_SECONDS = 60;

interface RowsToGiveBack {
  readonly space: Space;
  readonly message: DispatchMessage;
  readonly ids: readonly string[];
  readonly afterSeconds: number;
  readonly reason: ObservedReason;
}

/**
 * Gives rows back so that waiting is no attempt and never ends in a dead letter.
 * The message is hidden for `afterSeconds`. On its next-to-last receive the message is acknowledged
 * instead: its leases then expire in time, and `detect` sends the rows again.
 */
export async function giveBack(
  ports: EmbedPorts,
  record: QueueRecord,
  rows: RowsToGiveBack,
): Promise<RecordResult> {
  const { space, message, ids, reason } = rows;
  const seconds = Math.min(Math.ceil(rows.afterSeconds), MAX_VISIBILITY_SECONDS);
  const acknowledges = record.receiveCount >= ports.limits.maxReceiveCount - 1;
  const leaseSeconds = acknowledges ? seconds : seconds + LEASE_MARGIN_SECONDS;
  await ports.embedding.postponeLeases(space, message.dispatchId, ids, leaseSeconds);
  ports.metrics.count('PostponedRows', ids.length);
  ports.logger.warn('rows-postponed', {
    spaceId: space.spaceId,
    rows: ids.length,
    seconds,
    failureClass: reason.failureClass,
    code: reason.code,
  });
  ports.observer?.postponed(ids.length, seconds, reason);
  if (acknowledges) return 'done';
  try {
    await ports.queues(space.model.alias, message.lane).changeVisibility(record.receiptHandle, seconds);
  } catch (error) {
    // The queue's own visibility timeout brings the message back.
    ports.logger.warn('visibility-not-changed', { code: describeFailure(error).code });
  }
  return 'returned';
}

/**
 * Acknowledges the message and frees its rows. The attempt does not count.
 * `detect` does not send rows of a broken source or a paused model, and sends these rows once the
 * cause is mended. A local run must not wait for a hidden message before it ends or goes on with a
 * fallback.
 */
export async function leaveToDetect(
  ports: Pick<EmbedPorts, 'embedding'>,
  space: Space,
  { dispatchId }: Pick<DispatchMessage, 'dispatchId'>,
  ids: readonly string[],
): Promise<'done'> {
  await ports.embedding.postponeLeases(space, dispatchId, ids, 0);
  return 'done';
}

/** Seconds to wait for a provider that throttles and gives no hint. */
const DEFAULT_THROTTLE_SECONDS = 30;
/** Seconds to wait after a failure that paused the model. */
const PAUSE_SECONDS = 60;
const TRANSIENT_BASE_SECONDS = 15;
const TRANSIENT_CAP_SECONDS = 300;

/** Gives unsettled rows back after a purchase ended early, as the failure's class asks. */
export async function giveBackRest(
  ports: EmbedPorts,
  record: QueueRecord,
  rest: { readonly space: Space; readonly message: DispatchMessage; readonly ids: readonly string[] },
  ended: FreshetError,
): Promise<RecordResult> {
  const reason = describeFailure(ended);
  if (ended.failureClass === 'stop') {
    await pauseModel(ports, rest.space.model.alias, ended);
    if (ports.runId !== null) return leaveToDetect(ports, rest.space, rest.message, rest.ids);
  } else if (ended.failureClass !== 'throttled' && ended.failureClass !== 'transient') {
    ports.metrics.count('UnknownFailures', 1);
    ports.logger.error('provider-failure-unknown', { code: ended.code, requestId: ended.requestId });
    ports.observer?.recordFailed(reason);
    return 'returned';
  }
  const leaves = ended.code === BUDGET_PAUSE && ports.runId !== null;
  if (leaves) return leaveToDetect(ports, rest.space, rest.message, rest.ids);
  const afterSeconds = findWaitSeconds(ended, record.receiveCount);
  return giveBack(ports, record, { ...rest, afterSeconds, reason });
}

function findWaitSeconds({ failureClass, code, retryAfterMs }: FreshetError, receiveCount: number): number {
  if (failureClass === 'stop') return PAUSE_SECONDS;
  if (code === 'out_of_time' || code === 'call_budget') return 0;
  if (retryAfterMs !== undefined) return retryAfterMs / 1000;
  if (failureClass === 'throttled') return DEFAULT_THROTTLE_SECONDS;
  return Math.min(TRANSIENT_CAP_SECONDS, TRANSIENT_BASE_SECONDS * 2 ** (receiveCount - 1));
}
