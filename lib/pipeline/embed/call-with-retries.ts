import { FreshetError } from '../../core/errors.ts';
import { fullJitterMs } from '../../core/retry.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import {
  type CallRequest,
  type CallResult,
  callProvider,
  type MadeCall,
  PAUSED_CODE,
} from './call-provider.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';

/** How often a call may be repeated at most. */
export interface RetryBounds {
  readonly retries: number;
  /** How many of the repetitions may follow a reply of the wrong shape. */
  readonly retriesInvalidReply: number;
}

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

const USUAL_BOUNDS: RetryBounds = {
  retries: Number.POSITIVE_INFINITY,
  retriesInvalidReply: MAX_RETRIES_INVALID_REPLY,
};

interface RetriedCall {
  readonly calls: readonly MadeCall[];
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
  const access = gate.enter(ports.clock.now());
  if (typeof access === 'number') return { calls: [], result: { failure: gateClosed(gate.code(), access) } };
  let failure: FreshetError | undefined;
  let ended = false;
  const retries = Math.min(request.space.model.maxRetries ?? MAX_RETRIES, bounds.retries);
  try {
    const own = { ...bounds, retries: access === 'probe' ? 0 : retries };
    const retried = await repeatCall(ports, request, remainingMs, own);
    ({ failure } = retried.result);
    ended = retried.calls.length > 0;
    return retried;
  } finally {
    const throttled = failure?.failureClass === 'throttled' && failure.code !== PAUSED_CODE;
    if (failure && throttled) gate.close(ports.clock.now(), failure.code, failure.retryAfterMs);
    if (access === 'probe') gate.endProbe(ended && !throttled);
  }
}

/**
 * Whether a failure is a reply of the wrong shape, or a backend that broke under a batch.
 * Whether a GPU runs out of memory depends on the size of the batch.
 */
export function isInvalidReply(code: string): boolean {
  return code === 'invalid_reply_count' || code === 'invalid_reply_index' || code === 'tei_backend';
}

async function repeatCall(
  ports: EmbedPorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  remainingMs: () => number,
  bounds: RetryBounds,
): Promise<RetriedCall> {
  const { timeoutSeconds } = request.space.model;
  const timeoutMs = timeoutSeconds === undefined ? ports.limits.callTimeoutMs : timeoutSeconds * 1000;
  const calls: MadeCall[] = [];
  let failure: FreshetError | undefined;
  for (let attempt = 0; ; attempt += 1) {
    const deadlineMs = Math.min(timeoutMs, remainingMs() - SETTLE_RESERVE_MS);
    if (deadlineMs < MIN_CALL_MS) return { calls, result: { failure: failure ?? outOfTime() } };
    const result = await callProvider(ports, { ...request, deadlineMs });
    if (result.call) calls.push(result.call);
    failure = result.failure;
    if (failure === undefined) return { calls, result };
    const waitMs =
      attempt < countRetries(failure, bounds)
        ? findWaitMs(failure, attempt, ports.randomness.fraction())
        : undefined;
    if (waitMs === undefined || waitMs + SETTLE_RESERVE_MS + MIN_CALL_MS > remainingMs()) {
      return { calls, result };
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

/**
 * Milliseconds of the first closure where the provider gives no hint.
 * The time is long enough for a limit per minute to move on.
 */
const FIRST_CLOSURE_MS = 30_000;
/**
 * Milliseconds between two probes once refusals have lasted as long.
 * Refusals that last a minute are no limit of the moment: an endpoint that wakes, or a limit that
 * lasts, is asked once a minute.
 */
const PROBE_INTERVAL_MS = 60_000;
/**
 * Milliseconds after which a caller that meets a probe under way comes back.
 * Most calls are answered by then.
 */
const PROBE_ANSWER_MS = 5_000;

/**
 * What the workers of one process know together of a provider that asked for patience.
 * While the patience lasts, one worker asks and the others wait. Without a gate every message in
 * hand would ask by itself.
 */
interface ThrottleGate {
  /**
   * Asks for the right to call.
   * `open`: the caller may call. `probe`: the caller alone may call, once, and must `endProbe`. A
   * number: milliseconds until coming again is worthwhile.
   */
  enter(nowMs: number): 'open' | 'probe' | number;
  /** Closes the gate after a call that ended `throttled` for good, with this code. */
  close(nowMs: number, code: string, hintMs: number | undefined): void;
  /** The code of the call that closed the gate last. */
  code(): string;
  /** Ends the probe. `answered`: the provider did not ask for patience again. */
  endProbe(answered: boolean): void;
}

const gates = new WeakMap<EmbeddingProvider, ThrottleGate>();

/** Finds the gate of a provider. Gate and provider live as long as the process. */
function gateOf(provider: EmbeddingProvider): ThrottleGate {
  const found = gates.get(provider) ?? createThrottleGate();
  gates.set(provider, found);
  return found;
}

function createThrottleGate(): ThrottleGate {
  let closedUntilMs: number | undefined;
  let refusedSinceMs: number | undefined;
  let probing = false;
  let lastCode = 'throttled';
  const lasts = (nowMs: number) => nowMs - (refusedSinceMs ?? nowMs) >= PROBE_INTERVAL_MS;
  return {
    code: () => lastCode,
    enter(nowMs) {
      if (closedUntilMs === undefined) return 'open';
      if (nowMs < closedUntilMs) return closedUntilMs - nowMs;
      if (probing) return lasts(nowMs) ? PROBE_INTERVAL_MS : PROBE_ANSWER_MS;
      probing = true;
      return 'probe';
    },
    close(nowMs, code, hintMs) {
      lastCode = code;
      refusedSinceMs ??= nowMs;
      const waitMs = lasts(nowMs) ? Math.max(hintMs ?? 0, PROBE_INTERVAL_MS) : (hintMs ?? FIRST_CLOSURE_MS);
      closedUntilMs = Math.max(closedUntilMs ?? 0, nowMs + waitMs);
    },
    endProbe(answered) {
      probing = false;
      if (!answered) return;
      closedUntilMs = undefined;
      refusedSinceMs = undefined;
    },
  };
}
