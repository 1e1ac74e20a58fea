import { BUDGET_PAUSE, isProviderPause } from '../../core/control.ts';
import { type FreshetError, isSourceFault, SOURCE_FAULT_PREFIX } from '../../core/errors.ts';
import { type DispatchMessage, parseBatchTick, parseDispatchMessage } from '../../core/messages.ts';
import type { Outcome, Space } from '../../core/model.ts';
import { DUPLICATE_KEY } from '../../core/outcomes.ts';
import { MAX_ATTEMPTS } from '../../core/packing.ts';
import type { SourceReading } from '../../ports/outcome-store.ts';
import { tickBatches } from '../batch/tick-batches.ts';
import { retryTransient } from '../failures.ts';
import { findPauseReasons, pauseSource } from '../pauses.ts';
import type { QueueRecord, RecordResult } from '../records.ts';
import { inSpan } from '../spans.ts';
import { buyVectors, type Purchase, type TextResult } from './buy-vectors.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import { decideRow, planBatch, type RowDecision, splitPlan, withoutVector } from './plan-rows.ts';
import { giveBack, giveBackRest, leaveToDetect, type Settlement, settlePurchase } from './settle.ts';
import { type DividedPlan, divideByBatches } from './use-batches.ts';

/** Seconds until a message whose rows a pause holds up comes back. */
const PAUSED_SECONDS = 60;
const NOTHING_BOUGHT: Purchase = { results: new Map(), calls: [], ended: undefined, unansweredTexts: 0 };

/**
 * Embeds the rows of one message, from ids to an announced result, or looks after batches.
 * Rejects where the message fails as a whole; the message is then delivered again.
 */
export async function embedRecord(
  ports: EmbedPorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<RecordResult> {
  const tick = parseBatchTick(record.body);
  if (tick !== undefined) {
    await tickBatches(ports, tick.modelAlias, remainingMs);
    return 'done';
  }
  const message = parseDispatchMessage(record.body);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) {
    ports.metrics.count('DroppedMessages', 1);
    ports.logger.warn('message-dropped', { spaceId: message.spaceId, cause: 'space-unknown-or-retired' });
    return 'done';
  }
  try {
    const givenBack = await giveBackPaused(ports, record, space, message);
    return (
      givenBack ??
      (await traceMessage(ports, record, space, message, () =>
        embedRows(ports, record, space, message, remainingMs),
      ))
    );
  } catch (error) {
    if (!isSourceFault(error)) throw error;
    await pauseSource(ports, space, error);
    return leaveToDetect(ports, space, message, message.ids);
  }
}

/** Traces the work on a message, in the trace of the look that dispatched it. */
function traceMessage(
  ports: EmbedPorts,
  { traceparent, receiveCount }: QueueRecord,
  { source, model, spaceId }: Space,
  { dispatchId, ids, lane }: DispatchMessage,
  work: () => Promise<RecordResult>,
): Promise<RecordResult> {
  const attributes = {
    ...{ 'freshet.source': source.name, 'freshet.model': model.alias, 'freshet.space.id': spaceId },
    ...{ 'freshet.lane': lane, 'freshet.dispatch.id': dispatchId, 'freshet.rows': ids.length },
    'freshet.receives': receiveCount,
  };
  const start = { name: `embed ${source.name}`, kind: 'consumer', parent: traceparent } as const;
  return inSpan(ports, { ...start, links: [traceparent], attributes }, async span => {
    const result = await work();
    span.note({ 'freshet.result': result });
    return result;
  });
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
  const endsOrFallsBack =
    ports.runId !== null && (isProviderPause(pause.reason) || pause.reason === BUDGET_PAUSE);
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
  // A row that began so often may be what kills the process: its text is not read, no call is made.
  const undeliverable = message.attempts >= MAX_ATTEMPTS;
  const maxBytes = undeliverable ? 0 : ports.limits.maxBytesPerColumn;
  const readings = await patiently(() => ports.embedding.readRows(space, ids, maxBytes));
  const { stale, doubled } = await findWorthDeciding(ports, space, readings);
  const staleIds = stale.map(({ id }) => id);
  const known = new Set(staleIds);
  const needless = ids.filter(id => !known.has(id));
  if (needless.length > 0) await ports.embedding.dropLeases(space, dispatchId, needless);
  if (stale.length === 0) return 'done';

  const outcomeOf = (reading: SourceReading): Outcome | undefined =>
    doubled.has(reading.id) ? DUPLICATE_KEY : undeliverable ? 'undelivered' : nameUnreadable(reading);
  const decisions = await decideRows(ports, space, stale, outcomeOf);
  const whole = await planBatch(ports.embedding, space, decisions);
  const divided = await divideByBatches(ports, space, message, whole);
  const held = new Set(staleIds.filter(id => !divided.waiting.has(id)));
  const ended = await settlePlan(ports, record, { space, message, divided, held }, remainingMs);
  if (!ended) return 'done';
  const rest = { space, message, ids: [...held] };
  return giveBackRest(ports, record, rest, ended);
}

/**
 * Finds the readings that need an outcome, one for each key.
 * A row was leased because it was stale. Where it reads fresh, or where its key stood twice, an
 * index may hide another row of its key: the keys are then counted from the table itself.
 */
async function findWorthDeciding(
  ports: EmbedPorts,
  space: Space,
  readings: readonly SourceReading[],
): Promise<{ readonly stale: readonly SourceReading[]; readonly doubled: ReadonlySet<string> }> {
  const byId = new Map<string, SourceReading>();
  const seenTwice = new Set<string>();
  for (const reading of readings) {
    if (byId.has(reading.id)) seenTwice.add(reading.id);
    else byId.set(reading.id, reading);
  }
  const isDoubtful = (row: SourceReading) => !seenTwice.has(row.id) && (isFresh(row) || isDoubled(row));
  const doubtful = [...byId.values()].filter(isDoubtful).map(({ id }) => id);
  // As usual: no row reads fresh, and no key stands twice.
  if (doubtful.length === 0 && seenTwice.size === 0) return { stale: readings, doubled: seenTwice };
  const hidden = doubtful.length === 0 ? [] : await ports.embedding.findDoubledKeys(space, doubtful);
  const doubled = new Set([...hidden, ...seenTwice]);
  const stale = [...byId.values()].filter(reading => {
    const isDecided = doubled.has(reading.id) === isDoubled(reading);
    return !(isDecided && (isDoubled(reading) || isFresh(reading)));
  });
  return { stale, doubled };
}

interface PlannedRows {
  readonly space: Space;
  readonly message: DispatchMessage;
  readonly divided: DividedPlan;
  /** Rows that are neither settled nor wait for a batch. */
  readonly held: Set<string>;
}

/**
 * Buys, stores and announces a plan batch by batch, and takes what is settled out of `held`.
 * Returns why it ended early; undefined: it did not.
 * Each batch is announced before the next batch is bought, so that a worker that dies loses the
 * call in flight and no other call. The rows are marked as announced at the end. Until then their
 * leases in stage `embedding` hold the rows. In-process queues never redeliver a finished message,
 * so the mark is skipped there when the message ends in good time.
 */
async function settlePlan(
  ports: EmbedPorts,
  record: QueueRecord,
  planned: PlannedRows,
  remainingMs: () => number,
): Promise<Purchase['ended']> {
  const { space, message, divided, held } = planned;
  const { dispatchId, lane } = message;
  const settled = new Set<string>();
  let ended: Purchase['ended'];
  let isDone = false;
  const settle = async (settlement: Settlement) => {
    for (const id of await settlePurchase(ports, settlement, remainingMs)) {
      settled.add(id);
      held.delete(id);
    }
  };
  try {
    const { toBuy, results } = divided.brought;
    if (toBuy.length > 0) {
      const plan = { outcomes: [], copies: [], touches: [], toBuy };
      const brought = { space, dispatchId, lane, runId: ports.runId, plan };
      await settle({ ...brought, purchase: { ...NOTHING_BOUGHT, results } });
    }
    for (const [position, part] of splitPlan(divided.plan, ports.limits.batchSize).entries()) {
      if (position > 0) await ports.waitForRoom?.(remainingMs);
      const purchase =
        part.toBuy.length === 0
          ? NOTHING_BOUGHT
          : await buyVectors(ports, space, lane, part.toBuy, remainingMs, {
              redelivered: record.receiveCount > 1,
              ...{ dispatchId, heldIds: [...held] },
            });
      const bought = { space, dispatchId, lane, runId: ports.runId, plan: part, purchase };
      const settlement = decideOutage(ports, record, bought);
      await settle(settlement);
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
  return ended;
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
  const { ended, unansweredTexts } = purchase;
  if (space.source.onOutage !== 'dead-letter' || ended === undefined) return settlement;
  // A server that is too slow for several texts works: the next call carries fewer.
  if (unansweredTexts > 1) return settlement;
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
  outcomeOf: (reading: SourceReading) => Outcome | undefined,
): Promise<RowDecision[]> {
  const limits = {
    tokenization: ports.providers(space.model.alias).limits.tokenization,
    maxCharacters: space.source.maxCharacters ?? ports.limits.maxCharacters,
  };
  const decide = async (reading: SourceReading): Promise<RowDecision> => {
    const outcome = outcomeOf(reading);
    if (outcome === undefined) return decideRow(space, reading, limits, ports.tokenizer);
    const known = { contentHash: null, textLength: reading.textLength };
    return { kind: 'outcome', reading, entry: withoutVector(reading, outcome, known) };
  };
  return Promise.all(readings.map(decide));
}

/** The outcome of a row whose texts the database cannot read; undefined: it read them. */
function nameUnreadable({ unreadable }: SourceReading): Outcome | undefined {
  return unreadable === undefined ? undefined : `undelivered:${unreadable}`;
}

/** Whether the stored outcome is that of a key that stands twice, and nobody asked to try again. */
function isDoubled({ stored }: SourceReading): boolean {
  return stored?.outcome === DUPLICATE_KEY && stored.xid !== null;
}

function isFresh({ stored, version, xid }: SourceReading): boolean {
  return stored !== null && stored.version === version && stored.xid === xid;
}
