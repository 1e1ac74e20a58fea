import type { Space } from '../../lib/core/model.ts';
import type { ChangedRows, DetectionStore } from '../../lib/ports/detection-store.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { commitNow } from './application.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import { CANARY, drawText } from './texts.ts';
import type { World } from './world.ts';

/** The rows of a tenant of many, beside tenants of one row or a few. */
export interface Crowd {
  readonly rows: number;
  /** So few that no look takes the whole crowd. */
  readonly maxInFlight: number;
}

/** One seed of sixteen, which has no limits, caps or batches. */
export function drawCrowd(seed: number): Crowd | undefined {
  if (seed % 16 !== 11) return undefined;
  const random = createRandom(seed + 3);
  return { rows: random.between(20, 40), maxInFlight: random.pick([4, 8, 16]) };
}

/** All other rows have ids below it. */
const FIRST_ID = 100;
export const isOfCrowd = (id: string): boolean => Number(id) >= FIRST_ID;

/** How often the crowd is changed as a whole, and how many edits of others come while it is looked at. */
const LOADS = 3;
const EDITS_PER_LOAD = 3;
const LOAD_LASTS_MS = 3 * 60_000;

/** Mass changes of the crowd, and edits of small tenants while the looks are full of it. */
export function scheduleCrowd(world: World): void {
  const { random, scheduler, shape, twin } = world;
  const { crowd, faultPhaseMs } = shape;
  if (crowd === undefined) return;
  const name = random.pick([...twin.sources.keys()]);
  const ids = Array.from({ length: crowd.rows }, (_, row) => String(FIRST_ID + row));
  const load = () => {
    const changes = ids.map(id => ({ id, kind: 'put' as const, text: `${CANARY}plain ${random.below(12)}` }));
    commitNow(world, name, changes);
    for (let edits = 0; edits < EDITS_PER_LOAD; edits += 1)
      scheduler.after(random.below(LOAD_LASTS_MS), () => editSmallTenant(world, name));
  };
  for (let loads = 0; loads < LOADS; loads += 1) scheduler.after(random.below(faultPhaseMs), load);
}

function editSmallTenant(world: World, name: string): void {
  const others = [...(world.twin.sources.get(name)?.rows.keys() ?? [])].filter(id => !isOfCrowd(id));
  if (others.length === 0) return;
  commitNow(world, name, [{ id: world.random.pick(others), kind: 'put', text: drawText(world) }]);
}

/**
 * Looks in a row that may leave an edit of a small tenant without a lease, while a crowd fills them.
 * Each has a turn for one row at least, and small tenants have nine rows at most.
 */
const MOST_LOOKS = 9;
/** A look of fewer rows may be full of one row of the edit's own tenant, which crowds it then. */
const LEAST_ROWS = 2;

/** A look took what it could of the order of the versions: what waits behind it, of small tenants, may have its turn. */
export function noteFullLook(
  world: World,
  { fullLooks }: Invocation,
  space: Space,
  { limit, watermark, from }: Parameters<DetectionStore['leaseChangedRows']>[1],
  { firstUnsent }: ChangedRows,
): void {
  if (world.shape.crowd === undefined) return;
  fullLooks.delete(space.spaceId);
  if (firstUnsent === null || limit < LEAST_ROWS) return;
  const beginning = from?.version ?? watermark ?? '';
  const waiting = listWaiting(world, space).filter(({ version }) => printTimestamp(version) > beginning);
  fullLooks.set(space.spaceId, waiting);
}

/** The look has ended: whatever waited at its beginning and still does was passed over. */
export function checkTurns(world: World, { fullLooks }: Invocation, space: Space): void {
  const waited = fullLooks.get(space.spaceId);
  if (waited === undefined) return;
  fullLooks.delete(space.spaceId);
  const { looksPassed } = world;
  const left = listWaiting(world, space);
  for (const { id, version } of waited) {
    const key = `${space.spaceId}/${id}`;
    if (!left.some(row => row.id === id && row.version === version)) looksPassed.delete(key);
    else {
      const known = looksPassed.get(key);
      const looks = known?.version === version ? known.looks + 1 : 1;
      looksPassed.set(key, { version, looks });
      if (looks > MOST_LOOKS)
        world.violate('small-tenants-first', `${key} waits behind a crowd after ${looks} looks`);
    }
  }
}

/** Edits of small tenants that the incremental pass must find, and that nobody has leased. */
function listWaiting(world: World, space: Space): { readonly id: string; readonly version: number }[] {
  const { application, twin } = world;
  const { outcomes, leases } = spaceOf(twin, space);
  const first = application.firstWatermarks.get(space.spaceId);
  return [...(twin.sources.get(space.source.name)?.rows.values() ?? [])].flatMap(({ id, version }) => {
    const facts = application.rows.get(`${space.source.name}/${id}`);
    const isFound = facts?.honest && first !== undefined && facts.sequence > first;
    const waits = version !== null && outcomes.get(id)?.version !== version && !leases.has(id);
    return isFound && waits && !isOfCrowd(id) ? [{ id, version }] : [];
  });
}
