import { printNullable } from '../twin/timestamps.ts';
import { liveSpaces } from './check-end.ts';
import { NO_FAULTS } from './fault-plan.ts';
import type { World } from './world.ts';

/** Ticks that may find a row stale: the one that sends it, and where its lease was of older work, the next ones. */
const MOST_TICKS = 3;

/** Begins to watch a tick; what is returned is called at its end. */
export function watchTick(world: World): () => void {
  const { plan, shape, twin, sequence } = world;
  if (plan !== NO_FAULTS || shape.limits !== undefined || twin.caps.length > 0) return () => undefined;
  return () => checkFreshness(world, sequence);
}

/**
 * Without faults, limits and caps an edit is fresh a few ticks after the one that could see it.
 * What waits for a batch is left out while it has the version with which it began to wait: that it is no edit was
 * checked then (`edits-wait-for-nobody`). It is a row of a backfill, or a new one of a transaction that was open for long.
 */
function checkFreshness(world: World, beganAt: number): void {
  const { application, twin, staleTicks } = world;
  for (const { space, outcomes, position, leases } of liveSpaces(world)) {
    const first = application.firstWatermarks.get(space.spaceId);
    for (const { id, version } of twin.sources.get(space.source.name)?.rows.values() ?? []) {
      const facts = application.rows.get(`${space.source.name}/${id}`);
      const key = `${space.spaceId}/${id}`;
      const isSeen =
        facts?.honest && first !== undefined && facts.sequence > first && facts.sequence <= beganAt;
      const { waitsFor = null, waitsVersion = null } = leases.get(id) ?? {};
      const isPatient = waitsFor !== null && waitsVersion === printNullable(version);
      if (!isSeen || isPatient || outcomes.get(id)?.version === version || position?.unsentSince) {
        staleTicks.delete(key);
        continue;
      }
      const known = staleTicks.get(key);
      const ticks = known?.version === version ? known.ticks + 1 : 1;
      staleTicks.set(key, { version, ticks });
      if (ticks > MOST_TICKS)
        world.violate('bounded-staleness', `${key} is stale at the end of ${ticks} ticks`);
    }
  }
}
