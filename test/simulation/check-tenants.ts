import type { Space } from '../../lib/core/model.ts';
import type { ChangedRows, DetectionStore } from '../../lib/ports/detection-store.ts';
import { readNullable } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';
import { commitNow } from './application.ts';
import type { RowFacts } from './application-state.ts';
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

/** Rows of small tenants at most. */
const SMALL_ROWS = 9;
/** A look of fewer rows may be full of one row of the edit's own tenant, which crowds it then. */
const LEAST_ROWS = 2;

/** Looks in which a walk that began in an earlier tick goes to its end, and the one after it sees every row. */
const looksOfWalks = ({ rows }: Crowd, sliceRows: number): number =>
  2 * Math.ceil((rows + SMALL_ROWS) / (2 * sliceRows));

/** What a full look left of small tenants, and whether its page had a row of theirs. */
export interface FullLook {
  readonly waiting: readonly WaitingRow[];
  readonly hasTurn: boolean;
}

/** Full looks in a row that leased nothing of small tenants in a space, and that left each of their edits. */
export interface TenantWatch {
  readonly idleLooks: Map<number, number>;
  /** By `spaceId/id`. */
  readonly passed: Map<string, { readonly version: number; readonly looks: number }>;
}

/** A look took what it could in the order of versions: what waits behind it, of small tenants, may have its turn. */
export function noteFullLook(
  world: World,
  { fullLooks, looks, crowding }: Invocation,
  space: Space,
  { limit, watermark, from }: Parameters<DetectionStore['leaseChangedRows']>[1],
  { firstUnsent, rows }: ChangedRows,
): void {
  if (world.shape.crowd === undefined) return;
  fullLooks.delete(space.spaceId);
  if (firstUnsent === null || limit < LEAST_ROWS) return;
  const { rows: live } = sourceOf(world.twin, space);
  const crowdOf = (id: string) => `${space.spaceId}/${live.get(id)?.tenant ?? live.get(id)?.text ?? ''}`;
  for (const [crowd, found] of Map.groupBy(rows, ({ id }) => crowdOf(id)))
    if (10 * found.length > rows.length) crowding.add(crowd);
  const beginning = readNullable(from?.version ?? watermark) ?? Number.POSITIVE_INFINITY;
  // What is committed late among rows that the tick has walked is the next tick's.
  const beganAt = looks.get(space.spaceId) ?? Number.NEGATIVE_INFINITY;
  const waiting = listWaiting(world, space).filter(
    ({ id, version, facts }) =>
      version > beginning && (!facts.isLate || facts.sequence <= beganAt) && !crowding.has(crowdOf(id)),
  );
  fullLooks.set(space.spaceId, { waiting, hasTurn: rows.some(({ id }) => !isOfCrowd(id)) });
}

/**
 * The look has ended. As long as edits of small tenants wait, so many looks as walks take lease one
 * of them; and each of them has its turn, after the others at the latest.
 */
export function checkTurns(world: World, { fullLooks }: Invocation, space: Space): void {
  const { spaceId } = space;
  const look = fullLooks.get(spaceId);
  fullLooks.delete(spaceId);
  const { shape, tenants } = world;
  if (look === undefined || shape.crowd === undefined) return;
  const atMost = looksOfWalks(shape.crowd, shape.sliceRows);
  const left = listWaiting(world, space);
  const isLeft = ({ id, version }: WaitingRow) => left.some(row => row.id === id && row.version === version);
  const passed = look.waiting.filter(isLeft);
  const isIdle = !look.hasTurn && passed.length > 0 && passed.length === look.waiting.length;
  const idle = isIdle ? (tenants.idleLooks.get(spaceId) ?? 0) + 1 : 0;
  tenants.idleLooks.set(spaceId, idle);
  if (idle > atMost)
    world.violate('small-tenants-first', `${idle} looks at space ${spaceId} left all of them`);
  for (const row of look.waiting) {
    const key = `${spaceId}/${row.id}`;
    const known = tenants.passed.get(key);
    const looks = (known?.version === row.version ? known.looks : 0) + 1;
    if (isLeft(row)) tenants.passed.set(key, { version: row.version, looks });
    else tenants.passed.delete(key);
    if (isLeft(row) && looks > SMALL_ROWS + atMost)
      world.violate('small-tenants-first', `${key} waits behind a crowd after ${looks} looks`);
  }
}

interface WaitingRow {
  readonly id: string;
  readonly version: number;
  readonly facts: Pick<RowFacts, 'isLate' | 'sequence'>;
}

/** Edits of small tenants that the incremental pass must find, and that nobody has leased. */
function listWaiting(world: World, space: Space): readonly WaitingRow[] {
  const { application, twin } = world;
  const { outcomes, leases } = spaceOf(twin, space);
  const first = application.firstWatermarks.get(space.spaceId);
  return [...(twin.sources.get(space.source.name)?.rows.values() ?? [])].flatMap(({ id, version }) => {
    const facts = application.rows.get(`${space.source.name}/${id}`);
    if (version === null || isOfCrowd(id) || !facts?.honest || first === undefined) return [];
    const waits = outcomes.get(id)?.version !== version && !leases.has(id);
    return waits && facts.sequence > first ? [{ id, version, facts }] : [];
  });
}
