import { ORPHANS_CONFIRMED } from '../../lib/core/control.ts';
import { spaceOf, type TwinOutcome, type TwinSpace } from '../twin/twin-database.ts';
import type { Invocation } from './invocation.ts';
import { CANARY, hashOf } from './texts.ts';
import type { World } from './world.ts';

/** Since when the space held a vector for a hash without a break, in effects; and since when it holds a verdict. */
export interface Holdings {
  readonly holders: Map<string, { count: number; since: number }>;
  readonly verdicts: Map<string, number>;
}

function holdingsOf(world: World, spaceId: number): Holdings {
  const known = world.holdings.get(spaceId);
  if (known) return known;
  const holdings: Holdings = { holders: new Map(), verdicts: new Map() };
  world.holdings.set(spaceId, holdings);
  return holdings;
}

export function noteHolder(
  world: World,
  { space }: TwinSpace,
  before: TwinOutcome | undefined,
  after: TwinOutcome | undefined,
): void {
  const { holders } = holdingsOf(world, space.spaceId);
  if (after?.outcome === 'embedded' && after.contentHash !== null) {
    const held = holders.get(after.contentHash);
    if (held) held.count += 1;
    else holders.set(after.contentHash, { count: 1, since: world.sequence });
  }
  if (before?.outcome !== 'embedded' || before.contentHash === null) return;
  const held = holders.get(before.contentHash);
  if (!held) return;
  held.count -= 1;
  if (held.count === 0) holders.delete(before.contentHash);
}

export function noteVerdict(world: World, { space }: TwinSpace, contentHash: string): void {
  const { verdicts } = holdingsOf(world, space.spaceId);
  if (!verdicts.has(contentHash)) verdicts.set(contentHash, world.sequence);
}

/** Whoever retries failures forgets the verdicts. */
export function forgetVerdicts(world: World, spaceId: number): void {
  holdingsOf(world, spaceId).verdicts.clear();
}

/** A pause or retirement that is there when a call is granted forbids it. */
export function checkGrant(world: World, invocation: Invocation, spaceId: number): void {
  const table = spaceOf(world.twin, { spaceId });
  const { source, model } = table.space;
  const scopes = ['pipeline', `model:${model.alias}`, `source:${source.name}`];
  const pause = world.twin.pauses.find(
    ({ scope, reason }) => scopes.includes(scope) && reason !== ORPHANS_CONFIRMED,
  );
  if (pause) {
    world.violate('nothing-after-pause', `#${invocation.number} calls while ${pause.scope} ${pause.reason}`);
  }
}

export function notePurchase({ services }: World, spaceId: number, hash: string): void {
  const key = `${spaceId}/${hash}`;
  services.purchases.set(key, (services.purchases.get(key) ?? 0) + 1);
}

/** `isBilled` false: the texts are on their way to the provider; true: it has done its work. */
export function checkPurchase(
  world: World,
  invocation: Invocation,
  spaceId: number,
  texts: readonly string[],
  isBilled: boolean,
): void {
  const { holders, verdicts } = holdingsOf(world, spaceId);
  if (new Set(texts).size < texts.length)
    world.violate('bought-once', `#${invocation.number} sends a text twice`);
  for (const text of texts) {
    if (!text.startsWith(CANARY)) continue;
    const hash = hashOf(text);
    if (isBilled) {
      notePurchase(world, spaceId, hash);
      continue;
    }
    const held = holders.get(hash);
    if (held && held.since < invocation.recordSequence) {
      world.violate('bought-once', `#${invocation.number} sends "${text}", which space ${spaceId} holds`);
    }
    const refusedSince = verdicts.get(hash);
    if (refusedSince !== undefined && refusedSince < invocation.recordSequence) {
      world.violate('bought-once', `#${invocation.number} sends "${text}", which was refused`);
    }
  }
}
