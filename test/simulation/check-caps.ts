import { listCaps } from '../../lib/core/budget.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import type { World } from './world.ts';

/** One seed of eight, none of which has a limit a minute: apart from all other chance. */
export function drawCaps(seed: number) {
  const usdPerDay = hasCap(seed) ? createRandom(seed + 1).pick([0.01, 0.03, 0.1]) : undefined;
  return listCaps(usdPerDay === undefined ? undefined : { usdPerDay });
}

const hasCap = (seed: number) => seed % 8 === 2;

/** What a call is billed for each token of its estimate, in two of three seeds with a cap; undefined: less than one. */
export function drawBillFactor(seed: number): number | undefined {
  return hasCap(seed) && seed % 3 !== 2 ? createRandom(seed + 2).pick([2, 5, 20]) : undefined;
}

/** What a bill is above its estimate, until the database knows it. */
export interface Excess {
  readonly usd: number;
  readonly invocation: Invocation;
  /** No answer came, or the database did not take it: only the estimate is known. */
  isUntold: boolean;
}

/** The provider bills a call. */
export function noteBilled(
  world: World,
  invocation: Invocation,
  callId: string | undefined,
  billedUsd: number,
): void {
  const { billFactor, services, twin } = world;
  const grant = twin.grants.get(callId ?? '');
  if (billFactor !== undefined && grant !== undefined) {
    const usd = billedUsd - grant.estimatedCostUsd;
    services.excesses.set(grant.callId, { usd, invocation, isUntold: false });
  }
  checkCaps(world, billedUsd);
}

/** The bill of a call does not reach the database. */
export function noteUntold(world: World, callId: string | undefined): void {
  const excess = world.services.excesses.get(callId ?? '');
  if (excess) excess.isUntold = true;
}

/** What was billed and cannot be known: the answer was lost, or its process with it. */
function untoldUsd({ services }: World): number {
  let sum = 0;
  for (const { usd, invocation, isUntold } of services.excesses.values())
    if (isUntold || invocation.state === 'dead' || invocation.state === 'frozen') sum += Math.max(0, usd);
  return sum;
}

/**
 * What the provider billed may go beyond the cap of a day by one call for each worker, at the most.
 * Where no answer came, nobody knows more of a call than its estimate.
 */
function checkCaps(world: World, billedUsd: number): void {
  const { services, twin, warm } = world;
  services.billedUsd += billedUsd;
  services.largestUsd = Math.max(services.largestUsd, billedUsd);
  const day = new Date(twin.now() / 1000).toISOString().slice(0, 10);
  services.billedDays.add(day);
  const [cap] = twin.caps;
  if (cap === undefined) return;
  const workers = world.running + warm.embed.length;
  const most = cap.usd * services.billedDays.size + workers * services.largestUsd + untoldUsd(world);
  if (services.billedUsd > most + 1e-9)
    world.violate('cap-kept', `${services.billedUsd} $ are billed under a cap of ${cap.usd} $ a day`);
}

/** Somebody raises the cap, and what waited goes on. */
export function liftCaps(world: World): void {
  if (world.twin.caps.length === 0) return;
  world.trace.event('cap is lifted');
  world.twin.caps = [];
}
