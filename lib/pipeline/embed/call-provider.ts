import { FreshetError } from '../../core/errors.ts';
import type { Lane, Space } from '../../core/model.ts';
import { estimateTokens } from '../../core/packing.ts';
import { rejectOtherModel, validateReply } from '../../core/reply.ts';
import type { LedgerEntry } from '../../core/result-object.ts';
import { fullJitterMs } from '../../core/retry.ts';
import type { EmbeddingStore, GrantRefusal } from '../../ports/outcome-store.ts';
import { toFreshetError } from '../failures.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import { gateOf } from './throttle-gate.ts';

interface CallPorts extends Pick<EmbedPorts, 'providers' | 'clock' | 'randomness' | 'metrics' | 'observer'> {
  readonly embedding: Pick<EmbeddingStore, 'grantCall'>;
}

interface CallRequest {
  readonly space: Space;
  readonly lane: Lane;
  /** Texts without the model's prefix. */
  readonly texts: readonly string[];
  /** Rows that wait for these texts. */
  readonly items: number;
  /** Milliseconds from the start of the call. */
  readonly deadlineMs: number;
}

export interface CallRecord {
  readonly entry: LedgerEntry;
  /**
   * False: the provider answered that it did nothing.
   * True: the entry must reach the ledger, whatever became of the call.
   */
  readonly maybeBilled: boolean;
}

export interface CallResult {
  /** Undefined: no call was made. */
  readonly record?: CallRecord;
  /**
   * Vectors by position of the text; null where a vector was unusable.
   * Undefined: the call failed.
   */
  readonly vectors?: readonly (Buffer | null)[];
  readonly failure?: FreshetError;
}

/**
 * Estimates the tokens of one text as it is sent, prefix included.
 * A server that cuts texts itself bills no more than its limit, so that the limit bounds the
 * estimate.
 */
export function estimateSentTokens(space: Space, text: string): number {
  const { documentPrefix, maxTokensPerText } = space.model;
  return Math.min(estimateTokens(documentPrefix + text), maxTokensPerText ?? Number.POSITIVE_INFINITY);
}

/**
 * Milliseconds until a message whose call a pause refused looks at the pauses again.
 * Such a pause is younger than the look at the pause reasons with which the message began.
 */
const PAUSED_RETRY_MS = 60_000;

/**
 * The code of a failure for which no provider was asked.
 * The pipeline, the model or the source was paused.
 */
const PAUSED_CODE = 'paused';

/**
 * Makes one provider call, and enters it in the ledger whatever becomes of it.
 * The call is granted first. A pause refuses the grant, so that no call begins after a pause,
 * however many calls a message still needs. The reply is validated afterwards. A call of which
 * nobody can say whether it was billed, as after a timeout or a broken reply, counts with its
 * estimate. Failures of the provider are in the result.
 * @throws FreshetError where the database fails.
 */
export async function callProvider(ports: CallPorts, request: CallRequest): Promise<CallResult> {
  const { space, texts } = request;
  const { model } = space;
  const callId = ports.randomness.identifier();
  const estimatedTokens = texts.reduce((sum, text) => sum + estimateSentTokens(space, text), 0);
  const costOf = (tokens: number) => (tokens * model.usdPerMillionTokens) / 1e6;
  const refusal = await ports.embedding.grantCall(space, {
    callId,
    spaceId: space.spaceId,
    modelAlias: model.alias,
    estimatedTokens,
    estimatedCostUsd: costOf(estimatedTokens),
  });
  if (refusal) {
    ports.metrics.count('RefusedGrants', 1);
    return { failure: pausedMeanwhile(refusal) };
  }

  const startedMs = ports.clock.now();
  let billedTokens: number | undefined;
  let requestId: string | undefined;
  const recordCall = (outcome: string, tokens: number, maybeBilled: boolean): CallRecord => {
    const entry: LedgerEntry = {
      callId,
      modelAlias: model.alias,
      lane: request.lane,
      items: request.items,
      uniqueTexts: texts.length,
      tokens,
      costUsd: costOf(tokens),
      latencyMs: Math.max(0, ports.clock.now() - startedMs),
      outcome,
      requestId: requestId ?? null,
    };
    measureCall(ports, entry);
    return { entry, maybeBilled };
  };

  try {
    const reply = await ports.providers(model.alias).embed({
      texts: texts.map(text => model.documentPrefix + text),
      deadlineMs: request.deadlineMs,
    });
    requestId = reply.requestId;
    billedTokens = reply.tokens ?? estimatedTokens;
    if (rejectOtherModel(reply, model.modelId) === 'unfamiliar')
      ports.metrics.count('UnfamiliarModelNames', 1);
    const expected = { count: texts.length, dimensions: model.dimensions, normalized: model.normalized };
    const { vectors } = validateReply(reply, expected);
    return { record: recordCall('ok', billedTokens, true), vectors };
  } catch (error) {
    const failure = toFreshetError(error);
    requestId ??= failure.requestId;
    const maybeBilled = billedTokens !== undefined || !isRefusal(failure);
    const tokens = maybeBilled ? (billedTokens ?? estimatedTokens) : 0;
    return { record: recordCall(`${failure.failureClass}:${failure.code}`, tokens, maybeBilled), failure };
  }
}

/** A failure that waits like a throttled call: without an attempt and without a dead letter. */
function pausedMeanwhile({ scope, reason }: GrantRefusal): FreshetError {
  return new FreshetError(`${scope} was paused (${reason}) while a batch was being embedded.`, {
    failureClass: 'throttled',
    code: PAUSED_CODE,
    retryAfterMs: PAUSED_RETRY_MS,
  });
}

/** Whether nothing was billed for certain: the answer says no, or no connection came about. */
function isRefusal({ failureClass, code }: FreshetError): boolean {
  if (failureClass !== 'transient' && failureClass !== 'unknown') return true;
  return code.startsWith('http_') || code === 'network_econnrefused' || code === 'network_enotfound';
}

function measureCall({ metrics, observer }: CallPorts, entry: LedgerEntry): void {
  metrics.count('ProviderCalls', 1);
  metrics.count('TextsSent', entry.uniqueTexts);
  metrics.count('Tokens', entry.tokens);
  metrics.count('CostUsd', entry.costUsd);
  metrics.duration('ProviderLatency', entry.latencyMs);
  if (entry.outcome !== 'ok') metrics.count('ProviderFailures', 1);
  if (entry.outcome.startsWith('throttled:')) metrics.count('ProviderThrottles', 1);
  observer?.called(entry);
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
