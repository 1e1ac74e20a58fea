import { listCaps } from '../../lib/core/budget.ts';
import { createRandom } from './random.ts';
import type { World } from './world.ts';

/** One seed of eight, none of which has a limit a minute: apart from all other chance. */
export function drawCaps(seed: number) {
  const usdPerDay = seed % 8 === 2 ? createRandom(seed + 1).pick([0.01, 0.03, 0.1]) : undefined;
  return listCaps(usdPerDay === undefined ? undefined : { usdPerDay });
}

/** What the provider billed may go beyond the cap of a day by one call for each worker, at the most. */
export function checkCaps(world: World, billedUsd: number): void {
  const { services, twin, warm } = world;
  services.billedUsd += billedUsd;
  services.largestUsd = Math.max(services.largestUsd, billedUsd);
  const day = new Date(twin.now() / 1000).toISOString().slice(0, 10);
  services.billedDays.add(day);
  const [cap] = twin.caps;
  if (cap === undefined) return;
  const workers = world.running + warm.embed.length;
  const most = cap.usd * services.billedDays.size + workers * services.largestUsd;
  if (services.billedUsd > most + 1e-9)
    world.violate('cap-kept', `${services.billedUsd} $ are billed under a cap of ${cap.usd} $ a day`);
}

/** Somebody raises the cap, and what waited goes on. */
export function liftCaps(world: World): void {
  if (world.twin.caps.length === 0) return;
  world.trace.event('cap is lifted');
  world.twin.caps = [];
}
