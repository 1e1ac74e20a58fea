import { FreshetError } from '../../core/errors.ts';
import { MAX_MESSAGES_PER_RECEIVE, parseAnnounceMessage, parseDispatchMessage } from '../../core/messages.ts';
import type { Lane, Space } from '../../core/model.ts';
import { failureOfOutcome, isOfCause } from '../../core/outcomes.ts';
import type { DeadLetterSource, RedriveAnswer, RedriveRequest } from '../../ports/operator.ts';
import type { Logger } from '../../ports/process.ts';
import type { ReceivedMessage } from '../../ports/queues.ts';
import type { StaleRow } from '../../ports/report-store.ts';
import { SENDING_LEASE_SECONDS, sendLeasedRows } from '../detect/dispatch-rows.ts';
import { describeFailure } from '../failures.ts';
import { findPauseReasons } from '../pauses.ts';
import type { OperatePorts, RedrivePorts } from './operate-ports.ts';

/** Letters that stay are out of sight for this time, so that later receives bring others. */
const LEFT_SECONDS = 120;
/** Time to lease, send and delete what the last receive brought. */
const RESERVE_MS = 8_000;
/**
 * Empty receives in a row that end a redrive.
 * A receive asks only some of the servers that hold a queue, so one empty receive proves nothing.
 */
const EMPTY_RECEIVES = 3;

type RedrivingPorts = Omit<OperatePorts, 'redrive'> & { readonly redrive: RedrivePorts };

/**
 * Takes dead letters of one queue and sends again only the rows that are still stale.
 *
 * A letter is deleted after its rows were sent or found superseded. So a crash anywhere leaves the
 * letter in the queue; when it is received again, its rows are on their way, and it is deleted. At
 * worst a row travels twice, and `embed` skips the older dispatch.
 */
export async function redriveDeadLetters(
  ports: RedrivingPorts,
  request: RedriveRequest,
  remainingMs: () => number,
): Promise<RedriveAnswer> {
  const queue = await ports.redrive.deadLetters(request.queue);
  let answer: RedriveAnswer = { received: 0, dispatched: 0, superseded: 0, left: 0, unreadable: 0 };
  let empty = 0;
  while (answer.received < request.limit && empty < EMPTY_RECEIVES && remainingMs() > RESERVE_MS) {
    const received = await queue.receive(Math.min(MAX_MESSAGES_PER_RECEIVE, request.limit - answer.received));
    empty = received.length === 0 ? empty + 1 : 0;
    if (received.length === 0) continue;
    const { letters, unreadable } = readLetters(request.queue, received);
    const sent = await redriveLetters(ports, request, letters);
    for (const { receiptHandle } of letters.filter(letter => !sent.left.has(letter)))
      await queue.delete(receiptHandle);
    for (const { receiptHandle } of [...sent.left, ...unreadable])
      await queue.changeVisibility(receiptHandle, LEFT_SECONDS);
    answer = {
      received: answer.received + received.length,
      dispatched: answer.dispatched + sent.dispatched,
      superseded: answer.superseded + sent.superseded,
      left: answer.left + sent.left.size - sent.unreadable,
      unreadable: answer.unreadable + unreadable.length + sent.unreadable,
    };
  }
  ports.logger.warn('redriven-by-operator', { ...answer });
  return answer;
}

interface Redriven extends SpaceRedrive {
  /** Among `left`: letters whose ids are no keys of their source. */
  readonly unreadable: number;
}

async function redriveLetters(
  ports: RedrivingPorts,
  request: RedriveRequest,
  letters: readonly Letter[],
): Promise<Redriven> {
  let sum: Redriven = { ...NOTHING_SENT, unreadable: 0 };
  for (const ofSpace of Map.groupBy(letters, ({ spaceId, lane }) => `${spaceId} ${lane}`).values()) {
    const next = await redriveOfSpace(ports, request, ofSpace);
    sum = {
      dispatched: sum.dispatched + next.dispatched,
      superseded: sum.superseded + next.superseded,
      left: new Set([...sum.left, ...next.left]),
      unreadable: sum.unreadable + next.unreadable,
    };
  }
  return sum;
}

/** Redrives letters that are of one space and lane. */
async function redriveOfSpace(
  ports: RedrivingPorts,
  request: RedriveRequest,
  letters: readonly Letter[],
): Promise<Redriven> {
  const space = await ports.spaces.find(letters[0]!.spaceId);
  if (space === undefined)
    return { ...NOTHING_SENT, superseded: letters.flatMap(({ ids }) => ids).length, unreadable: 0 };
  const isOther = request.source !== undefined && request.source !== space.source.name;
  if (isOther || (await findPauseReasons(ports.control, space)).length > 0)
    return { ...NOTHING_SENT, left: new Set(letters), unreadable: 0 };
  try {
    return {
      ...(await sendAgain(ports.redrive, ports.logger, space, letters, request.cause)),
      unreadable: 0,
    };
  } catch (error) {
    if (!isBadKey(error)) throw error;
    if (letters.length === 1) return { ...NOTHING_SENT, left: new Set(letters), unreadable: 1 };
    const single: Redriven[] = [];
    for (const letter of letters) single.push(await redriveOfSpace(ports, request, [letter]));
    return single.reduce((sum, next) => ({
      dispatched: sum.dispatched + next.dispatched,
      superseded: sum.superseded + next.superseded,
      left: new Set([...sum.left, ...next.left]),
      unreadable: sum.unreadable + next.unreadable,
    }));
  }
}

/**
 * Whether an id is no value of the key's type.
 * A forged letter is then left alone, so that it does not keep its neighbours.
 */
function isBadKey(error: unknown): boolean {
  return error instanceof FreshetError && describeFailure(error).code.startsWith('sqlstate_22');
}

interface Letter {
  readonly receiptHandle: string;
  readonly body: string;
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly ids: readonly string[];
  /** Undefined: the letter points to a result that is paid for. */
  readonly lane: Lane | undefined;
}

/** Reads letters. A message that does not parse stays in its queue. */
function readLetters(
  queue: DeadLetterSource,
  received: readonly ReceivedMessage[],
): { readonly letters: readonly Letter[]; readonly unreadable: readonly ReceivedMessage[] } {
  const letters: Letter[] = [];
  const unreadable: ReceivedMessage[] = [];
  for (const message of received) {
    try {
      letters.push(readLetter(queue, message));
    } catch {
      unreadable.push(message);
    }
  }
  return { letters, unreadable };
}

function readLetter(queue: DeadLetterSource, { receiptHandle, body }: ReceivedMessage): Letter {
  if (queue === 'results') {
    const { spaceId, dispatchId, ids } = parseAnnounceMessage(body);
    return { receiptHandle, body, spaceId, dispatchId, ids, lane: undefined };
  }
  const { spaceId, dispatchId, ids, lane } = parseDispatchMessage(body);
  return { receiptHandle, body, spaceId, dispatchId, ids, lane };
}

interface SpaceRedrive {
  /** Rows. */
  readonly dispatched: number;
  /** Rows. */
  readonly superseded: number;
  readonly left: ReadonlySet<Letter>;
}

const NOTHING_SENT: SpaceRedrive = { dispatched: 0, superseded: 0, left: new Set() };

/**
 * Sends again the stale rows of letters that are of one space and lane.
 * Where a cause is given, only rows that failed for it are sent.
 */
async function sendAgain(
  ports: RedrivePorts,
  logger: Logger,
  space: Space,
  letters: readonly Letter[],
  cause: string | undefined,
): Promise<SpaceRedrive> {
  const all = letters.flatMap(({ ids }) => ids);
  const stale = await ports.stale.findStaleRows(space, [...new Set(all)]);
  const isWanted = ({ outcome }: StaleRow) =>
    cause === undefined || isOfCause(failureOfOutcome(outcome), cause);
  const wanted = new Map(stale.filter(isWanted).map(row => [row.id, row]));
  const others = new Set(stale.filter(({ id }) => !wanted.has(id)).map(({ id }) => id));
  const { dispatched, unsent } =
    letters[0]?.lane === undefined
      ? await announceAgain(ports, letters, wanted)
      : await dispatchAgain(ports, logger, space, letters, wanted);
  const stays = (id: string) => others.has(id) || unsent.has(id);
  return {
    dispatched,
    superseded: all.filter(id => !stays(id)).length - dispatched,
    left: new Set(letters.filter(({ ids }) => ids.some(stays))),
  };
}

interface Sending {
  readonly dispatched: number;
  readonly unsent: ReadonlySet<string>;
}

/**
 * Sends rows again under a new dispatch.
 *
 * Rows that another dispatch holds are on their way already. Rows that the dead dispatch itself
 * holds are taken from it, and that was no attempt.
 */
async function dispatchAgain(
  ports: RedrivePorts,
  logger: Logger,
  space: Space,
  letters: readonly Letter[],
  wanted: ReadonlyMap<string, StaleRow>,
): Promise<Sending> {
  const lane = letters[0]?.lane ?? 'bulk';
  for (const { dispatchId, ids } of letters) {
    const held = ids.filter(id => wanted.get(id)?.heldBy === dispatchId);
    if (held.length > 0) await ports.embedding.postponeLeases(space, dispatchId, held, 0);
  }
  const dispatch = { dispatchId: ports.randomness.identifier(), lane, stage: 'sending' as const };
  const rows = await ports.stale.leaseNamedRows(space, {
    ...dispatch,
    ids: [...wanted.keys()],
    limit: wanted.size,
    leaseSeconds: SENDING_LEASE_SECONDS,
    runId: null,
  });
  const { sent, refused } = await sendLeasedRows({ ...ports, logger }, space, dispatch, rows);
  return { dispatched: sent, unsent: new Set(refused.map(({ id }) => id)) };
}

/**
 * Announces again results whose vectors are bought; the writer decides what to write.
 * A result without a row left to write is not announced.
 */
async function announceAgain(
  ports: RedrivePorts,
  letters: readonly Letter[],
  wanted: ReadonlyMap<string, StaleRow>,
): Promise<Sending> {
  const worth = letters.filter(({ ids }) => ids.length === 0 || ids.some(id => wanted.has(id)));
  if (worth.length === 0) return { dispatched: 0, unsent: new Set() };
  const { failed } = await ports.results.send(worth.map(({ body }) => ({ body })));
  const refused = new Set(failed.map(({ index }) => index));
  const idsOf = (isRefused: boolean) =>
    worth.flatMap(({ ids }, index) =>
      refused.has(index) === isRefused ? ids.filter(id => wanted.has(id)) : [],
    );
  return { dispatched: idsOf(false).length, unsent: new Set(idsOf(true)) };
}
