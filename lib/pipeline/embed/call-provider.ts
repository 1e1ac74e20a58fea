import { BUDGET_PAUSE } from '../../core/control.ts';
import { FreshetError } from '../../core/errors.ts';
import type { ExclusionReason, Lane, Space } from '../../core/model.ts';
import type { RateLimits } from '../../core/rate.ts';
import { countTellable, rejectOtherModel, validateReply } from '../../core/reply.ts';
import type { LedgerEntry } from '../../core/result-object.ts';
import type { EmbeddingStore, GrantHolder, GrantRefusal } from '../../ports/outcome-store.ts';
import type { EmbedReply } from '../../ports/provider.ts';
import { describeFailure, isUnbilled, toFreshetError } from '../failures.ts';
import { describeCall, inSpan } from '../spans.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { estimateCallTokens } from './fit-texts.ts';
import type { LendableRows } from './lend-rows.ts';
import type { MisshapenReply } from './tellable-texts.ts';

type StepPorts =
  | 'providers'
  | 'clock'
  | 'randomness'
  | 'metrics'
  | 'logger'
  | 'observer'
  | 'tracer'
  | 'givenUp';

interface CallPorts extends Pick<EmbedPorts, StepPorts> {
  readonly embedding: Pick<EmbeddingStore, 'grantCall' | 'noteBill'>;
}

export interface CallRequest {
  readonly space: Space;
  readonly lane: Lane;
  /** Texts without the model's prefix. */
  readonly texts: readonly string[];
  /** Rows that wait for these texts. */
  readonly rows: number;
  /** Undefined: the call is for no row. */
  readonly holder?: GrantHolder | undefined;
  /** Rows that are lent to edits while a bulk call waits for its rate; undefined: none are. */
  readonly held?: LendableRows | undefined;
  /** Milliseconds from the start of the call. */
  readonly deadlineMs: number;
  /**
   * True: the call goes on where one before it failed.
   * What that one taught is forgotten where the message is given back, and asked for anew.
   */
  readonly goesOn?: boolean | undefined;
}

/** A call that was made, whatever became of it. */
export interface MadeCall {
  readonly entry: LedgerEntry;
  /**
   * False: the provider answered that it did nothing.
   * True: the entry must reach the ledger, whatever became of the call.
   */
  readonly maybeBilled: boolean;
}

export interface CallResult {
  /** Undefined: no call was made. */
  readonly call?: MadeCall;
  /**
   * Vectors by position of the text; null where a vector was unusable.
   * Undefined: the call failed.
   */
  readonly vectors?: readonly (Buffer | null)[];
  /** By position, why the model has no vector for a text; `vectors` has null there. */
  readonly excluded?: ReadonlyMap<number, ExclusionReason>;
  readonly failure?: FreshetError;
  /** Undefined: the call failed in another way, or not at all. */
  readonly misshapen?: MisshapenReply | undefined;
  /** True: the call had less time than the time-out of its model. */
  readonly isCutShort?: boolean;
  /** What the provider allows a minute, where its answer says so. */
  readonly rateLimits?: RateLimits | undefined;
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

/** Whether a failure says nothing of the provider: a pause or a cap refused the call. */
export function isRefusedGrant(code: string): boolean {
  return code === PAUSED_CODE || code === BUDGET_PAUSE;
}

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
  const estimatedTokens = estimateCallTokens(request);
  const costOf = (tokens: number) => (tokens * model.usdPerMillionTokens) / 1e6;
  const estimatedCostUsd = costOf(estimatedTokens);
  const refusal = await ports.embedding.grantCall(space, {
    callId,
    spaceId: space.spaceId,
    modelAlias: model.alias,
    estimatedTokens,
    estimatedCostUsd,
    holder: request.holder,
  });
  if (refusal) {
    ports.metrics.count('RefusedGrants', 1);
    return { failure: pausedMeanwhile(refusal) };
  }

  const made = await inSpan(ports, describeCall(model, texts.length), async span => {
    const result = await makeCall(ports, request, { callId, estimatedTokens, costOf });
    const { tokens, requestId } = result.call.entry;
    span.note({ 'gen_ai.usage.input_tokens': tokens, 'gen_ai.response.id': requestId ?? undefined });
    if (result.failure !== undefined) span.fail(result.failure.code);
    return result;
  });
  const { costUsd } = made.call.entry;
  if (costUsd !== estimatedCostUsd) await noteBill(ports, callId, costUsd);
  return made;
}

/**
 * Tells the caps what a call was billed.
 * What was bought is not given up for it: until the result is written, the estimate then counts.
 */
async function noteBill({ embedding, logger }: CallPorts, callId: string, costUsd: number): Promise<void> {
  try {
    await embedding.noteBill?.(callId, costUsd);
  } catch (error) {
    logger.warn('bill-not-noted', { code: describeFailure(error).code });
  }
}

interface GrantedCall {
  readonly callId: string;
  readonly estimatedTokens: number;
  readonly costOf: (tokens: number) => number;
}

async function makeCall(
  ports: CallPorts,
  request: CallRequest,
  { callId, estimatedTokens, costOf }: GrantedCall,
): Promise<CallResult & { readonly call: MadeCall }> {
  const { space, texts } = request;
  const { model } = space;
  const startedMs = ports.clock.now();
  let billedTokens: number | undefined;
  let requestId: string | undefined;
  let reply: EmbedReply | undefined;
  const endCall = (outcome: string, tokens: number, maybeBilled: boolean): MadeCall => {
    const entry: LedgerEntry = {
      callId,
      modelAlias: model.alias,
      lane: request.lane,
      items: request.rows,
      uniqueTexts: texts.length,
      tokens,
      costUsd: costOf(tokens),
      latencyMs: Math.max(0, ports.clock.now() - startedMs),
      outcome,
      requestId: requestId ?? null,
    };
    emitCall(ports, entry);
    return { entry, maybeBilled };
  };

  try {
    reply = await ports.providers(model.alias).embed({
      texts: texts.map(text => model.documentPrefix + text),
      deadlineMs: request.deadlineMs,
      signal: ports.givenUp?.(),
    });
    requestId = reply.requestId;
    billedTokens = reply.tokens ?? estimatedTokens;
    if (rejectOtherModel(reply, model.modelId) === 'unfamiliar')
      ports.metrics.count('UnfamiliarModelNames', 1);
    const expected = { count: texts.length, dimensions: model.dimensions, normalized: model.normalized };
    const { vectors, excluded } = validateReply(reply, expected);
    const { rateLimits } = reply;
    return {
      ...{ call: endCall('ok', billedTokens, true), vectors, excluded },
      ...(rateLimits && { rateLimits }),
    };
  } catch (error) {
    const failure = toFreshetError(error);
    requestId ??= failure.requestId;
    const maybeBilled = billedTokens !== undefined || !isUnbilled(failure);
    const tokens = maybeBilled ? (billedTokens ?? estimatedTokens) : 0;
    const call = endCall(`${failure.failureClass}:${failure.code}`, tokens, maybeBilled);
    const misshapen = describeShape(reply, texts.length, failure.code);
    const rateLimits = failure.rateLimits ?? reply?.rateLimits;
    return { call, failure, misshapen, ...(rateLimits && { rateLimits }) };
  }
}

/** A failure that waits like a throttled call: without an attempt and without a dead letter. */
function pausedMeanwhile({ scope, reason }: GrantRefusal): FreshetError {
  return new FreshetError(`${scope} was paused (${reason}) while a batch was being embedded.`, {
    failureClass: 'throttled',
    code: reason === BUDGET_PAUSE ? BUDGET_PAUSE : PAUSED_CODE,
    retryAfterMs: PAUSED_RETRY_MS,
  });
}

/** Describes a reply with another number of vectors than texts, or with wrong indexes. */
function describeShape(
  reply: EmbedReply | undefined,
  count: number,
  code: string,
): MisshapenReply | undefined {
  const isMisshapen = code === 'invalid_reply_count' || code === 'invalid_reply_index';
  if (reply === undefined || !isMisshapen) return undefined;
  return { answered: reply.items.length, tellable: countTellable(reply, count) };
}

function emitCall({ metrics, observer }: CallPorts, entry: LedgerEntry): void {
  metrics.count('ProviderCalls', 1);
  metrics.count('TextsSent', entry.uniqueTexts);
  metrics.count('Tokens', entry.tokens);
  metrics.count('CostUsd', entry.costUsd);
  metrics.duration('ProviderLatency', entry.latencyMs);
  if (entry.outcome !== 'ok') metrics.count('ProviderFailures', 1);
  if (entry.outcome.startsWith('throttled:')) metrics.count('ProviderThrottles', 1);
  observer?.called(entry);
}
