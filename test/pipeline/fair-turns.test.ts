import { describe, expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { DetectPorts } from '../../lib/pipeline/detect/detect-ports.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { findStaleRows, leaseRow, minutesAgo, putRow, storeOutcome } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const large = makeSpace({ source: { name: 'large', table: 'large' } });
const small = makeSpace({ spaceId: 2, source: { name: 'small', table: 'small' } });
/** Of a function, as the deployed `detect` has it. */
const TICK_MS = 290_000;

function openSources(largeRows: number, smallRows: number): World {
  const world = makeWorld([large, small]);
  for (const [space, rows] of [
    [large, largeRows],
    [small, smallRows],
  ] as const) {
    for (let row = 0; row < rows; row += 1)
      putRow(world.twin, space, String(row).padStart(5, '0'), `text ${row}`, minutesAgo(world.twin, 5));
  }
  return world;
}

const leasedOf = (world: World, space = small) => spaceOf(world.twin, space).leases.size;

describe('a source of many stale rows beside one of ten', () => {
  test.each(['incremental', 'reconcile'] as const)(
    'has its rows in each tick that may lease so many only, and leaves the others to the large one: %s',
    async pass => {
      const world = openSources(1_000, 10);
      for (const space of [large, small])
        await world.detectPorts.detection.writeWatermark(space, [printTimestamp(minutesAgo(world.twin, 10))]);
      const leased: number[] = [];

      for (let tick = 0; tick < 4; tick += 1) {
        const { randomness } = world.detectPorts;
        const cold = { ...world.detectPorts, randomness: { ...randomness, fraction: () => 0 } };
        await detectStaleRows(cold, { pass, maxRows: 100 }, () => TICK_MS);
        leased.push(leasedOf(world));
      }

      expect(leased).toEqual([10, 10, 10, 10]);
      expect(leasedOf(world, large)).toBe(390);
    },
  );

  test('takes its rows within a few ticks of one row, each of a process of its own, as of a cold Lambda', async () => {
    const world = openSources(10_000, 10);
    for (const space of [large, small])
      await world.detectPorts.detection.writeWatermark(space, [printTimestamp(minutesAgo(world.twin, 10))]);
    let ticks = 0;

    while (leasedOf(world) === 0 && ticks < 40) {
      const cold = { ...world.detectPorts };
      await detectStaleRows(cold, { pass: 'incremental', maxRows: 1 }, () => TICK_MS);
      ticks += 1;
    }

    expect(leasedOf(world)).toBe(1);
    expect(ticks).toBeLessThan(40);
  });

  test('leaves the other half of a tick in which its walk over the keys does not end', async () => {
    const world = openSources(500, 10);
    const { detection } = world.detectPorts;
    const slow: DetectPorts = {
      ...world.detectPorts,
      limits: { ...world.detectPorts.limits, sliceRows: 10 },
      detection: {
        ...detection,
        findSliceEnd: (...slice) => {
          world.clock.advance(30_000);
          return detection.findSliceEnd(...slice);
        },
      },
    };
    const startMs = world.clock.now();

    const { spaces } = await detectStaleRows(slow, { pass: 'reconcile' }, () => {
      return TICK_MS - (world.clock.now() - startMs);
    });

    expect(spaces).toMatchObject([
      { source: 'large', slices: 5, passEnded: false },
      { source: 'small', leased: 10, passEnded: true },
    ]);
    expect(world.clock.now() - startMs).toBeLessThanOrEqual(TICK_MS);
  });

  test('does not keep them waiting in a local run until it is done', async () => {
    const world = openSources(3_000, 10);
    let largeLeft = 0;
    world.provider.script = async request => {
      await world.clock.sleep(500);
      return embedAll(request);
    };
    const stop = new AbortController();
    const watch = async () => {
      while (findStaleRows(world.twin, small).length > 0) await world.clock.sleep(100);
      largeLeft = findStaleRows(world.twin, large).length;
      stop.abort();
    };

    await Promise.all([
      runUntilFresh(toLocalRunPorts(world, { batchSize: 10, concurrency: 2 }, { signal: stop.signal })),
      watch(),
    ]);

    expect(largeLeft).toBeGreaterThan(1_500);
  });
});

test('rows that were in a call when a process died have their turn in a local run, behind ten times as many others', async () => {
  const world = openSources(3_000, 0);
  const suspects = new Set(Array.from({ length: 12 }, (_, row) => String(row * 200).padStart(5, '0')));
  const died = { stage: 'embedding', lane: 'bulk', runId: 7, expiresAt: 0 } as const;
  for (const id of suspects) leaseRow(world.twin, large, id, died);
  const othersBefore: number[] = [];
  let others = 0;
  world.provider.script = async request => {
    await world.clock.sleep(500);
    for (const text of request.texts) {
      if (suspects.has(text.slice(5).padStart(5, '0'))) othersBefore.push(others);
      else others += 1;
    }
    return embedAll(request);
  };

  await runUntilFresh(toLocalRunPorts(world, { batchSize: 10, concurrency: 2 }));

  expect(othersBefore).toHaveLength(12);
  expect(othersBefore[0]).toBeGreaterThan(900);
  expect(othersBefore.at(-1)).toBeLessThan(2_000);
});

describe('ten rows of a tenant behind a mass change of another', () => {
  const shared = makeSpace({ source: { tenantColumn: 'tenant' } });

  /** A crowd of rows in front of ten others, and another one behind them; a look walks 2,000 rows. */
  async function openCrowd(space: typeof shared, crowd: number, crowdBehind = 0) {
    const world = makeWorld([space]);
    const { rows } = sourceOf(world.twin, space);
    const put = (id: string, tenant: string, minutes: number) => {
      putRow(world.twin, space, id, `text ${id}`, minutesAgo(world.twin, minutes));
      rows.set(id, { ...rows.get(id)!, tenant });
    };
    const store = (id: string) =>
      storeOutcome(world.twin, space, id, {
        ...{ outcome: 'embedded', contentHash: null },
        version: rows.get(id)!.version,
      });
    for (let row = 0; row < crowd; row += 1) put(String(row).padStart(6, '0'), 'crowd', 5);
    const few = Array.from({ length: 10 }, (_, row) => `9${String(row).padStart(5, '0')}`);
    for (const id of few) put(id, 'few', 4);
    for (let row = 0; row < crowdBehind; row += 1) put(String(row + 500_000), 'crowd', 3);
    await world.detectPorts.detection.writeWatermark(space, [printTimestamp(minutesAgo(world.twin, 10))]);
    const { leases, outcomes } = spaceOf(world.twin, space);
    const isTaken = (id: string) => leases.has(id) || outcomes.has(id);
    const storeLeased = () => {
      for (const id of leases.keys()) store(id);
      leases.clear();
    };
    return { world, put, store, isTaken, storeLeased, areTaken: () => few.every(isTaken) };
  }

  /** Ticks that go by until the ten rows are leased; each tick stores what the one before it leased. */
  async function countTicks(...given: Parameters<typeof openCrowd>): Promise<number> {
    const { world, areTaken, storeLeased } = await openCrowd(...given);
    for (let tick = 1; ; tick += 1) {
      await detectStaleRows(world.detectPorts, { pass: 'incremental', maxRows: 100 }, () => TICK_MS);
      if (areTaken()) return tick;
      storeLeased();
    }
  }

  /**
   * Runs one tick, whose looks each store what the one before leased, until `mayEnd`. Returns the
   * rows that each look walked behind its page at most, and how many looks there were by then.
   */
  async function tickOnce(
    { world, storeLeased }: Awaited<ReturnType<typeof openCrowd>>,
    mayEnd: (looks: number) => boolean,
  ) {
    const { detection } = world.detectPorts;
    const walkedRows: number[] = [];
    let looks = 0;
    const ports: DetectPorts = {
      ...world.detectPorts,
      limits: { ...world.detectPorts.limits, maxInFlight: 100 },
      drainClock: { ...world.clock, sleep: async () => storeLeased() },
      detection: {
        ...detection,
        leaseChangedRows: (...asked) => {
          looks += 1;
          walkedRows.push(0);
          return detection.leaseChangedRows(...asked);
        },
        leaseBehindCrowd: async (space, asked) => {
          const walked = await detection.leaseBehindCrowd(space, asked);
          const { rows } = sourceOf(world.twin, space);
          const isPassed = (version: number | null) =>
            asked.newerThan === undefined || printTimestamp(version ?? 0) > asked.newerThan.version;
          const seen = [...rows.values()].filter(({ version }) => isPassed(version)).length;
          walkedRows[looks - 1]! += Math.min(asked.walkedRows, seen);
          return walked;
        },
      },
    };
    await detectStaleRows(ports, { pass: 'incremental' }, () => (mayEnd(looks) ? 0 : TICK_MS));
    return { looks, walkedRows };
  }

  test('are leased by the looks of one tick that walk as far, where they stand between two mass changes', async () => {
    const crowd = await openCrowd(shared, 2_000, 7_000);

    const { looks } = await tickOnce(crowd, looks => looks > 20 || crowd.areTaken());

    // Three walks see the 6,000 newest rows, the fourth the ten; an older part has seven turns a look.
    expect(looks).toBeLessThanOrEqual(6);
  });

  test('are leased within as many ticks, where a process remembers how far it walked', async () => {
    expect(await countTicks(shared, 2_000, 7_000)).toBeLessThanOrEqual(6);
  });

  test('are behind a crowd that is walked once in a tick, however often it looks', async () => {
    const crowd = await openCrowd(shared, 5_000);

    const { walkedRows } = await tickOnce(crowd, looks => looks >= 10);

    expect(walkedRows.slice(4).every(rows => rows < 100)).toBe(true);
    expect(walkedRows.reduce((sum, rows) => sum + rows)).toBeLessThanOrEqual(6_100);
  });

  test.each([
    ['all rows before it were changed in the past', 'none'],
    ['a stale row of the crowd is dated ahead', 'stale'],
    ['a fresh row of the crowd is dated ahead', 'fresh'],
  ])('an edit that comes while a crowd is walked is leased by the next look, where %s', async (_, ahead) => {
    const crowd = await openCrowd(shared, 2_000, 7_000);
    if (ahead !== 'none') crowd.put('800000', 'crowd', -600);
    if (ahead === 'fresh') crowd.store('800000');
    let edited = 0;

    await tickOnce(crowd, looks => {
      if (looks === 2 && edited === 0) {
        crowd.put('900099', 'late', 1);
        edited = looks;
      }
      return looks > 3;
    });

    expect(edited).toBe(2);
    expect(crowd.isTaken('900099')).toBe(true);
  });

  test('are leased by the first look, where the tenant’s column is known', async () => {
    expect(await countTicks(shared, 2_000)).toBe(1);
  });

  test('wait for all of it, where it is not', async () => {
    expect(await countTicks(makeSpace(), 2_000)).toBe(21);
  });
});
