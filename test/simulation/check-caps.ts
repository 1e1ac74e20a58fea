import { listCaps } from '../../lib/core/budget.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

const isCapped = (seed: number) => seed % 8 === 2 || seed % 16 === 14;

/**
 * One seed of eight, and half of those with batches; none has a limit a minute: apart from all
 * other chance.
 */
export function drawCaps(seed: number) {
  const usdPerDay = isCapped(seed) ? createRandom(seed + 1).pick([0.01, 0.03, 0.1]) : undefined;
  return listCaps(usdPerDay === undefined ? undefined : { usdPerDay });
}

/** How far the clock of the database is ahead: every other seed with a cap sees the day end. */
export function drawClockOffsetMs(seed: number, faultPhaseMs: number): number {
  if (!isCapped(seed) || seed % 32 >= 16) return 0;
  return DAY_MS - createRandom(seed + 2).below(faultPhaseMs);
}

/** Somebody raises the cap while calls wait for it. */
export function raiseCaps(world: World): void {
  const [cap] = world.twin.caps;
  if (cap === undefined) return;
  world.trace.event('cap is raised');
  world.twin.caps = listCaps({ usdPerDay: 3 * cap.usd });
}

/** The day to which what is granted now belongs. */
export function noteCappedDay({ services, twin }: World): void {
  services.billedDays.add(new Date(twin.now() / 1000).toISOString().slice(0, 10));
}

/** What a call is billed for each token of its estimate, in two of three seeds with a cap and no batches; undefined: less than one. */
export function drawBillFactor(seed: number): number | undefined {
  return seed % 8 === 2 && seed % 3 !== 2 ? createRandom(seed + 2).pick([2, 5, 20]) : undefined;
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
export function checkCaps(world: World, billedUsd: number): void {
  const { services, twin, warm } = world;
  services.billedUsd += billedUsd;
  services.largestUsd = Math.max(services.largestUsd, billedUsd);
  noteCappedDay(world);
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
