import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { DIMENSIONS, vectorOf } from '../doubles/scripted-provider.ts';
import { checkPurchase } from './check-purchases.ts';
import type { Invocation } from './invocation.ts';
import { isBlocked, isRefused } from './texts.ts';
import type { World } from './world.ts';

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
  checkPurchase(world, invocation, spaceId, texts, false);
  if (random.chance(faults.throttled)) {
    const retryAfterMs = random.chance(0.5) ? random.below(150_000) : undefined;
    throw failure('throttled', 'rate_limit', retryAfterMs);
  }
  if (random.chance(faults.outage)) {
    throw failure('transient', random.pick(['http_503', 'http_500', 'network_econnrefused']));
  }
  if (random.chance(faults.keyRevoked))
    throw failure('stop', random.pick(['invalid_api_key', 'insufficient_quota']));
  if (texts.length > world.shape.tooManyTexts) throw failure('too-large', 'http_413');
  if (texts.some(isBlocked)) throw failure('item', 'foreign_403');
  if (texts.some(isRefused)) throw failure('item', 'http_400');

  if (callId !== undefined) services.billed.add(callId);
  checkPurchase(world, invocation, spaceId, texts, true);
  if (random.chance(faults.billedTimeout)) {
    world.hardFaults += 1;
    throw failure('transient', 'timeout');
  }
  return { items: distort(world, texts), tokens: texts.length * 10, requestId: 'request' };
}

function distort(world: World, texts: readonly string[]): { index: number; bytes: Buffer }[] {
  const { random, faults } = world;
  let items = texts.map((text, index) => ({ index, bytes: vectorOf(text) }));
  const lie = (change: () => void) => {
    world.hardFaults += 1;
    change();
  };
  if (random.chance(faults.reordered)) items = random.shuffle(items);
  if (random.chance(faults.wrongCount)) lie(() => (random.chance(0.5) ? items.pop() : items.push(items[0]!)));
  else if (random.chance(faults.wrongIndex)) lie(() => Object.assign(items[0]!, { index: texts.length }));
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
