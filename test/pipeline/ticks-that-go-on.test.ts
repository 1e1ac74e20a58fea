import { describe, expect, test } from 'vitest';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { DetectPorts, DetectRequest } from '../../lib/pipeline/detect/detect-ports.ts';
import { holdHorizon, minutesAgo, putRow, storeOutcome } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

const space = makeSpace();
/** Of a function, as the deployed `detect` has it. */
const TICK_MS = 290_000;
const incremental = { pass: 'incremental' } as const;
const resume = { pass: 'reconcile', resume: true } as const;

/** A space with a watermark ten minutes back, and so many rows edited since. */
async function makeEdited(rows: number, editedMinutesAgo = 5): Promise<World> {
  const world = makeWorld();
  const watermark = printTimestamp(minutesAgo(world.twin, 10));
  await world.detectPorts.detection.writeWatermark(space, [watermark]);
  for (let id = 1; id <= rows; id += 1)
    putRow(world.twin, space, String(id).padStart(6, '0'), 'text', minutesAgo(world.twin, editedMinutesAgo));
  return world;
}

interface Workers {
  readonly maxInFlight: number;
  /** Rows that the workers finish in a second, as far as rows are leased. */
  readonly rowsPerSecond: number;
  /** Called at each wait of the tick. */
  readonly onWait?: (elapsedMs: number) => void;
}

/** Runs one tick while workers finish what is leased, and tells how it went. */
async function runTick(world: World, request: DetectRequest, workers: Workers) {
  const startMs = world.clock.now();
  let idleRows = 0;
  let waits = 0;
  const drainClock: DetectPorts['drainClock'] = {
    now: () => world.clock.now(),
    async sleep(ms) {
      waits += 1;
      world.clock.advance(ms);
      idleRows += finish(world, (workers.rowsPerSecond * ms) / 1000);
      workers.onWait?.(world.clock.now() - startMs);
    },
  };
  const limits = { ...world.detectPorts.limits, maxInFlight: workers.maxInFlight };
  const ports = { ...world.detectPorts, limits, drainClock };
  const remainingMs = () => TICK_MS - (world.clock.now() - startMs);
  const report = await detectStaleRows(ports, request, remainingMs);
  return { report: report.spaces[0]!, waits, idleRows, tookMs: world.clock.now() - startMs };
}

/** Writes outcomes of leased rows, at most `rows`; returns how many more could have been. */
function finish(world: World, rows: number): number {
  const { leases } = spaceOf(world.twin, space);
  let left = rows;
  for (const id of leases.keys()) {
    if (left < 1) break;
    const { version, xid } = sourceOf(world.twin, space).rows.get(id)!;
    storeOutcome(world.twin, space, id, { outcome: 'embedded', contentHash: 'aa', version, xid });
    leases.delete(id);
    left -= 1;
  }
  return left;
}

const countOf = (world: World, name: string) =>
  world.calls.events.filter(event => event.split(' ')[0] === name).length;
const positionOf = (world: World) => world.detectPorts.detection.readPosition(space);

describe('a tick', () => {
  test.each([incremental, resume])(
    'goes on until all is leased, while workers never wait: %j',
    async pass => {
      const world = await makeEdited(10_000);

      const { report, idleRows, tookMs } = await runTick(world, pass, {
        ...{ maxInFlight: 1_000, rowsPerSecond: 100 },
      });

      expect(report).toMatchObject({ leased: 10_000, sent: 10_000 });
      expect(idleRows).toBe(0);
      // A walk looks once more to see that it is at its end.
      expect(tookMs).toBe(pass === incremental ? 90_000 : 93_000);
    },
  );

  test('looks again only once a quarter of what may be in flight is free', async () => {
    const world = await makeEdited(10_000);

    const { waits } = await runTick(world, incremental, { maxInFlight: 1_000, rowsPerSecond: 100 });

    // Each look after the first finds 300 rows free: three seconds' work is the least above a quarter.
    expect(countOf(world, 'leaseChangedRows')).toBe(1 + 9_000 / 300);
    expect(waits).toBe(90);
  });

  test('ends before its time does, and the next goes on', async () => {
    const world = await makeEdited(20_000);
    const workers = { maxInFlight: 1_000, rowsPerSecond: 50 };

    const first = await runTick(world, incremental, workers);
    const { unsentSince } = await positionOf(world);
    const second = await runTick(world, incremental, workers);

    expect(first.tookMs).toBeLessThan(TICK_MS);
    expect(first.tookMs).toBeGreaterThan(TICK_MS - 20_000);
    expect(first.report.leased).toBeGreaterThan(14_000);
    expect(unsentSince).not.toBeNull();
    expect(first.report.leased + second.report.leased).toBe(20_000);
    expect((await positionOf(world)).unsentSince).toBeNull();
  });

  test('ends soon where nothing moves', async () => {
    const world = await makeEdited(100);

    const { report, tookMs } = await runTick(world, incremental, { maxInFlight: 10, rowsPerSecond: 0 });

    expect(report).toMatchObject({ leased: 10, unsent: true });
    expect(tookMs).toBeLessThan(45_000);
  });

  test('waits for nothing where everything is leased', async () => {
    const world = await makeEdited(100);

    expect(await runTick(world, incremental, { maxInFlight: 1_000, rowsPerSecond: 1 })).toMatchObject({
      ...{ waits: 0, report: { leased: 100, unsent: false } },
    });
  });

  test('stops within a second of a pause', async () => {
    const world = await makeEdited(10_000);
    const onWait = (elapsedMs: number) => {
      if (elapsedMs === 3_000) world.twin.pauses.push(pauseNow(world));
    };

    const { report } = await runTick(world, incremental, {
      ...{ maxInFlight: 1_000, rowsPerSecond: 1_000, onWait },
    });

    expect(report.leased).toBe(3_000);
    expect(report.pausedBy).toMatchObject([{ reason: 'operator' }]);
  });

  test('tells once what waits, as its first look found it', async () => {
    const world = await makeEdited(3_000);

    await runTick(world, incremental, { maxInFlight: 1_000, rowsPerSecond: 500 });

    expect(world.metrics.sums.get('StaleRows')).toBe(3_000);
    expect(world.metrics.sums.get('SentRows')).toBe(3_000);
  });

  test('ends a walk over all keys once, and begins none anew', async () => {
    const world = await makeEdited(3_000);

    const { report } = await runTick(
      world,
      { pass: 'reconcile' },
      { maxInFlight: 1_000, rowsPerSecond: 500 },
    );

    expect(report).toMatchObject({ leased: 3_000, passBegan: true, passEnded: true });
    expect(countOf(world, 'writeReconcileCursor')).toBeGreaterThan(1);
    expect(world.calls.events.filter(event => event === 'writeReconcileCursor at the end')).toHaveLength(1);
  });
});

describe('the stored watermark', () => {
  test('obeys the first look’s horizon while a tick goes on', async () => {
    const world = await makeEdited(3_000, 0);
    const horizon = minutesAgo(world.twin, 3);
    const late = minutesAgo(world.twin, 2);
    holdHorizon(world.twin, horizon);
    const onWait = () => {
      // The transaction commits a row in front of what the tick has come to, and is gone.
      if (world.twin.openTransactions.size === 0) return;
      world.twin.openTransactions.clear();
      putRow(world.twin, space, '000000', 'late', late);
    };

    await runTick(world, incremental, { maxInFlight: 1_000, rowsPerSecond: 500, onWait });
    const { watermark } = await positionOf(world);
    world.clock.advance(300_000);
    const next = await runTick(world, incremental, { maxInFlight: 1_000, rowsPerSecond: 500 });

    expect(watermark).toBe(printTimestamp(horizon));
    expect(next.report.leased).toBe(1);
  });

  test('stays at what the tick left', async () => {
    const world = await makeEdited(3_000);

    await runTick(world, incremental, { maxInFlight: 100, rowsPerSecond: 5 });

    const { watermark } = await positionOf(world);
    expect(watermark).toBe(printTimestamp(sourceOf(world.twin, space).rows.get('003000')!.version!));
  });
});

const pauseNow = (world: World) => ({
  ...{ scope: 'pipeline', reason: 'operator', detail: '', since: world.twin.now() },
});
