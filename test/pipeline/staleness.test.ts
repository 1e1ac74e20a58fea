import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { DetectLimits } from '../../lib/pipeline/detect/detect-ports.ts';
import { holdHorizon, minutesAgo, putRow, storeOutcome } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

const plenty = () => 600_000;
const space = makeSpace();

/** A space with a watermark ten minutes back, and so many rows edited now. */
async function makeEdited(rows: number): Promise<World> {
  const world = makeWorld();
  const watermark = printTimestamp(minutesAgo(world.twin, 10));
  await world.detectPorts.detection.writeWatermark(space, [watermark]);
  for (let id = 1; id <= rows; id += 1) putRow(world.twin, space, String(id).padStart(5, '0'), 'text');
  return world;
}

/** Runs one incremental tick, and tells what it says of the edits. */
async function tick(world: World, limits: Partial<DetectLimits> = {}) {
  world.metrics.sums.clear();
  const ports = { ...world.detectPorts, limits: { ...world.detectPorts.limits, ...limits } };
  const report = await detectStaleRows(ports, { pass: 'incremental' }, plenty);
  return {
    report: report.spaces[0],
    rows: world.metrics.sums.get('StaleRows'),
    age: world.metrics.sums.get('OldestStaleRowAgeSeconds'),
  };
}

/** Lets the writer finish every row that is leased. */
function finishLeased(world: World): void {
  const { leases } = spaceOf(world.twin, space);
  for (const id of leases.keys()) {
    const { version, xid } = sourceOf(world.twin, space).rows.get(id)!;
    storeOutcome(world.twin, space, id, { outcome: 'embedded', contentHash: 'aa', version, xid });
  }
  leases.clear();
}

describe('a thousand rows edited at once, of which a hundred may be in flight', () => {
  test('are counted, and their age is the true one, until the last of them is embedded', async () => {
    const world = await makeEdited(1_000);
    const told: unknown[] = [];
    for (let minute = 0; minute < 11; minute += 1) {
      const { rows, age } = await tick(world, { maxInFlight: 100 });
      told.push([rows, age]);
      world.clock.advance(30_000);
      finishLeased(world);
      world.clock.advance(30_000);
    }

    const expected = Array.from({ length: 10 }, (_, minute) => [1_000 - 100 * minute, 60 * minute]);
    expect(told).toEqual([...expected, [0, 0]]);
  });

  test('are seen also while nothing moves and no row more may be leased', async () => {
    const world = await makeEdited(100);
    await tick(world, { maxInFlight: 100 });
    world.clock.advance(60_000);
    for (let id = 101; id <= 1_000; id += 1) putRow(world.twin, space, String(id).padStart(5, '0'), 'text');

    const full = await tick(world, { maxInFlight: 100 });
    finishLeased(world);
    world.clock.advance(300_000);
    const later = await tick(world, { maxInFlight: 50 });

    expect(full).toMatchObject({ report: { leased: 0 }, rows: 1_000, age: 60 });
    expect(later).toMatchObject({ report: { leased: 50 }, rows: 900, age: 300 });
  });
});

describe('edits that no look reaches', () => {
  test('wait since the first look that a pause prevented', async () => {
    const world = await makeEdited(0);
    await tick(world);
    await world.control.pause('pipeline', 'operator', '');
    putRow(world.twin, space, '1', 'text');
    await tick(world);
    world.clock.advance(120_000);

    const paused = await tick(world);
    await world.control.resume('pipeline', 'operator');
    await tick(world);
    finishLeased(world);

    expect(paused).toMatchObject({ rows: 1, age: 120 });
    expect(await tick(world)).toMatchObject({ rows: 0, age: 0 });
  });

  test('are told from a pause over which nobody edits', async () => {
    const world = await makeEdited(0);
    await tick(world);
    await world.control.pause('pipeline', 'operator', '');
    await tick(world);
    world.clock.advance(3_600_000);

    expect(await tick(world)).toMatchObject({ rows: 0, age: 0 });
  });

  test('may wait in a source that is at fault, since its first look that failed so', async () => {
    const world = await makeEdited(1);
    sourceOf(world.twin, space).fault = { code: 'column-missing', message: 'column title is gone' };
    await tick(world);
    world.clock.advance(120_000);

    expect(await tick(world)).toMatchObject({ age: 120 });
    expect(world.calls.events).not.toContain('countUnsentRows');
  });

  test('may wait in a space whose looks fail, and no longer once one succeeds', async () => {
    const world = await makeEdited(1);
    world.calls.before = event => {
      if (event !== 'leaseChangedRows') return;
      throw new FreshetError('late', { failureClass: 'transient', code: 'sqlstate_57014' });
    };
    await tick(world);
    world.clock.advance(120_000);
    const failing = await tick(world);
    world.calls.before = () => undefined;
    await tick(world);
    finishLeased(world);

    expect(failing).toMatchObject({ report: { fault: { code: 'sqlstate_57014' } }, age: 120 });
    expect(await tick(world)).toMatchObject({ rows: 0, age: 0 });
  });

  test('may wait while a space has neither a watermark nor a horizon to look from', async () => {
    const world = makeWorld();
    holdHorizon(world.twin, 'unknown');
    putRow(world.twin, space, '1', 'text');
    await tick(world);
    world.clock.advance(60_000);

    expect(await tick(world)).toMatchObject({ report: { leased: 0 }, age: 60 });
  });

  test('are not looked for in foreign tables, which have neither at any time', async () => {
    const foreign = makeSpace({ source: { relation: 'foreign table' } });
    const world = makeWorld([foreign]);
    holdHorizon(world.twin, 'unknown');
    await tick(world);
    world.clock.advance(60_000);

    expect(await tick(world)).toMatchObject({ report: { unsent: false }, rows: 0, age: 0 });
  });

  test('say nothing where the database is gone, and the look’s own failure stays the report', async () => {
    const world = await makeEdited(1);
    world.calls.before = event => {
      if (event !== 'leaseChangedRows' && !event.startsWith('read')) return;
      throw new FreshetError('gone', { failureClass: 'transient', code: 'ECONNRESET' });
    };

    const { report, rows } = await tick(world);

    expect(report?.fault).toMatchObject({ code: 'ECONNRESET' });
    expect(rows).toBeUndefined();
  });
});

test('a look that changes nothing of what waits writes nothing about it', async () => {
  const world = await makeEdited(3);

  await tick(world);
  await tick(world);
  await tick(world, { maxInFlight: 2 });

  expect(world.calls.events.filter(event => event.startsWith('writeUnsent'))).toEqual([]);
});
