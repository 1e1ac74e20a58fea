import { isProviderPause } from '../../core/control.ts';
import { type FreshetError, isSourceFault, SOURCE_FAULT_PREFIX } from '../../core/errors.ts';
import { type DispatchMessage, parseDispatchMessage } from '../../core/messages.ts';
import type { Space } from '../../core/model.ts';
import { MAX_ATTEMPTS } from '../../core/packing.ts';
import type { SourceReading } from '../../ports/outcome-store.ts';
import { retryTransient } from '../failures.ts';
import { findPauseReasons, pauseSource } from '../pauses.ts';
import type { QueueRecord, RecordResult } from '../records.ts';
import { buyVectors, type Purchase, type TextResult } from './buy-vectors.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import {
  type BatchPlan,
  decideRow,
  planBatch,
  type RowDecision,
  splitPlan,
  withoutVector,
} from './plan-rows.ts';
import { giveBack, giveBackRest, leaveToDetect, type Settlement, settlePurchase } from './settle.ts';

/** Seconds until a message whose rows a pause holds up comes back. */
const PAUSED_SECONDS = 60;
const NOTHING_BOUGHT: Purchase = { results: new Map(), calls: [], ended: undefined };

/**
 * Embeds the rows of one message: from ids to an announced result.
 * Rejects where the message fails as a whole; the message is then delivered again.
 */
export async function embedRecord(
  ports: EmbedPorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<RecordResult> {
  const message = parseDispatchMessage(record.body);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) {
    ports.metrics.count('DroppedMessages', 1);
    ports.logger.warn('message-dropped', { spaceId: message.spaceId, cause: 'space-unknown-or-retired' });
    return 'done';
  }
  try {
    const givenBack = await giveBackPaused(ports, record, space, message);
    return givenBack ?? (await embedRows(ports, record, space, message, remainingMs));
  } catch (error) {
    if (!isSourceFault(error)) throw error;
    await pauseSource(ports, space, error);
    return leaveToDetect(ports, space, message, message.ids);
  }
}

/** Gives the rows back where a pause holds them up; undefined: nothing does. */
async function giveBackPaused(
  ports: EmbedPorts,
  record: QueueRecord,
  space: Space,
  message: DispatchMessage,
): Promise<RecordResult | undefined> {
  const [pause] = await findPauseReasons(ports.control, space);
  if (!pause) return undefined;
  const endsOrFallsBack = ports.runId !== null && isProviderPause(pause.reason);
  if (pause.reason.startsWith(SOURCE_FAULT_PREFIX) || endsOrFallsBack)
    return leaveToDetect(ports, space, message, message.ids);
  const reason = {
    failureClass: 'stop',
    code: pause.reason,
    message: `${pause.scope} is paused (${pause.reason}).`,
  } as const;
  return giveBack(ports, record, { space, message, ids: message.ids, afterSeconds: PAUSED_SECONDS, reason });
}

async function embedRows(
  ports: EmbedPorts,
  record: QueueRecord,
  space: Space,
  message: DispatchMessage,
  remainingMs: () => number,
): Promise<RecordResult> {
  const { dispatchId } = message;
  const patiently = <T>(work: () => Promise<T>) => retryTransient(ports, remainingMs, work);
  const ids = await patiently(() => ports.embedding.beginEmbedding(space, dispatchId, message.ids));
  if (ids.length === 0) return 'done';
  const undeliverable = message.attempts >= MAX_ATTEMPTS;
  const maxBytes = undeliverable ? 0 : ports.limits.maxBytesPerColumn;
  const readings = await patiently(() => ports.embedding.readRows(space, ids, maxBytes));
  const stale = readings.filter(reading => !isFresh(reading));
  const staleIds = stale.map(({ id }) => id);
  const known = new Set(staleIds);
  const needless = ids.filter(id => !known.has(id));
  if (needless.length > 0) await ports.embedding.dropLeases(space, dispatchId, needless);
  if (stale.length === 0) return 'done';

  const decisions = undeliverable ? stale.map(decideUndelivered) : await decideRows(ports, space, stale);
  const plan = await planBatch(ports.embedding, space, decisions);
  const { settled, ended } = await settlePlan(ports, record, { space, message, plan }, remainingMs);
  if (!ended) return 'done';
  const rest = { space, message, ids: staleIds.filter(id => !settled.has(id)) };
  return giveBackRest(ports, record, rest, ended);
}

/**
 * Buys, stores and announces a plan batch by batch, and returns the settled ids.
 * Each batch is announced before the next batch is bought, so that a worker that dies loses the
 * call in flight and no other call. The rows are marked as announced at the end. Until then their
 * leases in stage `embedding` hold the rows. In-process queues never redeliver a finished message,
 * so the mark is skipped there when the message ends in good time.
 */
async function settlePlan(
  ports: EmbedPorts,
  record: QueueRecord,
  planned: { readonly space: Space; readonly message: DispatchMessage; readonly plan: BatchPlan },
  remainingMs: () => number,
): Promise<{ readonly settled: ReadonlySet<string>; readonly ended: Purchase['ended'] }> {
  const { space, message, plan } = planned;
  const { dispatchId, lane } = message;
  const settled = new Set<string>();
  let ended: Purchase['ended'];
  let isDone = false;
  try {
    for (const [position, part] of splitPlan(plan, ports.limits.batchSize).entries()) {
      if (position > 0) await ports.waitForRoom?.(remainingMs);
      const purchase =
        part.toBuy.length === 0
          ? NOTHING_BOUGHT
          : await buyVectors(ports, space, lane, part.toBuy, remainingMs);
      const bought = { space, dispatchId, lane, runId: ports.runId, plan: part, purchase };
      const settlement = decideOutage(ports, record, bought);
      for (const id of await settlePurchase(ports, settlement, remainingMs)) settled.add(id);
      ended = settlement.purchase.ended;
      if (ended) break;
    }
    isDone = ended === undefined && remainingMs() > SETTLE_RESERVE_MS;
  } finally {
    const seconds = ports.limits.announcedLeaseSeconds;
    const mark = () => ports.embedding.markAnnounced(space, dispatchId, [...settled], seconds);
    const needsMark = settled.size > 0 && !(isDone && ports.redelivers === false);
    if (needsMark) await retryTransient(ports, remainingMs, mark);
  }
  return { settled, ended };
}

/**
 * Decides the texts that an outage left undecided: they become undelivered.
 * Only sources with `onOutage: 'dead-letter'` ask for this, and their models are then not paused. A
 * failure of class `stop` is an outage at once. A `transient` failure is an outage once the
 * message's receives are used up. Throttling is never an outage, nor is a model that answers other
 * dimensions.
 */
function decideOutage(ports: EmbedPorts, record: QueueRecord, settlement: Settlement): Settlement {
  const { space, plan, purchase } = settlement;
  const { ended } = purchase;
  if (space.source.onOutage !== 'dead-letter' || ended === undefined) return settlement;
  if (!isOutage(ended, record.receiveCount >= ports.limits.maxReceiveCount - 1)) return settlement;
  const results = new Map<number, TextResult>(purchase.results);
  for (const position of plan.toBuy.keys())
    if (!results.has(position)) results.set(position, { kind: 'undelivered', code: ended.code });
  const texts = results.size - purchase.results.size;
  const { failureClass, code } = ended;
  ports.metrics.count('UndeliveredTexts', texts);
  ports.logger.error('outage-recorded', { spaceId: space.spaceId, texts, failureClass, code });
  return { ...settlement, purchase: { ...purchase, results, ended: undefined } };
}

function isOutage({ failureClass, code }: FreshetError, lastReceive: boolean): boolean {
  if (failureClass === 'stop') return code !== 'wrong_dimensions';
  return failureClass === 'transient' && lastReceive && code !== 'call_budget' && code !== 'out_of_time';
}

function decideRows(
  ports: EmbedPorts,
  space: Space,
  readings: readonly SourceReading[],
): Promise<RowDecision[]> {
  const limits = {
    tokenization: ports.providers(space.model.alias).limits.tokenization,
    maxCharacters: space.source.maxCharacters ?? ports.limits.maxCharacters,
  };
  return Promise.all(readings.map(reading => decideRow(space, reading, limits, ports.tokenizer)));
}

/**
 * Gives up a row that began so often that it may be what kills the process.
 * No text is read for such a row, and no call is made.
 */
function decideUndelivered(reading: SourceReading): RowDecision {
  const known = { contentHash: null, textLength: reading.textLength };
  return { kind: 'outcome', reading, entry: withoutVector(reading, 'undelivered', known) };
}

function isFresh({ stored, version, xid }: SourceReading): boolean {
  return stored !== null && stored.version === version && stored.xid === xid;
}
