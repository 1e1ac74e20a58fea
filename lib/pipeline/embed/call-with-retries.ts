import { FreshetError } from '../../core/errors.ts';
import { isUnanswered } from '../../core/pace.ts';
import { mayBlameText } from '../../core/provider-failure-codes.ts';
import { fullJitterMs } from '../../core/retry.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import { PROBE_TEXT } from '../failures.ts';
import {
  type CallRequest,
  type CallResult,
  callProvider,
  isRefusedGrant,
  type MadeCall,
} from './call-provider.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import {
  BUSY_CODE,
  busyElsewhere,
  endTurn,
  expectCallMs,
  nameUnanswered,
  noteLastingRefusal,
  noteRefusedSize,
  RESIZE_CODE,
  takeTurn,
  timeoutOf,
} from './keep-pace.ts';
import { noteCallRate, waitForRate } from './keep-rate.ts';
import { hasTextLimit, noteAnswered, wasAnsweredLately } from './tellable-texts.ts';
import { gateOf } from './throttle-gate.ts';

/** How often a call may be repeated at most. */
export interface RetryBounds {
  readonly retries: number;
  /** How many of the repetitions may follow a reply of the wrong shape. */
  readonly retriesInvalidReply: number;
  /** How many of the repetitions may follow an answer that one text may have caused. */
  readonly retriesDoubtfulAnswer: number;
}

/** How often a call is repeated at most where its model does not say. */
export const MAX_RETRIES = 2;
/**
 * How often a call with a reply of the wrong shape is repeated.
 * A reply that has the wrong shape twice does not come right by waiting: the batch is taken apart
 * instead.
 */
const MAX_RETRIES_INVALID_REPLY = 1;
/**
 * Milliseconds below which a call cannot be expected to end.
 * The rows of such a call are given back instead.
 */
const MIN_CALL_MS = 1_000;
/**
 * The longest wait in milliseconds while a Lambda runs.
 * The queue waits for longer times at no cost.
 */
const MAX_WAIT_MS = 20_000;

const USUAL_BOUNDS: RetryBounds = {
  retries: Number.POSITIVE_INFINITY,
  retriesInvalidReply: MAX_RETRIES_INVALID_REPLY,
  retriesDoubtfulAnswer: Number.POSITIVE_INFINITY,
};

/** The code of a limit of requests or tokens; an endpoint that wakes has another one. */
const RATE_CODE = 'rate_limit';

interface RetriedCall {
  readonly calls: readonly MadeCall[];
  readonly result: Omit<CallResult, 'call'>;
  /** True: between two failures of this call, another call of this process succeeded. */
  readonly othersSucceeded: boolean;
}

/**
 * Makes a call and repeats it while it fails as `transient` or `throttled`.
 * The call is repeated while tries and time last; any other failure is the answer at once. While
 * the provider asks for patience, one caller at a time tries once, and the others are told how long
 * to wait. A failure with the code of a pause says nothing of the provider.
 * @throws FreshetError where the database fails.
 */
export async function callWithRetries(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  remainingMs: () => number,
  bounded: Partial<RetryBounds> = {},
): Promise<RetriedCall> {
  const bounds = { ...USUAL_BOUNDS, ...bounded };
  const gate = gateOf(ports.providers(request.space.model.alias));
  const access = gate.enter(ports.clock.now());
  if (typeof access === 'number')
    return { calls: [], result: { failure: gateClosed(gate.code(), access) }, othersSucceeded: false };
  let failure: FreshetError | undefined;
  let ended = false;
  const retries = Math.min(request.space.model.maxRetries ?? MAX_RETRIES, bounds.retries);
  try {
    const own = { ...bounds, retries: access === 'probe' ? 0 : retries };
    const findClosure = () => {
      const closedMs = access === 'open' ? gate.closedMs(ports.clock.now()) : 0;
      return closedMs > 0 ? gateClosed(gate.code(), closedMs) : undefined;
    };
    const repeated = await repeatCall(ports, request, { remainingMs, findClosure }, own);
    const isLasting = gate.lasts(ports.clock.now());
    const mayBeSize = access === 'probe' ? !isLasting : isSizeKnown(ports, request);
    const retried = mayBeSize ? await judgeRefusal(ports, request, repeated, remainingMs) : repeated;
    if (isLasting && access === 'probe' && retried.result.failure?.code === RATE_CODE)
      await noteLastingRefusal(ports, request);
    ({ failure } = retried.result);
    ended = retried.calls.length > 0;
    return retried;
  } finally {
    const throttled =
      failure?.failureClass === 'throttled' && !isRefusedGrant(failure.code) && failure.code !== BUSY_CODE;
    if (failure && throttled) gate.close(ports.clock.now(), failure.code, failure.retryAfterMs);
    if (access === 'probe') gate.endProbe(ended && !throttled);
  }
}

/**
 * Tells a call that is too large for a limit from a limit that lasts.
 * The provider asked for patience and got it, or takes no larger calls as far as is known. Where it
 * answers a harmless text at once, the size of the call was refused: smaller calls need not wait.
 */
async function judgeRefusal(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  refused: RetriedCall,
  remainingMs: () => number,
): Promise<RetriedCall> {
  if (refused.result.failure?.code !== RATE_CODE || request.texts.length === 1) return refused;
  const provider = ports.providers(request.space.model.alias);
  if (wasAnsweredLately(provider, request, ports.clock.now())) return refused;
  const probe = { ...request, texts: [PROBE_TEXT], rows: 0, holder: undefined, goesOn: true };
  const made = await callInTurn(ports, probe, { remainingMs, findClosure: () => undefined });
  const calls = [...refused.calls, ...(made?.result.call === undefined ? [] : [made.result.call])];
  if (made === undefined || made.result.failure !== undefined) return { ...refused, calls };
  await noteRefusedSize(ports, request);
  return { ...refused, calls, result: { failure: tooManyTexts() } };
}

/** Whether a refusal of the call is likely to be one of its size. */
function isSizeKnown(ports: EmbedPorts, { space }: Pick<CallRequest, 'space'>): boolean {
  return hasTextLimit(ports.providers(space.model.alias), ports.clock.now());
}

/**
 * Whether a failure is a reply of the wrong shape, or a backend that broke under a batch.
 * Whether a GPU runs out of memory depends on the size of the batch.
 */
export function isInvalidReply(code: string): boolean {
  return code === 'invalid_reply_count' || code === 'invalid_reply_index' || code === 'tei_backend';
}

interface CallLimits {
  readonly remainingMs: () => number;
  /** Why no call may be made any more, although it was allowed before it waited for its turn. */
  readonly findClosure: () => FreshetError | undefined;
}

async function repeatCall(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  limits: CallLimits,
  bounds: RetryBounds,
): Promise<RetriedCall> {
  const { remainingMs } = limits;
  const calls: MadeCall[] = [];
  const provider = ports.providers(request.space.model.alias);
  let failure: FreshetError | undefined;
  let successesAtFailure: number | undefined;
  let othersSucceeded = false;
  for (let attempt = 0; ; attempt += 1) {
    const goesOn = request.goesOn || (failure !== undefined && failure.failureClass !== 'throttled');
    const made = await callInTurn(ports, { ...request, goesOn }, limits);
    if (made === undefined) return { calls, result: { failure: failure ?? outOfTime() }, othersSucceeded };
    const { result } = made;
    if (result.call) calls.push(result.call);
    failure = result.failure;
    if (failure === undefined) {
      successes.set(provider, countSuccesses(provider) + 1);
      noteAnswered(provider, request, ports.clock.now());
      return { calls, result, othersSucceeded };
    }
    othersSucceeded ||= countSuccesses(provider) > (successesAtFailure ?? Number.POSITIVE_INFINITY);
    successesAtFailure ??= countSuccesses(provider);
    if (failure.code === RATE_CODE && isSizeKnown(ports, request)) return { calls, result, othersSucceeded };
    const waitMs =
      attempt < countRetries(failure, bounds, request.texts.length)
        ? findWaitMs(failure, attempt, ports.randomness.fraction())
        : undefined;
    if (waitMs === undefined || waitMs + SETTLE_RESERVE_MS + MIN_CALL_MS > remainingMs()) {
      return { calls, result, othersSucceeded };
    }
    ports.metrics.duration('RetryWait', waitMs);
    await ports.clock.sleep(waitMs, ports.givenUp?.());
  }
}

/** Calls of this process that succeeded, by provider. */
const successes = new WeakMap<EmbeddingProvider, number>();

function countSuccesses(provider: EmbeddingProvider): number {
  return successes.get(provider) ?? 0;
}

/** Milliseconds between two looks whether a turn is free: doubled each time, up to the most. */
const TURN_LOOK_MS = { first: 10, most: 250 };
/**
 * Milliseconds that a Lambda waits for a turn.
 * A run on a machine waits for as long as it has time: no message of its queues costs anything.
 */
const TURN_WAIT_MS = 500;
/** Milliseconds after which a message whose call found no turn comes back. */
const TURN_RETRY_MS = 5_000;

/**
 * Makes one call once the pace of the model has a turn for it, and learns from it.
 * Undefined: the time that is left does not suffice for the call.
 */
async function callInTurn(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  { remainingMs, findClosure }: CallLimits,
): Promise<{ readonly result: CallResult } | undefined> {
  const timeoutMs = timeoutOf(ports, request);
  const share = await waitForRate(ports, request, remainingMs, findClosure);
  if (share instanceof FreshetError) return { result: { failure: share } };
  const waitsUntilMs = ports.clock.now() + (ports.runId === null ? TURN_WAIT_MS : Number.POSITIVE_INFINITY);
  let lookMs = TURN_LOOK_MS.first;
  for (;;) {
    const deadlineMs = Math.min(timeoutMs, remainingMs() - SETTLE_RESERVE_MS);
    if (deadlineMs < Math.max(MIN_CALL_MS, await expectCallMs(ports, request))) return undefined;
    const turn = await takeTurn(ports, request, deadlineMs);
    if (turn === 'too-many-texts') return { result: { failure: tooManyTexts() } };
    if (turn !== undefined) {
      let result: CallResult | undefined;
      let isTooLarge = false;
      try {
        result = await callProvider(ports, { ...request, deadlineMs });
      } finally {
        isTooLarge = await endTurn(ports, request, turn, result, deadlineMs < timeoutMs);
        if (result !== undefined) await noteCallRate(ports, request, result, share === 'granted');
      }
      const { failure, call } = result;
      if (isTooLarge) return { result: { ...result, failure: tooManyTexts() } };
      if (failure?.code === 'aborted') return { result: { ...result, failure: outOfTime() } };
      if (call === undefined || failure === undefined || !isUnanswered(failure.code)) return { result };
      const named = nameUnanswered(failure, request, call.entry.latencyMs);
      return { result: { ...result, failure: named, isCutShort: deadlineMs < timeoutMs } };
    }
    if (ports.clock.now() >= waitsUntilMs) return { result: { failure: busyElsewhere(TURN_RETRY_MS) } };
    await ports.clock.sleep(lookMs);
    lookMs = Math.min(TURN_LOOK_MS.most, 2 * lookMs);
    const closure = findClosure();
    if (closure !== undefined) return { result: { failure: closure } };
  }
}

/** Milliseconds to wait before the next try; undefined: do not try again here. */
function findWaitMs(failure: FreshetError, attempt: number, fraction: number): number | undefined {
  const { failureClass, retryAfterMs } = failure;
  if (failureClass !== 'transient' && failureClass !== 'throttled') return undefined;
  const waitMs = retryAfterMs ?? fullJitterMs(attempt, fraction);
  return waitMs <= MAX_WAIT_MS ? waitMs : undefined;
}

/** A call of several texts without an answer is not repeated as it is: the next one is smaller. */
function countRetries({ code }: FreshetError, bounds: RetryBounds, texts: number): number {
  const { retries, retriesInvalidReply, retriesDoubtfulAnswer } = bounds;
  if (code === BUSY_CODE || code === RESIZE_CODE || (texts > 1 && isUnanswered(code))) return 0;
  if (isInvalidReply(code)) return Math.min(retries, retriesInvalidReply);
  return mayBlameText(code) ? Math.min(retries, retriesDoubtfulAnswer) : retries;
}

/** A failure for which no provider was asked. Its code is the code of the last refusal. */
function gateClosed(code: string, retryAfterMs: number): FreshetError {
  return new FreshetError(`The provider asked for patience (${code}); its next call is not due yet.`, {
    failureClass: 'throttled',
    code,
    retryAfterMs,
  });
}

/** A failure of no text: the call is made again with fewer texts, at once. */
function tooManyTexts(): FreshetError {
  return new FreshetError('The call has more texts than the server of the model answers rightly in time.', {
    failureClass: 'transient',
    code: RESIZE_CODE,
  });
}

function outOfTime(): FreshetError {
  return new FreshetError('The invocation has no time left for another call; its rows are sent again.', {
    failureClass: 'transient',
    code: 'out_of_time',
  });
}
