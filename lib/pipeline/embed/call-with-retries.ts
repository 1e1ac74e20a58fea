import { FreshetError } from '../../core/errors/freshet-error.ts';
import { fullJitterMs } from '../../core/retry/full-jitter.ts';
import {
  type CallRecord,
  type CallRequest,
  type CallResult,
  callProvider,
  PAUSED_CODE,
} from './call-provider.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import { gateOf } from './throttle-gate.ts';

const MAX_RETRIES = 2;
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

/** How often a call may be repeated at most. */
export interface RetryBounds {
  readonly retries: number;
  /** How many of the repetitions may follow a reply of the wrong shape. */
  readonly retriesInvalidReply: number;
}

const USUAL_BOUNDS: RetryBounds = {
  retries: Number.POSITIVE_INFINITY,
  retriesInvalidReply: MAX_RETRIES_INVALID_REPLY,
};

interface RetriedCall {
  readonly records: readonly CallRecord[];
  readonly result: Pick<CallResult, 'vectors' | 'failure'>;
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
  bounds: RetryBounds = USUAL_BOUNDS,
): Promise<RetriedCall> {
  const gate = gateOf(ports.providers(request.space.model.alias));
  const entry = gate.enter(ports.clock.now());
  if (typeof entry === 'number') return { records: [], result: { failure: gateClosed(gate.code(), entry) } };
  let failure: FreshetError | undefined;
  let ended = false;
  const retries = Math.min(request.space.model.maxRetries ?? MAX_RETRIES, bounds.retries);
  try {
    const own = { ...bounds, retries: entry === 'probe' ? 0 : retries };
    const call = await callWhilePatient(ports, request, remainingMs, own);
    ({ failure } = call.result);
    ended = call.records.length > 0;
    return call;
  } finally {
    const throttled = failure?.failureClass === 'throttled' && failure.code !== PAUSED_CODE;
    if (failure && throttled) gate.refuse(ports.clock.now(), failure.code, failure.retryAfterMs);
    if (entry === 'probe') gate.leave(ended && !throttled);
  }
}

async function callWhilePatient(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  remainingMs: () => number,
  bounds: RetryBounds,
): Promise<RetriedCall> {
  const { timeoutSeconds } = request.space.model;
  const timeoutMs = timeoutSeconds === undefined ? ports.limits.callTimeoutMs : timeoutSeconds * 1000;
  const records: CallRecord[] = [];
  let failure: FreshetError | undefined;
  for (let attempt = 0; ; attempt += 1) {
    const deadlineMs = Math.min(timeoutMs, remainingMs() - SETTLE_RESERVE_MS);
    if (deadlineMs < MIN_CALL_MS) return { records, result: { failure: failure ?? outOfTime() } };
    const result = await callProvider(ports, { ...request, deadlineMs });
    if (result.record) records.push(result.record);
    failure = result.failure;
    if (failure === undefined) return { records, result };
    const waitMs =
      attempt < countRetries(failure, bounds)
        ? findWaitMs(failure, attempt, ports.randomness.fraction())
        : undefined;
    if (waitMs === undefined || waitMs + SETTLE_RESERVE_MS + MIN_CALL_MS > remainingMs()) {
      return { records, result };
    }
    ports.metrics.duration('RetryWait', waitMs);
    await ports.clock.sleep(waitMs);
  }
}

/** Milliseconds to wait before the next try; undefined: do not try again here. */
function findWaitMs(failure: FreshetError, attempt: number, fraction: number): number | undefined {
  const { failureClass, retryAfterMs } = failure;
  if (failureClass !== 'transient' && failureClass !== 'throttled') return undefined;
  const waitMs = retryAfterMs ?? fullJitterMs(attempt, fraction);
  return waitMs <= MAX_WAIT_MS ? waitMs : undefined;
}

function countRetries({ code }: FreshetError, { retries, retriesInvalidReply }: RetryBounds): number {
  return isInvalidReply(code) ? Math.min(retries, retriesInvalidReply) : retries;
}

/**
 * Whether a failure is a reply of the wrong shape, or a backend that broke under a batch.
 * Whether a GPU runs out of memory depends on the size of the batch.
 */
export function isInvalidReply(code: string): boolean {
  return code === 'invalid_reply_count' || code === 'invalid_reply_index' || code === 'tei_backend';
}

/** A failure for which no provider was asked. Its code is the code of the last refusal. */
function gateClosed(code: string, retryAfterMs: number): FreshetError {
  return new FreshetError(`The provider asked for patience (${code}); its next call is not due yet.`, {
    failureClass: 'throttled',
    code,
    retryAfterMs,
  });
}

function outOfTime(): FreshetError {
  return new FreshetError('The invocation has no time left for another call; its rows are sent again.', {
    failureClass: 'transient',
    code: 'out_of_time',
  });
}
