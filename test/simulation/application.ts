import type { TwinRow, TwinTransaction } from '../twin/twin-database.ts';
import type { VersionHabit } from './application-state.ts';
import { isOfCrowd } from './check-tenants.ts';
import { drawText, hashOf } from './texts.ts';
import type { World } from './world.ts';

const HABITS: readonly VersionHabit[] = [
  ...['start', 'start', 'start', 'statement', 'coarse', 'forgetful', 'client', 'nullable'],
] as VersionHabit[];
const LONG_BEFORE_MS = 2 * 3_600_000;
const LONGEST_TRANSACTION_MS = 15 * 60_000;
/** A transaction that is open for no longer commits before anybody looks at what came after it. */
const MOST_MICROS_OPEN = 1_000;

type Change = { readonly id: string } & (
  | { readonly kind: 'put'; readonly text: string | null }
  | { readonly kind: 'touch' }
  | { readonly kind: 'delete' }
);

/** Rows that are there from the start, then transactions at random moments of the fault phase. */
export function startApplication(world: World): void {
  const { random, application, twin, shape, scheduler } = world;
  for (const name of twin.sources.keys()) {
    application.habits.set(name, random.pick(HABITS));
    const rows = random.between(2, 7);
    const initial = Array.from({ length: rows }, (_, index) => String(index + 1));
    commitNow(
      world,
      name,
      initial.map(id => ({ id, kind: 'put', text: drawText(world) })),
      // What was there long before is a backfill, and no edit.
      world.shape.batch === undefined ? 0 : LONG_BEFORE_MS,
    );
  }
  const transactions = random.between(4, 14);
  for (let count = 0; count < transactions; count += 1) {
    scheduler.after(random.below(shape.faultPhaseMs), () => begin(world));
  }
}

/** One transaction over a few rows of one source: most are short, some stay open across many ticks, some roll back. */
function begin(world: World): void {
  const { random, scheduler, application } = world;
  const name = random.pick([...world.twin.sources.keys()]);
  const changes: Change[] = [];
  for (let left = random.between(1, 3); left > 0; left -= 1) changes.push(drawChange(world, name));
  const transaction = openTransaction(world, random.chance(0.05));
  const isLong = random.chance(0.3);
  const lastsMs = isLong ? random.below(LONGEST_TRANSACTION_MS) : random.between(1, 60);
  const rollsBack = random.chance(0.1);
  const end = () => {
    if (!application.open.delete(transaction)) return;
    if (!rollsBack) apply(world, name, transaction, changes);
    world.twin.openTransactions.delete(transaction);
  };
  application.open.set(transaction, end);
  world.trace.event('transaction begins', transaction.xid, () =>
    JSON.stringify([name, changes, { rollsBack }]),
  );
  scheduler.after(lastsMs, end);
}

function openTransaction(world: World, prepared: boolean): TwinTransaction {
  world.application.nextXid += 1;
  const transaction = { xid: world.application.nextXid, startedAt: world.twin.now(), prepared };
  world.twin.openTransactions.add(transaction);
  return transaction;
}

function drawChange(world: World, source: string): Change {
  const { random, twin } = world;
  const present = [...(twin.sources.get(source)?.rows.keys() ?? [])].filter(id => !isOfCrowd(id));
  const isNew = present.length === 0 || random.chance(0.15);
  const id = isNew ? String(random.between(1, 9)) : random.pick(present);
  if (random.chance(0.12)) return { id, kind: 'delete' };
  if (random.chance(0.2)) return { id, kind: 'touch' };
  return { id, kind: 'put', text: drawText(world) };
}

/** A transaction that begins and commits at once. */
export function commitNow(world: World, source: string, changes: readonly Change[], agedMs = 0): void {
  const opened = openTransaction(world, false);
  const transaction = { ...opened, startedAt: opened.startedAt - 1000 * agedMs };
  apply(world, source, transaction, changes);
  world.twin.openTransactions.delete(opened);
}

/** What `SELECT pg_stat_activity` no longer shows as open is visible to everybody from here on. */
function apply(world: World, name: string, transaction: TwinTransaction, changes: readonly Change[]): void {
  const source = world.twin.sources.get(name);
  if (!source) return;
  world.sequence += 1;
  world.trace.event('transaction commits', transaction.xid);
  for (const change of changes) {
    const before = source.rows.get(change.id);
    if (change.kind === 'delete') source.rows.delete(change.id);
    else if (change.kind === 'put' || before) {
      const text = change.kind === 'put' ? change.text : (before?.text ?? null);
      commitRow(world, name, transaction, before, { id: change.id, text });
    }
  }
}

function commitRow(
  world: World,
  name: string,
  transaction: TwinTransaction,
  before: TwinRow | undefined,
  { id, text }: { readonly id: string; readonly text: string | null },
): void {
  const { application, twin } = world;
  const habit = application.habits.get(name) ?? 'start';
  const version = drawVersion(world, habit, transaction, before);
  twin.sources.get(name)?.rows.set(id, {
    ...{ id, text, version, xid: transaction.xid },
    ...(isOfCrowd(id) && { tenant: 'crowd' }),
  });
  const key = `${name}/${id}`;
  const hash = hashOf(text);
  application.rows.set(key, {
    sequence: world.sequence,
    committedAtMs: world.scheduler.nowMs(),
    isLate: version !== null && twin.now() - version > MOST_MICROS_OPEN,
    honest: isHonest(world, name, habit, version, before) && !twin.sources.get(name)?.raising.has(id),
  });
  application.committedHashes.set(`${key}/${transaction.xid}`, hash);
  application.commitSequences.set(`${key}/${transaction.xid}`, world.sequence);
  if (before && hashOf(before.text) === hash) return;
  const adoption = `${name}/${hash}`;
  application.adoptions.set(adoption, (application.adoptions.get(adoption) ?? 0) + 1);
}

function drawVersion(
  world: World,
  habit: VersionHabit,
  { startedAt }: TwinTransaction,
  before: TwinRow | undefined,
): number | null {
  const { random, twin } = world;
  switch (habit) {
    case 'start':
      return startedAt;
    case 'statement': {
      const now = twin.now();
      return now < startedAt ? startedAt : startedAt + random.below(now - startedAt + 1);
    }
    case 'coarse':
      return startedAt - (startedAt % 60_000_000);
    case 'forgetful':
      return before && random.chance(0.4) ? before.version : startedAt;
    case 'client':
      return startedAt + (random.below(1200) - 600) * 1_000_000;
    case 'nullable':
      return random.chance(0.3) ? null : startedAt;
  }
}

/** `now()` and `clock_timestamp()` keep the promise that the watermark stands on, unless the clock itself went back below it. */
function isHonest(
  world: World,
  name: string,
  habit: VersionHabit,
  version: number | null,
  before: TwinRow | undefined,
): boolean {
  if (habit !== 'start' && habit !== 'statement') return false;
  if (version === null || version === before?.version || world.twin.sources.get(name)?.hidden) return false;
  if (!world.application.clockStepped) return true;
  return [...world.twin.spaces.values()].every(
    ({ space, position }) => space.source.name !== name || (position?.watermark ?? 0) <= version,
  );
}

/** What others may commit between two statements of the writer's transaction. */
export function commitSomeTransaction(world: World): void {
  const { application, random, faults } = world;
  if (application.open.size === 0 || !random.chance(faults.commitBetweenStatements)) return;
  random.pick([...application.open.values()])();
}

/** From here on nobody can say what the incremental pass should have seen of the source. */
export function distrustSource(world: World, name: string): void {
  for (const [key, facts] of world.application.rows) if (key.startsWith(`${name}/`)) facts.honest = false;
}
