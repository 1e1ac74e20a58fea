import type { FreshetError } from '../../core/errors.ts';
import type { Lane } from '../../core/model.ts';
import { configuredLimits, isLimited, lowerLimits, type RateLimits, UNLIMITED } from '../../core/rate.ts';
import type { RateNews } from '../../ports/pace-store.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import { describeFailure } from '../failures.ts';
import type { CallRequest, CallResult } from './call-provider.ts';
import { type EmbedPorts, SETTLE_RESERVE_MS } from './embed-ports.ts';
import { estimateCallTokens } from './fit-texts.ts';
import { busyElsewhere } from './keep-pace.ts';
import { lendRows } from './lend-rows.ts';

type RatePorts = Pick<EmbedPorts, 'embedding' | 'pace' | 'providers' | 'clock' | 'logger' | 'runId'>;
type RatedRequest = Pick<CallRequest, 'space' | 'lane' | 'texts' | 'goesOn' | 'held'>;

/** What a process knows of the limits that a provider named. */
interface KnownLimits {
  limits: RateLimits;
  readAtMs: number;
}

/** Milliseconds after which a process looks again what other workers learned. */
const TRUSTED_MS = 10_000;

const learnedLimits = new WeakMap<EmbeddingProvider, KnownLimits>();

/** Finds the limits of a model: those of the configuration, and those that answers named. */
async function findLimits(ports: RatePorts, { space }: RatedRequest): Promise<RateLimits> {
  const { alias } = space.model;
  const provider = ports.providers(alias);
  const known = learnedLimits.get(provider);
  const ageMs = known === undefined ? Number.POSITIVE_INFINITY : ports.clock.now() - known.readAtMs;
  if (known === undefined || ageMs < 0 || ageMs >= TRUSTED_MS) {
    const limits = (await ports.pace.readRateLimits(alias)) ?? UNLIMITED;
    learnedLimits.set(provider, { limits, readAtMs: ports.clock.now() });
  }
  return lowerLimits(configuredLimits(space.model), learnedLimits.get(provider)?.limits ?? UNLIMITED);
}

/** Milliseconds between two asks, at the most: somebody may have given back what he took. */
const ASK_AGAIN_MS = 250;
/** Milliseconds that a Lambda waits for its share; a run on a machine waits while it has time. */
const LAMBDA_WAIT_MS = 500;
/**
 * Milliseconds that a Lambda waits for a call that goes on where one failed.
 * Given back, its message would come again for the call that failed, and never get to the next one
 * where the rate is slow. It lasts for a limit of one call a minute, and for a text that takes as
 * much of the rate; of several texts the next message sends fewer (`keepFailure`).
 */
const LAMBDA_GOING_ON_MS = 65_000;
/**
 * Milliseconds that bulk work of a run on a machine waits, those in line before it included.
 * Whoever asks is granted by chance, and a process that is slow may lose each time.
 */
const BULK_WAIT_MS = 30_000;

/**
 * Takes a call's share of the model's rate, and waits for it where it must.
 * Without a failure the call may be made. A failure waits like a throttled call, without an
 * attempt. Nothing is asked of the database where no limit is known.
 * @throws FreshetError where the database fails.
 */
export async function waitForRate(
  ports: RatePorts,
  request: RatedRequest,
  remainingMs: () => number,
  findClosure: () => FreshetError | undefined,
): Promise<FreshetError | 'granted' | 'unlimited'> {
  if (!isLimited(await findLimits(ports, request))) return 'unlimited';
  // A Lambda waits too short a time for a line of its own.
  if (ports.runId === null) return askForRate(ports, request, remainingMs, findClosure);
  const beganMs = ports.clock.now();
  const patienceMs = () => {
    const leftMs = remainingMs();
    const isPatient = request.lane === 'fresh' || request.goesOn === true;
    return isPatient
      ? leftMs
      : Math.min(leftMs, SETTLE_RESERVE_MS + BULK_WAIT_MS - (ports.clock.now() - beganMs));
  };
  const askInLine = () => askForRate(ports, request, patienceMs, findClosure);
  const waiting = inLine(ports.providers(request.space.model.alias), request.lane, askInLine);
  if (request.lane === 'fresh' || request.held === undefined) return waiting;
  const isGranted = (share: Awaited<typeof waiting>) => share === 'granted';
  const wait = { waiting, isGranted, remainingMs };
  const share = await lendRows(ports, request.space, request.held, wait);
  if (share !== 'taken') return share;
  await giveBackShare(ports, request);
  return busyElsewhere(0);
}

/** The last call of a process in line for its model's rate, by lane. */
const lines = new WeakMap<EmbeddingProvider, Map<Lane, Promise<unknown>>>();

/**
 * Lets the calls of a process and lane ask one after the other.
 * Each would be told to come back at the same moment, and all but one in vain: 32 calls of 8
 * processes ask the database more than a hundred times a second.
 */
function inLine<Answer>(
  provider: EmbeddingProvider,
  lane: Lane,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const line = lines.get(provider) ?? new Map<Lane, Promise<unknown>>();
  lines.set(provider, line);
  const answer = (line.get(lane) ?? Promise.resolve()).then(ask);
  line.set(
    lane,
    answer.catch(() => undefined),
  );
  return answer;
}

async function askForRate(
  ports: RatePorts,
  request: RatedRequest,
  remainingMs: () => number,
  findClosure: () => FreshetError | undefined,
): Promise<FreshetError | 'granted'> {
  const { model } = request.space;
  const ask = {
    lane: request.lane,
    tokens: estimateCallTokens(request),
    limits: configuredLimits(model),
    largestTokens: ports.providers(model.alias).limits.maxTokensPerCall,
  };
  const beganMs = ports.clock.now();
  const patienceMs = request.goesOn
    ? Math.min(LAMBDA_GOING_ON_MS, remainingMs() - 2 * SETTLE_RESERVE_MS)
    : LAMBDA_WAIT_MS;
  for (;;) {
    const hidesAboveMs =
      ports.runId === null ? Math.max(0, patienceMs - (ports.clock.now() - beganMs)) : null;
    const waitMs = await ports.pace.takeRate(model.alias, { ...ask, hidesAboveMs });
    if (waitMs === 0) return 'granted';
    if (waitMs > (hidesAboveMs ?? remainingMs() - SETTLE_RESERVE_MS)) return busyElsewhere(waitMs);
    await ports.clock.sleep(Math.min(waitMs, ASK_AGAIN_MS));
    const closure = findClosure();
    if (closure !== undefined) return closure;
  }
}

/** Gives back the tokens of a call that is not made. Never rejects. */
async function giveBackShare(ports: RatePorts, request: RatedRequest): Promise<void> {
  const { model } = request.space;
  const news = { limits: configuredLimits(model), excessTokens: -estimateCallTokens(request) };
  await storeNews(ports, model.alias, { ...news, isAnswered: false });
}

/**
 * Tells the other workers what a call showed of the rate, right after its answer.
 * A call that was made while nobody knew of a limit took nothing, so that it owes all of its
 * tokens, and its refusal says nothing of the rate. Never rejects: what was bought must not be
 * lost because of what could not be stored.
 */
export async function noteCallRate(
  ports: RatePorts,
  request: RatedRequest,
  { call, failure, rateLimits: learned }: CallResult,
  isGranted: boolean,
): Promise<void> {
  if (call === undefined) return;
  const { model } = request.space;
  const limits = configuredLimits(model);
  const known = learnedLimits.get(ports.providers(model.alias));
  if (known !== undefined && learned !== undefined) known.limits = learned;
  const isKnown = isLimited(lowerLimits(limits, known?.limits ?? UNLIMITED));
  if (!isKnown) return;
  const isThrottled = failure?.code === 'rate_limit';
  const throttled = isThrottled ? { retryAfterMs: failure.retryAfterMs, lowersRate: isGranted } : undefined;
  const taken = isGranted ? estimateCallTokens(request) : 0;
  const excessTokens = isThrottled || failure === undefined ? call.entry.tokens - taken : 0;
  const isAnswered = failure === undefined;
  await storeNews(ports, model.alias, { limits, learned, excessTokens, throttled, isAnswered });
}

async function storeNews({ pace, logger }: RatePorts, modelAlias: string, news: RateNews): Promise<void> {
  try {
    await pace.noteRate(modelAlias, news);
  } catch (error) {
    logger.warn('rate-not-stored', { modelAlias, code: describeFailure(error).code });
  }
}
