import { type DispatchMessage, MAX_BODY_BYTES, writeMessage } from '../../core/messages.ts';
import type { Lane, Space } from '../../core/model.ts';
import { batchSizeForAttempts, MAX_ATTEMPTS } from '../../core/packing.ts';
import type { LeaseDispatch, LeasedRow, LeaseRequest } from '../../ports/detection-store.ts';
import type { SendReport } from '../../ports/queues.ts';
import { inSpan } from '../spans.ts';
import type { DetectLimits, DetectPorts } from './detect-ports.ts';

interface SendPorts extends Pick<DetectPorts, 'queues' | 'logger' | 'tracer'> {
  readonly detection: Pick<DetectPorts['detection'], 'confirmSent' | 'abandonLeases'>;
  readonly limits: Pick<DetectLimits, 'batchSize' | 'callsPerMessage' | 'queuedLeaseSeconds'>;
}

interface SendResult {
  readonly sent: number;
  /** Rows that the queue did not take. */
  readonly refused: readonly LeasedRow[];
}

/**
 * Leases rows under a new dispatch, and sends them to the queue of the model and the lane.
 * `lease` is the statement that chooses the rows. Returns what it leased, and what was sent of it.
 * @throws FreshetError where the statement failed, or where nothing is known of the send.
 */
export async function dispatchRows<Leased extends { readonly rows: readonly LeasedRow[] }>(
  ports: DetectPorts,
  space: Space,
  lane: Lane,
  lease: (dispatch: NewDispatch) => Promise<Leased>,
): Promise<Leased & SendResult> {
  const dispatch = beginDispatch(ports, lane);
  const leased = await leaseRows(ports, space, dispatch, lease);
  return { ...leased, ...(await sendLeasedRows(ports, space, dispatch, leased.rows)) };
}

type NewDispatch = Omit<LeaseRequest, 'limit'>;

/**
 * Seconds that a lease lasts from leasing to the confirmed send.
 * The time is long enough for a slow queue, and short enough that a killed `detect` delays its rows
 * little.
 */
export const SENDING_LEASE_SECONDS = 120;

/**
 * Draws a new dispatch, and says how long its leases last.
 * Leases last until the send is confirmed. Where nobody confirms sends, leases last for as long as
 * their messages may take.
 */
function beginDispatch(
  ports: Pick<DetectPorts, 'randomness' | 'confirmsSends' | 'limits' | 'runId'>,
  lane: Lane,
): NewDispatch {
  const named = { dispatchId: ports.randomness.identifier(), lane, runId: ports.runId };
  if (ports.confirmsSends !== false)
    return { ...named, stage: 'sending', leaseSeconds: SENDING_LEASE_SECONDS };
  return { ...named, stage: 'queued', leaseSeconds: ports.limits.queuedLeaseSeconds };
}

/**
 * Leases rows, and gives long leases back when the answer of the statement was lost.
 * Leases that nobody confirms are long from the start. If their statement's answer is lost, they
 * would keep their rows from everybody for as long, so that they are given back at once. Short
 * leases are left to expire.
 */
async function leaseRows<Leased>(
  { detection }: DetectPorts,
  space: Space,
  dispatch: NewDispatch,
  lease: (dispatch: NewDispatch) => Promise<Leased>,
): Promise<Leased> {
  try {
    return await lease(dispatch);
  } catch (error) {
    if (dispatch.stage === 'queued') {
      // If giving back fails too, the leases end with the run or with their time.
      // The caller needs to know why nothing was leased, not why giving back failed.
      await detection.abandonLeases(space, dispatch).catch(() => undefined);
    }
    throw error;
  }
}

/** The leases that are sent, and the lane that they go to. */
interface SentDispatch extends LeaseDispatch {
  readonly lane: Lane;
}

/**
 * Sends leased rows to the queue of the model and the lane.
 * Leases of rows that the queue did not take are abandoned at once.
 * @throws FreshetError where nothing is known of the send; all its leases are then abandoned.
 */
export async function sendLeasedRows(
  ports: SendPorts,
  space: Space,
  dispatch: SentDispatch,
  rows: readonly LeasedRow[],
): Promise<SendResult> {
  if (rows.length === 0) return { sent: 0, refused: [] };
  let messages: ComposedMessage[];
  let failed: ReadonlySet<number>;
  try {
    messages = batchByAttempts(rows, ports.limits).flatMap(batch =>
      composeMessages(space, dispatch, batch, ports.limits),
    );
    const { failed: refusals } = await sendMessages(ports, space, dispatch, messages);
    failed = new Set(refusals.map(failure => failure.index));
  } catch (error) {
    // Nothing is known of any message: messages that did arrive find their leases gone.
    await ports.detection.abandonLeases(space, dispatch, idsOf(rows));
    throw error;
  }
  const accepted = messages.flatMap(({ batch }, index) => (failed.has(index) ? [] : batch));
  const refused = messages.flatMap(({ batch }, index) => (failed.has(index) ? batch : []));
  const leaseSeconds = ports.limits.queuedLeaseSeconds;
  if (dispatch.stage === 'sending' && accepted.length > 0)
    await ports.detection.confirmSent(space, dispatch.dispatchId, idsOf(accepted), leaseSeconds);
  if (refused.length > 0) {
    await ports.detection.abandonLeases(space, dispatch, idsOf(refused));
    ports.logger.warn('send-refused', { spaceId: space.spaceId, rows: refused.length });
  }
  return { sent: accepted.length, refused };
}

function sendMessages(
  ports: SendPorts,
  space: Space,
  { dispatchId, lane }: SentDispatch,
  messages: readonly ComposedMessage[],
): Promise<SendReport> {
  const named = { 'freshet.source': space.source.name, 'freshet.lane': lane };
  const attributes = { ...named, 'freshet.dispatch.id': dispatchId, 'freshet.messages': messages.length };
  return inSpan(ports, { name: `dispatch ${space.source.name}`, kind: 'producer', attributes }, () => {
    const traceparent = ports.tracer?.current();
    const queue = ports.queues(space.model.alias, lane);
    return queue.send(messages.map(({ body }) => ({ body, traceparent })));
  });
}

/** About how many messages carry a lease of many rows, so that the workers finish together. */
const MESSAGES_PER_LEASE = 8;

/** Bytes of what an announcement has beside the ids of rows and calls, and of the span. */
const ENVELOPE_BYTES = 1024;

/** Bytes of the id of a call in an announcement: a UUID, its quotes and a comma. */
const CALL_ID_BYTES = 39;

/** Calls of a row at most: its text alone, tried three times, and its share of the extra calls. */
const CALLS_PER_ROW = 4;

/**
 * Bytes that a dispatch message of so many rows may have.
 * The announcement of a batch names the same rows, and the calls that they took. An announcement
 * that the queue refuses would lose what was bought each time that it is bought again.
 */
function maxMessageBytes(rows: number, { batchSize }: SendPorts['limits']): number {
  return MAX_BODY_BYTES - ENVELOPE_BYTES - Math.min(rows, batchSize) * CALLS_PER_ROW * CALL_ID_BYTES;
}

const idsOf = (rows: readonly LeasedRow[]) => rows.map(row => row.id);

/**
 * Batches rows so that all rows of a message have the same attempts.
 * `embed` thereby sees one number of attempts. All attempts beyond the last count as the last.
 */
function batchByAttempts(rows: readonly LeasedRow[], limits: SendPorts['limits']): LeasedRow[][] {
  const { batchSize } = limits;
  const tiers = Map.groupBy(rows, row => Math.min(row.attempts, MAX_ATTEMPTS));
  return [...tiers].flatMap(([attempts, tier]) => {
    // An undelivered row costs no call, so that undelivered rows travel in whole batches.
    const batch = attempts >= MAX_ATTEMPTS ? batchSize : batchSizeForAttempts(attempts, batchSize);
    const size = attempts === 0 ? batch * countCalls(tier.length, limits) : batch;
    return Array.from({ length: Math.ceil(tier.length / size) }, (_, index) =>
      tier.slice(index * size, (index + 1) * size),
    );
  });
}

/** Batches per message: only as many as leave enough messages for every worker. */
function countCalls(rows: number, { batchSize, callsPerMessage = 1 }: SendPorts['limits']): number {
  const batches = Math.ceil(rows / batchSize);
  return Math.max(1, Math.min(callsPerMessage, Math.ceil(batches / MESSAGES_PER_LEASE)));
}

interface ComposedMessage {
  readonly batch: readonly LeasedRow[];
  readonly body: string;
}

/** Composes one message, or several where the keys are too long for one message. */
function composeMessages(
  space: Space,
  dispatch: SentDispatch,
  batch: readonly LeasedRow[],
  limits: SendPorts['limits'],
): readonly ComposedMessage[] {
  const body = composeMessage(space, dispatch, batch);
  if (batch.length === 1 || Buffer.byteLength(body) <= maxMessageBytes(batch.length, limits))
    return [{ batch, body }];
  const half = Math.ceil(batch.length / 2);
  return [batch.slice(0, half), batch.slice(half)].flatMap(part =>
    composeMessages(space, dispatch, part, limits),
  );
}

function composeMessage(space: Space, dispatch: SentDispatch, batch: readonly LeasedRow[]): string {
  const message: DispatchMessage = {
    v: 1,
    kind: 'dispatch',
    spaceId: space.spaceId,
    lane: dispatch.lane,
    dispatchId: dispatch.dispatchId,
    attempts: batch[0]?.attempts ?? 0,
    ids: idsOf(batch),
  };
  return writeMessage(message);
}
