import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { DIMENSIONS, vectorOf } from '../doubles/scripted-provider.ts';
import { checkCalledBeside } from './check-batches.ts';
import { noteBilled } from './check-caps.ts';
import { checkPurchase } from './check-purchases.ts';
import { checkRated, noteBilledTokens } from './check-rate.ts';
import type { Invocation } from './invocation.ts';
import { CANARY, isBlocked, isFailing, isRefused, isUnknown } from './texts.ts';
import type { World } from './world.ts';

/** No more than any text is estimated to have; `billFactor` says otherwise. */
export const TOKENS_PER_TEXT = 2;
/** More than any text is estimated to have: what each second seed with a limit of tokens bills. */
const MANY_TOKENS_PER_TEXT = 9;
/** Of the models of the factory. */
export const USD_PER_TOKEN = 0.001;

const tokensPerText = ({ seed, shape }: World) =>
  typeof shape.limits?.tokensPerMinute === 'number' && seed % 16 === 4
    ? MANY_TOKENS_PER_TEXT
    : TOKENS_PER_TEXT;

/** One call at the moment when the provider decides about it. Whatever may have been billed is noted before the answer goes out. */
export function answerCall(
  world: World,
  invocation: Invocation,
  spaceId: number,
  { texts }: EmbedRequest,
): EmbedReply {
  const { random, faults, services } = world;
  services.providerCalls += 1;
  const callId = invocation.grantedCallId;
  invocation.grantedCallId = undefined;
  if (callId === undefined || !(world.twin.grants.has(callId) || world.twin.ledger.has(callId))) {
    world.violate('granted-first', `a call of ${invocation.component} #${invocation.number} has no grant`);
  }
  checkRated(world, invocation, texts);
  checkPurchase(world, invocation, spaceId, texts, false);
  for (const text of texts) checkCalledBeside(world, invocation, spaceId, text);
  if (random.chance(faults.throttled)) {
    const retryAfterMs = random.chance(0.5) ? random.below(150_000) : undefined;
    noteBilledTokens(invocation, texts, 0);
    throw failure('throttled', 'rate_limit', retryAfterMs);
  }
  if (isOut(world)) {
    noteOutage(world, invocation, texts, spaceId);
    throw failure('transient', random.pick(['http_503', 'http_500']));
  }
  if (random.chance(faults.outage)) throw failure('transient', 'network_econnrefused');
  if (random.chance(faults.keyRevoked))
    throw failure('stop', random.pick(['invalid_api_key', 'insufficient_quota']));
  if (texts.length > world.shape.tooManyTexts) throw failure('too-large', 'http_413');
  const { recordSequence } = invocation;
  if (texts.some(text => isFailing(text) || isBlocked(text) || isRefused(text)))
    invocation.failedByText.push({ texts, recordSequence });
  if (texts.some(isFailing)) throw failure('transient', 'http_500');
  if (texts.some(isBlocked)) throw failure('item', 'foreign_403');
  if (texts.some(isRefused)) throw failure('item', 'http_400');

  invocation.failedInOutage.length = 0;
  if (callId !== undefined) services.billed.add(callId);
  const tokens = countTokens(world, callId, texts);
  noteBilled(world, callId, tokens * USD_PER_TOKEN);
  checkPurchase(world, invocation, spaceId, texts, true);
  if (random.chance(faults.billedTimeout)) {
    world.hardFaults += 1;
    throw failure('transient', 'timeout');
  }
  noteBilledTokens(invocation, texts, tokens);
  const known = texts.flatMap((text, index) => (isUnknown(text) ? [] : [{ index, bytes: vectorOf(text) }]));
  const excluded = texts.flatMap((text, index) =>
    isUnknown(text) ? [{ index, reason: 'unknown-words' as const }] : [],
  );
  const items = known.length === 0 ? known : distort(world, known, texts.length);
  return { items, excluded, tokens, requestId: 'request' };
}

/** What a call is billed, in tokens. */
function countTokens(world: World, callId: string | undefined, texts: readonly string[]): number {
  const { billFactor, twin } = world;
  const estimated = twin.grants.get(callId ?? '')?.estimatedTokens;
  if (billFactor === undefined || estimated === undefined) return texts.length * tokensPerText(world);
  return billFactor * estimated;
}

/** The shortest outage is longer than a call takes. Between two of them any purchase comes to its end. */
const OUTAGE_MS = [10_000, 600_000] as const;
const BETWEEN_OUTAGES_MS = 20 * 60_000;

/** Whether everything fails for a while: an outage begins with a call, now and then. */
function isOut({ services, scheduler, faults, random }: World): boolean {
  if (faults.outage === 0) return false;
  const nowMs = scheduler.nowMs();
  if (nowMs >= services.nextOutageMs && random.chance(faults.outage / 2)) {
    services.outageUntilMs = nowMs + random.between(...OUTAGE_MS);
    services.nextOutageMs = services.outageUntilMs + BETWEEN_OUTAGES_MS;
  }
  return nowMs < services.outageUntilMs;
}

/**
 * What failed in an outage must not be asked for in parts, unless a text of it fails by itself.
 * A part that carries no more texts than a slow server's pace allows was not taken apart. A batch that was taken apart
 * for a text of its own is so to the end, by a bounded number of calls: which of its halves failed for which reason, nobody can tell.
 */
function noteOutage(world: World, invocation: Invocation, texts: readonly string[], spaceId: number): void {
  const { failedInOutage, failedByText, number, recordSequence } = invocation;
  const alias = world.spaces.find(space => space.spaceId === spaceId)?.model.alias ?? '';
  const isPaced = texts.length <= (world.twin.paces.get(alias)?.pace.textsPerCall ?? 0);
  const isPartOf = (whole: (typeof failedInOutage)[number]) =>
    whole.recordSequence === recordSequence &&
    texts.length < whole.texts.length &&
    texts.every(text => whole.texts.includes(text));
  if (!isPaced && !failedByText.some(isPartOf) && failedInOutage.some(isPartOf))
    world.violate('outage-is-whole', `#${number} asks for a part of what failed`);
  if (texts.every(text => text.startsWith(CANARY) && !isRefused(text)))
    failedInOutage.push({ texts, recordSequence });
}

type Items = { index: number; bytes: Buffer }[];

function distort(world: World, known: Items, count: number): Items {
  const { random, faults } = world;
  let items = known;
  const lie = (change: () => void) => {
    world.hardFaults += 1;
    change();
  };
  if (random.chance(faults.reordered)) items = random.shuffle(items);
  if (random.chance(faults.wrongCount)) lie(() => (random.chance(0.5) ? items.pop() : items.push(items[0]!)));
  else if (random.chance(faults.wrongIndex)) lie(() => Object.assign(items[0]!, { index: count }));
  else if (random.chance(faults.unusableVector)) {
    lie(() => Object.assign(random.pick(items), { bytes: Buffer.alloc(DIMENSIONS * 4, 0xff) }));
  } else if (random.chance(faults.wrongDimensions)) {
    lie(() => {
      items = items.map(({ index }) => ({ index, bytes: Buffer.alloc((DIMENSIONS + 1) * 4, 1) }));
    });
  }
  return items;
}

function failure(failureClass: FailureClass, code: string, retryAfterMs?: number): FreshetError {
  return new FreshetError(`simulated ${code}`, { failureClass, code, retryAfterMs });
}
