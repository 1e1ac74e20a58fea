import { FreshetError } from '../../core/errors.ts';
import {
  describeUnanswered,
  expectSeconds,
  FIRST_PACE,
  isUnanswered,
  learnPace,
  limitsAlike,
  type Pace,
  type PaceBounds,
  shrinkCalls,
} from '../../core/pace.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import { describeFailure } from '../failures.ts';
import type { CallRequest, CallResult } from './call-provider.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { estimateCallTokens } from './fit-texts.ts';
import { keepTellable, learnTellable, limitTexts, noteTold } from './tellable-texts.ts';

type PacePorts = Pick<
  EmbedPorts,
  'pace' | 'providers' | 'clock' | 'randomness' | 'logger' | 'limits' | 'runId' | 'observer'
>;

/** What one process knows of the pace of a model. */
interface KnownPace {
  pace: Pace;
  readAtMs: number;
  /** Calls of this process. */
  underWay: number;
}

/**
 * Milliseconds after which a process looks again what other workers learned.
 * Of a model that is limited it also hears with every turn.
 */
const TRUSTED_MS = 10_000;

/** Provider and known pace live as long as the process. */
const paces = new WeakMap<EmbeddingProvider, KnownPace>();

/**
 * Finds the pace that the calls of a model must keep now.
 * @throws FreshetError where the database fails.
 */
export async function findPace(
  ports: Pick<PacePorts, 'pace' | 'providers' | 'clock'>,
  modelAlias: string,
): Promise<Pace> {
  const { pace } = await findKnown(ports, modelAlias);
  return keepTellable(ports.providers(modelAlias), pace, ports.clock.now());
}

async function findKnown(
  { pace: store, providers, clock }: Pick<PacePorts, 'pace' | 'providers' | 'clock'>,
  modelAlias: string,
): Promise<KnownPace> {
  const provider = providers(modelAlias);
  const known = paces.get(provider);
  const ageMs = known === undefined ? Number.POSITIVE_INFINITY : clock.now() - known.readAtMs;
  if (known !== undefined && ageMs >= 0 && ageMs < TRUSTED_MS) return known;
  const stored = (await store.readPace(modelAlias)) ?? FIRST_PACE;
  const read = paces.get(provider) ?? { pace: stored, readAtMs: 0, underWay: 0 };
  adopt(read, stored);
  read.readAtMs = clock.now();
  paces.set(provider, read);
  return read;
}

/** Takes over what the row says; where that is nothing new, what this process measured stays. */
function adopt(known: KnownPace, stored: Pace): void {
  if (!limitsAlike(known.pace, stored)) known.pace = stored;
}

/** The calls of a model that may be under way now, as this process knows it. */
export function knownCallsAtOnce(provider: EmbeddingProvider): number {
  return paces.get(provider)?.pace.callsAtOnce ?? Number.POSITIVE_INFINITY;
}

/** The right to make one call now. */
interface PacedTurn {
  /** Undefined: the model is not limited, and no row counts its calls. */
  readonly turnId: string | undefined;
  readonly callsAtOnce: number;
}

/** The code of a call that is made again with fewer texts, because the pace became slower. */
export const RESIZE_CODE = 'texts_per_call';

/**
 * Takes a turn for a call that ends within `deadlineMs`; undefined: all turns are taken.
 * The pace may have become slower while the call waited: a call of too many texts gets no turn.
 * @throws FreshetError where the database fails.
 */
export async function takeTurn(
  ports: PacePorts,
  { space, texts }: Pick<CallRequest, 'space' | 'texts'>,
  deadlineMs: number,
): Promise<PacedTurn | 'too-many-texts' | undefined> {
  const { alias } = space.model;
  const known = await findKnown(ports, alias);
  const isTooLarge = () => {
    const { textsPerCall } = keepTellable(ports.providers(alias), known.pace, ports.clock.now());
    return texts.length > (textsPerCall ?? Number.POSITIVE_INFINITY);
  };
  if (isTooLarge()) return 'too-many-texts';
  if (known.pace.callsAtOnce === null) {
    known.underWay += 1;
    return { turnId: undefined, callsAtOnce: known.underWay };
  }
  const call = { callId: ports.randomness.identifier(), runId: ports.runId };
  const turn = await ports.pace.takeTurn(alias, call, deadlineMs / 1000);
  if (turn === undefined) return undefined;
  const { turnId } = turn;
  adopt(known, turn.pace);
  if (isTooLarge()) {
    await ports.pace.storePace(alias, turnId, turn.pace, turn.pace);
    return 'too-many-texts';
  }
  known.underWay += 1;
  return { turnId, callsAtOnce: turn.callsAtOnce };
}

/**
 * Ends a turn, and learns from its call; undefined: no call was made.
 * Never rejects: what was bought must not be lost because of what could not be learned. A turn
 * that the row still counts then frees itself.
 * @returns whether the reply was of no use because the call had too many texts
 */
export async function endTurn(
  ports: PacePorts,
  request: Omit<CallRequest, 'deadlineMs'>,
  turn: PacedTurn,
  result: CallResult | undefined,
  wasCutShort: boolean,
): Promise<boolean> {
  const { alias } = request.space.model;
  const provider = ports.providers(alias);
  const known = paces.get(provider);
  if (known === undefined) return false;
  known.underWay -= 1;
  const before = known.pace;
  const failureCode = result?.failure?.code;
  const { call, misshapen } = result ?? {};
  const nowMs = ports.clock.now();
  // A call that had less than its time-out says nothing where it got no answer.
  const teaches = failureCode === undefined || (isUnanswered(failureCode) && !wasCutShort);
  if (call !== undefined && teaches) {
    const seen = {
      isAnswered: failureCode === undefined,
      texts: request.texts.length,
      tokens: estimateCallTokens(request),
      seconds: call.entry.latencyMs / 1000,
      callsAtOnce: turn.callsAtOnce,
    };
    known.pace = learnPace(before, seen, boundsOf(ports, request));
  }
  if (call !== undefined && failureCode === undefined)
    noteTold(provider, before.textsPerCall ?? request.texts.length);
  const tellable = misshapen && learnTellable(provider, request.texts, misshapen, nowMs);
  if (tellable !== undefined) ports.observer?.callsLimited(alias, tellable);
  known.pace = keepTellable(provider, known.pace, nowMs);
  if (turn.turnId !== undefined || !limitsAlike(before, known.pace))
    await storeLearned(ports, alias, turn.turnId ?? '', before, known.pace);
  return misshapen?.tellable !== undefined;
}

/**
 * Makes the next call smaller after a provider asked for patience, got it, and asks again.
 * A limit of the moment is over by then. A call that alone is more than the limit allows would be
 * refused for ever. Never rejects.
 */
export async function noteLastingRefusal(
  ports: PacePorts,
  { space, texts }: Pick<CallRequest, 'space' | 'texts'>,
): Promise<void> {
  await makeCallsSmaller(ports, space.model.alias, texts.length);
}

/** Makes the calls after one of so many texts carry half of them at the most. Never rejects. */
export async function makeCallsSmaller(ports: PacePorts, alias: string, texts: number): Promise<void> {
  const known = paces.get(ports.providers(alias));
  if (known === undefined || texts === 1) return;
  const before = known.pace;
  known.pace = shrinkCalls(before, texts);
  if (!limitsAlike(before, known.pace)) await storeLearned(ports, alias, '', before, known.pace);
}

/** Makes the calls of the next minutes smaller, whose size a provider refuses. Never rejects. */
export async function noteRefusedSize(
  ports: PacePorts,
  request: Pick<CallRequest, 'space' | 'texts'>,
): Promise<void> {
  const provider = ports.providers(request.space.model.alias);
  limitTexts(provider, Math.max(1, Math.floor(request.texts.length / 2)), ports.clock.now());
  await noteLastingRefusal(ports, request);
}

async function storeLearned(
  ports: PacePorts,
  modelAlias: string,
  turnId: string,
  before: Pace,
  pace: Pace,
): Promise<void> {
  const { textsPerCall, callsAtOnce } = pace;
  const isLimited = textsPerCall !== null || callsAtOnce !== null;
  if (isLimited && !limitsAlike(before, pace))
    ports.logger.info('pace-learned', { modelAlias, textsPerCall, callsAtOnce });
  try {
    await ports.pace.storePace(modelAlias, turnId, before, pace);
  } catch (error) {
    ports.logger.warn('pace-not-stored', { modelAlias, code: describeFailure(error).code });
  }
}

/** Milliseconds that a call is given at the most, by the configuration. */
export function timeoutOf(ports: Pick<PacePorts, 'limits'>, { space }: Pick<CallRequest, 'space'>): number {
  const { timeoutSeconds } = space.model;
  return timeoutSeconds === undefined ? ports.limits.callTimeoutMs : timeoutSeconds * 1000;
}

function boundsOf(ports: PacePorts, request: Omit<CallRequest, 'deadlineMs'>): PaceBounds {
  const { batchSize, callsAtOnce } = ports.limits;
  const { maxTextsPerCall } = ports.providers(request.space.model.alias).limits;
  return {
    timeoutSeconds: timeoutOf(ports, request) / 1000,
    mostTexts: Math.min(batchSize, maxTextsPerCall),
    mostCalls: callsAtOnce,
  };
}

/**
 * Milliseconds that a call is expected to take, with as much again; 0 where nobody knows.
 * A call that has less time left would be computed for nobody.
 */
export async function expectCallMs(
  ports: PacePorts,
  request: Omit<CallRequest, 'deadlineMs'>,
): Promise<number> {
  const pace = await findPace(ports, request.space.model.alias);
  if (pace.callsAtOnce === null) return 0;
  const { mostTexts } = boundsOf(ports, request);
  const seconds = expectSeconds(
    pace,
    { texts: request.texts.length, tokens: estimateCallTokens(request) },
    mostTexts,
  );
  // Of a limited model about which nothing was measured yet, the time-out is expected.
  const timeoutMs = timeoutOf(ports, request);
  if (seconds === undefined) return pace.textsPerCall === null ? 0 : timeoutMs;
  return Math.min(timeoutMs, 2 * seconds * 1000);
}

/** The code of a failure for which no provider was asked, because all turns were taken. */
export const BUSY_CODE = 'calls_at_once';

/** A failure that waits like a throttled call: without an attempt and without a dead letter. */
export function busyElsewhere(afterMs: number): FreshetError {
  return new FreshetError('As many calls are under way as the server of the model answers in time.', {
    failureClass: 'throttled',
    code: BUSY_CODE,
    retryAfterMs: afterMs,
  });
}

/** Puts what was seen of a call without an answer, and which limits to set, into its failure. */
export function nameUnanswered(
  failure: FreshetError,
  { space, texts }: Pick<CallRequest, 'space' | 'texts'>,
  latencyMs: number,
): FreshetError {
  const { failureClass, code, retryAfterMs, requestId } = failure;
  const seen = { texts: texts.length, seconds: latencyMs / 1000 };
  const sentence = describeUnanswered(space.model.alias, seen, code);
  return new FreshetError(sentence, { failureClass, code, retryAfterMs, requestId });
}
