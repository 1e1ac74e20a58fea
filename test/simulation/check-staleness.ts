import type { Space } from '../../lib/core/model.ts';
import { noteSkipped } from './check-skipped.ts';
import { checkTurns, noteFullLook } from './check-tenants.ts';
import { isOverturned } from './check-writes.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** The detection store, with what the check of the age needs to know of its calls. */
export function watchDetection(world: World, current: () => Invocation): World['stores']['detection'] {
  const { detection } = world.stores;
  return {
    ...detection,
    leaseChangedRows: (space, request) => {
      // A look that goes on sees only what lies behind its beginning.
      if (request.from === undefined) current().looks.set(space.spaceId, world.sequence);
      const found = detection.leaseChangedRows(space, request);
      noteFullLook(world, current(), space, request, found);
      return found;
    },
    writeWatermark: (space, candidates) => {
      checkTurns(world, current(), space);
      detection.writeWatermark(space, candidates);
    },
    leaseStaleSlice: (space, request) => {
      const slice = detection.leaseStaleSlice(space, request);
      noteSkipped(current(), space.spaceId, slice);
      return slice;
    },
    writeUnsent: (space, left) => {
      if (!left) world.unsentCleared.set(space.spaceId, { sequence: world.sequence, by: current().number });
      detection.writeUnsent(space, left);
    },
    readStaleness: space => {
      checkAge(world, current(), space);
      return detection.readStaleness(space);
    },
  };
}

/** What the tick's look saw, and neither it nor anybody since has leased, must be known to wait. */
function checkAge(world: World, { looks, number }: Invocation, { spaceId, source }: Space): void {
  const { application, twin, unsentCleared } = world;
  const look = looks.get(spaceId);
  const table = twin.spaces.get(spaceId);
  const first = application.firstWatermarks.get(spaceId);
  if (look === undefined || table === undefined || first === undefined) return;
  if (table.position?.unsentSince !== null || twin.sources.get(source.name)?.hidden) return;
  // Another tick that looked before the commit may clear what this one stored; a lock keeps ticks apart.
  const cleared = unsentCleared.get(spaceId);
  if (cleared && cleared.by !== number && cleared.sequence > look) return;
  for (const { id, version } of twin.sources.get(source.name)?.rows.values() ?? []) {
    const facts = application.rows.get(`${source.name}/${id}`);
    if (!facts?.honest || facts.sequence <= first || facts.sequence > look || version === null) continue;
    if (table.outcomes.get(id)?.version === version || table.leases.has(id)) continue;
    if (isOverturned(world, table, id, facts.sequence)) continue;
    world.violate('honest-age', `${source.name}/${id} in space ${spaceId} waits, and nobody knows`);
  }
}
