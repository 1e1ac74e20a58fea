import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { RedriveAnswer, RedriveRequest } from '../../ports/operator.ts';
import { describeFailure } from '../describe-failure.ts';
import { findPauseReasons } from '../find-pause-reasons.ts';
import type { OperatePorts, RedrivePorts } from './operate-ports.ts';
import { type Letter, readLetters } from './read-letters.ts';
import { NOTHING_SENT, type SpaceRedrive, sendAgain } from './send-again.ts';

/** Letters that stay are out of sight for this long, so that the next receives bring others. */
const LEFT_SECONDS = 120;
/** Time to lease, send and delete what the last receive brought. */
const RESERVE_MS = 8_000;
/** A receive asks some of the servers that hold a queue: one that brings nothing proves nothing. */
const EMPTY_RECEIVES = 3;
/** SQS's limit for one receive. */
const RECEIVE_LIMIT = 10;

type RedrivingPorts = Omit<OperatePorts, 'redrive'> & { readonly redrive: RedrivePorts };

/**
 * Takes dead letters of one queue and sends again only what is still worth it. A letter is deleted after its rows were sent or found superseded, so
 * a crash anywhere leaves it in the queue; met again, its rows are on their way and it is deleted. At worst a row travels twice, and `embed` skips
 * the older dispatch.
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
    const received = await queue.receive(Math.min(RECEIVE_LIMIT, request.limit - answer.received));
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

/** The letters are of one space and lane. */
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

/** An id that is no value of the key's type: one forged letter must not keep its neighbours. */
function isBadKey(error: unknown): boolean {
  return error instanceof FreshetError && describeFailure(error).code.startsWith('sqlstate_22');
}
