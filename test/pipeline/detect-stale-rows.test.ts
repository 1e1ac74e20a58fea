import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { findSendFault, parseDispatchMessage, writeMessage } from '../../lib/core/messages.ts';
import { composeResultKey } from '../../lib/core/result-object.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import { detectAlone } from '../../lib/pipeline/detect/detect-alone.ts';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect-request.ts';
import type { TickLock } from '../../lib/ports/detection-store.ts';
import { holdHorizon, leaseRow, minutesAgo, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { printTimestamp, seconds } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

const plenty = () => 600_000;
const incremental = { pass: 'incremental' } as const;
const reconcile = { pass: 'reconcile' } as const;

/** So many rows, all written so many minutes ago, which their keys begin with. */
function fill(world: World, count: number, minutes = 0, space = makeSpace()) {
  for (let index = 0; index < count; index += 1) {
    const id = `${String(minutes).padStart(3, '0')}-${String(index).padStart(4, '0')}`;
    putRow(world.twin, space, id, `text ${index}`, minutesAgo(world.twin, minutes));
  }
}
const messagesOf = (world: World, lane: string, alias = 'small') =>
  (
    world.dispatch
      .find(queue => queue.lane === lane && queue.modelAlias === alias)
      ?.queue.remainingBodies() ?? []
  ).map(parseDispatchMessage);
const tableOf = (world: World) => spaceOf(world.twin, makeSpace());
const sourceIn = (world: World) => sourceOf(world.twin, makeSpace());
const positionOf = (world: World) => world.detectPorts.detection.readPosition(makeSpace());
const timeOf = (world: World, minutes: number) => printTimestamp(minutesAgo(world.twin, minutes));
const setWatermark = (world: World, minutes: number) =>
  world.detectPorts.detection.writeWatermark(makeSpace(), [timeOf(world, minutes)]);
const expiredOf = (world: World) =>
  [...tableOf(world).leases.values()].filter(({ expiresAt }) => expiresAt <= world.twin.now());

describe('the incremental pass', () => {
  test('sends changed rows in batches to the fresh lane and confirms their leases', async () => {
    const world = makeWorld();
    fill(world, 250);

    const report = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(report.spaces).toMatchObject([{ leased: 250, sent: 250, passEnded: false }]);
    expect(messagesOf(world, 'fresh').map(({ ids }) => ids.length)).toEqual([100, 100, 50]);
    const stages = [...tableOf(world).leases.values()].map(({ stage }) => stage);
    expect(stages).toEqual(Array(250).fill('queued'));
  });

  test('reads the horizon before the scan', async () => {
    const world = makeWorld();

    await detectStaleRows(world.detectPorts, incremental, plenty);

    const { events } = world.calls;
    expect(events.indexOf('readHorizon')).toBeLessThan(events.indexOf('leaseChangedRows'));
  });

  test('starts a space without a watermark at the horizon and leaves older rows to reconcile', async () => {
    const world = makeWorld();
    holdHorizon(world.twin, minutesAgo(world.twin, 50));
    fill(world, 1, 60);
    fill(world, 1, 40);

    const report = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(report.spaces[0]?.sent).toBe(1);
    expect((await positionOf(world)).watermark).toBe(timeOf(world, 50));
  });

  test('never moves the watermark past the first stale row that the capacity left out', async () => {
    const world = makeWorld();
    await setWatermark(world, 90);
    fill(world, 3, 80);
    fill(world, 3, 70);

    await detectStaleRows(world.detectPorts, { ...incremental, maxRows: 3 }, plenty);

    expect((await positionOf(world)).watermark).toBe(timeOf(world, 70));
  });

  test('moves the watermark back when the horizon is behind it', async () => {
    const world = makeWorld();
    await setWatermark(world, 50);
    holdHorizon(world.twin, minutesAgo(world.twin, 70));

    await detectStaleRows(world.detectPorts, incremental, plenty);

    expect((await positionOf(world)).watermark).toBe(timeOf(world, 70));
  });

  test('leaves the watermark where it is while the horizon is unknown', async () => {
    const world = makeWorld();
    await setWatermark(world, 80);
    holdHorizon(world.twin, 'unknown');
    fill(world, 2, 70);

    const report = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(report.spaces[0]?.sent).toBe(2);
    expect((await positionOf(world)).watermark).toBe(timeOf(world, 80));
  });

  test('frees the rows that the queue refuses and stops the watermark at them', async () => {
    const world = makeWorld();
    await setWatermark(world, 90);
    fill(world, 100, 80);
    fill(world, 50, 70);
    const send = async (bodies: readonly unknown[]) => ({
      failed: bodies.length > 1 ? [{ index: 1, code: 'InternalError' }] : [],
    });
    const ports = { ...world.detectPorts, queues: () => ({ send, changeVisibility: async () => undefined }) };

    const report = await detectStaleRows(ports, incremental, plenty);

    expect(report.spaces[0]).toMatchObject({ leased: 150, sent: 100 });
    expect((await positionOf(world)).watermark).toBe(timeOf(world, 70));
    const free = expiredOf(world);
    expect(free).toHaveLength(50);
    expect(free.every(({ attempts }) => attempts === 0)).toBe(true);
  });

  test('frees every row when nothing is known of a send', async () => {
    const world = makeWorld();
    fill(world, 5);
    const send = async () =>
      Promise.reject(new FreshetError('gone', { failureClass: 'transient', code: 'reset' }));
    const ports = { ...world.detectPorts, queues: () => ({ send, changeVisibility: async () => undefined }) };

    const report = await detectStaleRows(ports, incremental, plenty);

    expect(report.spaces[0]?.fault).toMatchObject({ code: 'reset', failureClass: 'transient' });
    expect((await positionOf(world)).watermark).toBeNull();
    expect(await world.detectPorts.detection.countInFlight(makeSpace())).toBe(0);
  });

  test.each([incremental, reconcile])(
    'frees every row where its messages cannot be made: %j',
    async request => {
      const world = makeWorld();
      fill(world, 5);
      const limits = {
        ...world.detectPorts.limits,
        get callsPerMessage(): number {
          throw new TypeError('canary');
        },
      };

      const report = await detectStaleRows({ ...world.detectPorts, limits }, request, plenty);

      expect(report.spaces[0]?.fault).toMatchObject({ code: 'unexpected', failureClass: 'unknown' });
      expect(await world.detectPorts.detection.countInFlight(makeSpace())).toBe(0);
    },
  );

  test('sends a large lease as messages of several batches, and a small one as before', async () => {
    const sizes = async (rows: number) => {
      const world = makeWorld();
      for (let index = 0; index < rows; index += 1) {
        putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), 'text');
      }
      const limits = { ...world.detectPorts.limits, sliceRows: 10_000, callsPerMessage: 5 };
      await detectStaleRows({ ...world.detectPorts, limits }, { pass: 'reconcile' }, () => 600_000);
      return world.dispatch
        .flatMap(({ queue }) => queue.remainingBodies())
        .map(body => parseDispatchMessage(body).ids.length);
    };

    expect(await sizes(450)).toEqual([100, 100, 100, 100, 50]);
    expect(new Set(await sizes(1_600))).toEqual(new Set([200]));
    expect(Math.max(...(await sizes(9_000)))).toBe(500);
  });

  test('sends rows that began before in smaller batches, by how often', async () => {
    const world = makeWorld();
    fill(world, 75);
    for (const [index, id] of [...sourceIn(world).rows.keys()].entries()) {
      const attempts = [0, 1, 2, 3, 5][Math.floor(index / 15)] ?? 0;
      leaseRow(world.twin, makeSpace(), id, { attempts, expiresAt: world.twin.now() });
    }

    await detectStaleRows(world.detectPorts, incremental, plenty);

    const sizes = messagesOf(world, 'fresh').map(({ attempts, ids }) => [attempts, ids.length]);
    const single = Array.from({ length: 15 }, () => [3, 1]);
    expect(sizes).toEqual([[0, 15], [1, 15], [2, 10], [2, 5], ...single, [5, 15]]);
  });

  test('leases no more than the space may have in flight', async () => {
    const world = makeWorld();
    fill(world, 30);
    const ports = { ...world.detectPorts, limits: { ...world.detectPorts.limits, maxInFlight: 20 } };

    const first = await detectStaleRows(ports, incremental, plenty);
    const second = await detectStaleRows(ports, incremental, plenty);

    expect([first.spaces[0]?.leased, second.spaces[0]?.leased]).toEqual([20, 0]);
  });

  test('reports how stale the space is, also while it is paused', async () => {
    const world = makeWorld();
    fill(world, 7);
    await detectStaleRows(world.detectPorts, incremental, plenty);
    world.metrics.sums.clear();
    world.clock.advance(7_000);
    await world.control.pause('pipeline', 'operator', '');

    await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(world.metrics.sums.get('StaleRows')).toBe(7);
    expect(world.metrics.sums.get('OldestStaleRowAgeSeconds')).toBe(7);
  });
});

describe('how stale a space is', () => {
  test('is not asked where nobody watches it', async () => {
    const world = makeWorld();
    fill(world, 7);

    await detectStaleRows({ ...world.detectPorts, reportsStaleness: false }, incremental, plenty);

    expect(world.metrics.sums.has('StaleRows')).toBe(false);
    expect(world.calls.events).not.toContain('readStaleness 1');
  });
});

describe('detection into queues of this process', () => {
  const local = async (rows: number) => {
    const world = makeWorld();
    await setWatermark(world, 90);
    fill(world, rows, 80);
    return { world, ports: { ...world.detectPorts, confirmsSends: false } as const };
  };
  const leasesOf = (world: World) => [...tableOf(world).leases.values()];

  test.each([incremental, reconcile])(
    'leases rows as queued for the queue’s time and confirms nothing: %j',
    async request => {
      const { world, ports } = await local(250);

      const report = await detectStaleRows(ports, request, plenty);

      expect(report.spaces).toMatchObject([{ leased: 250, sent: 250 }]);
      const expiresAt = world.twin.now() + seconds(world.detectPorts.limits.queuedLeaseSeconds);
      expect(leasesOf(world)).toMatchObject(Array(250).fill({ stage: 'queued', expiresAt }));
      expect(world.calls.events).not.toContain('confirmSent');
    },
  );

  test('sends long keys in messages whose announcement has room for the ids of all its calls', async () => {
    const world = makeWorld();
    await setWatermark(world, 90);
    // 2,048 keys of 508 characters fill a message to within a kilobyte.
    for (let index = 0; index < 2048; index += 1)
      putRow(world.twin, makeSpace(), String(index).padStart(508, 'k'), 'text', minutesAgo(world.twin, 80));
    const limits = { ...world.detectPorts.limits, batchSize: 2048 };

    await detectStaleRows({ ...world.detectPorts, limits }, incremental, plenty);

    const messages = messagesOf(world, 'fresh');
    expect(messages.reduce((sum, { ids }) => sum + ids.length, 0)).toBe(2048);
    for (const { spaceId, dispatchId, ids } of messages) {
      const body = writeMessage({
        ...{ v: 1, kind: 'announce', spaceId, dispatchId, ids },
        key: composeResultKey(spaceId, dispatchId, randomUUID()),
        sha256: 'a'.repeat(64),
        // A learned pace may be one text a call, of which each is tried three times.
        calls: Array.from({ length: 3 * ids.length }, () => randomUUID()),
      });
      expect(findSendFault({ body })).toBeUndefined();
    }
  });

  test('frees what a queue refuses all the same', async () => {
    const { world, ports } = await local(150);
    const send = async () => ({ failed: [{ index: 1, code: 'MessageTooLong' }] });

    const report = await detectStaleRows(
      { ...ports, queues: () => ({ send, changeVisibility: async () => undefined }) },
      incremental,
      plenty,
    );

    expect(report.spaces[0]).toMatchObject({ leased: 150, sent: 100 });
    expect(expiredOf(world)).toHaveLength(50);
  });

  test.each([
    ['leaseChangedRows', incremental],
    ['leaseStaleSlice', reconcile],
  ] as const)(
    'gives back at once what was leased where the answer of %s is lost',
    async (method, request) => {
      const { world, ports } = await local(20);
      const detection = {
        ...ports.detection,
        [method]: async (...args: Parameters<typeof ports.detection.leaseStaleSlice>) => {
          await world.detectPorts.detection[method](args[0], {
            ...args[1],
            watermark: timeOf(world, 90),
          });
          throw new FreshetError('reset', { failureClass: 'transient', code: 'network_econnreset' });
        },
      };

      const report = await detectStaleRows({ ...ports, detection }, request, plenty);
      const next = await detectStaleRows(ports, incremental, plenty);

      expect(report.spaces[0]?.fault).toMatchObject({ code: 'network_econnreset' });
      expect(next.spaces[0]).toMatchObject({ sent: 20 });
      expect(leasesOf(world).every(({ attempts }) => attempts === 0)).toBe(true);
    },
  );
});

describe('coverage', () => {
  test('is counted at the end of a walk over all keys, and only there', async () => {
    const world = makeWorld();
    fill(world, 3);
    const asked: number[] = [];
    const ports = {
      ...world.detectPorts,
      readCoveragePercent: async (_: unknown, timeoutMs: number) => {
        asked.push(timeoutMs);
        return 99.98;
      },
    };

    await detectStaleRows(ports, incremental, plenty);
    await detectStaleRows(ports, reconcile, plenty);
    await detectStaleRows(ports, reconcile, () => 12_000);

    expect(world.metrics.sums.get('OrphanRemovalStopped'), 'an alarm sees that all is well').toBe(0);
    expect(asked).toEqual([60_000]);
    expect(world.metrics.sums.get('CoveragePercent')).toBe(99.98);
  });

  test('that takes too long does not fail the walk', async () => {
    const world = makeWorld();
    const ports = {
      ...world.detectPorts,
      readCoveragePercent: async () => {
        throw new FreshetError('late', { failureClass: 'transient', code: '57014' });
      },
    };

    const report = await detectStaleRows(ports, reconcile, plenty);

    expect(report.spaces[0]).toMatchObject({ passEnded: true });
    expect(world.logger.lines.map(({ event }) => event)).toContain('coverage-not-measured');
  });
});

describe('spaces that cannot be worked on', () => {
  const other = makeSpace({ spaceId: 2, source: { name: 'other' }, model: { alias: 'large' } });
  const two = () => makeWorld([makeSpace(), other]);

  test('pause with the reason when their source is at fault, and the next one goes on', async () => {
    const world = two();
    sourceIn(world).fault = { code: 'column-missing', message: 'column title is gone' };
    fill(world, 2, 0, other);

    const report = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(report.spaces.map(({ sent }) => sent)).toEqual([0, 2]);
    expect(report.spaces[0]?.fault).toEqual({ code: 'column-missing', message: 'column title is gone' });
    expect(world.twin.pauses).toMatchObject([
      { scope: 'source:items', reason: 'source-fault:column-missing' },
    ]);
  });

  test('go on once the source is mended, and keep the reasons that others set', async () => {
    const world = makeWorld();
    fill(world, 2);
    sourceIn(world).fault = { code: 'permission', message: '' };
    await detectStaleRows(world.detectPorts, incremental, plenty);
    await world.control.pause('source:items', 'operator', '');
    sourceIn(world).fault = undefined;

    const paused = await detectStaleRows(world.detectPorts, incremental, plenty);
    await world.control.resume('source:items', 'operator');
    const resumed = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(paused.spaces[0]?.pausedBy?.map(({ reason }) => reason)).toEqual(['operator']);
    expect(resumed.spaces[0]?.sent).toBe(2);
  });

  test.each(['pipeline', 'model:small', 'source:items'])('send nothing while %s is paused', async scope => {
    const world = makeWorld();
    fill(world, 2);
    await world.control.pause(scope, 'operator', '');

    const report = await detectStaleRows(world.detectPorts, reconcile, plenty);

    expect(report.spaces[0]).toMatchObject({ leased: 0, sent: 0 });
    expect(messagesOf(world, 'bulk')).toEqual([]);
  });

  test('do not stop the others when a statement on them fails', async () => {
    const world = two();
    fill(world, 2, 0, other);
    world.calls.before = event => {
      if (event !== 'findSourceFault 1') return;
      throw new FreshetError('refused', { failureClass: 'stop', code: 'sqlstate_42501' });
    };

    const report = await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(report.spaces[0]?.fault).toMatchObject({ code: 'sqlstate_42501', failureClass: 'stop' });
    expect(report.spaces[1]?.sent).toBe(2);
  });

  test('have the leases of dead runs expired once, whatever the number of spaces', async () => {
    const world = two();

    await detectStaleRows(world.detectPorts, incremental, plenty);

    expect(world.calls.events.filter(event => event === 'expireLeasesOfDeadRuns')).toHaveLength(1);
  });
});

describe('the reconcile pass', () => {
  const sliced = (sliceRows: number) => {
    const world = makeWorld();
    return { world, ports: { ...world.detectPorts, limits: { ...world.detectPorts.limits, sliceRows } } };
  };

  test('walks the whole key slice by slice into the bulk lane and ends the pass', async () => {
    const { world, ports } = sliced(10);
    fill(world, 25);

    const report = await detectStaleRows(ports, reconcile, plenty);

    expect(report.spaces[0]).toMatchObject({ sent: 25, slices: 3, passBegan: true, passEnded: true });
    expect(messagesOf(world, 'bulk').flatMap(({ ids }) => ids)).toHaveLength(25);
    expect(world.calls.events.filter(event => event.startsWith('removeOrphans'))).toHaveLength(3);
    expect((await positionOf(world)).reconcileCursor).toBeNull();
  });

  const recorded = (ports: ReturnType<typeof sliced>['ports']) => {
    const sizes: number[] = [];
    const { findSliceEnd } = ports.detection;
    const detection = {
      ...ports.detection,
      findSliceEnd: (space: Parameters<typeof findSliceEnd>[0], cursor: string | null, rows: number) => {
        sizes.push(rows);
        return findSliceEnd(space, cursor, rows);
      },
    };
    return { sizes, ports: { ...ports, detection } };
  };

  test('begins with a slice of its capacity and makes it eight times as large while there is nothing to lease', async () => {
    const { world, ports } = sliced(200_000);
    fill(world, 7500);
    await detectStaleRows(ports, reconcile, plenty);
    const { sizes, ports: recording } = recorded(ports);

    const report = await detectStaleRows(recording, { ...reconcile, maxRows: 1200 }, plenty);

    expect(sizes).toEqual([1200, 9600]);
    expect(report.spaces[0]).toMatchObject({ leased: 0, passEnded: true });
  });

  test('reads each key of a backfill once', async () => {
    const { world, ports } = sliced(200_000);
    fill(world, 4500);
    const { sizes, ports: recording } = recorded(ports);

    for (let tick = 0; tick < 3; tick += 1)
      await detectStaleRows(recording, { ...reconcile, maxRows: 2000 }, plenty);

    expect(sizes).toEqual([2000, 2000, 2000]);
    expect(messagesOf(world, 'bulk').flatMap(({ ids }) => ids)).toHaveLength(4500);
    expect((await positionOf(world)).reconcileCursor).toBeNull();
  });

  test('takes no larger slice than holds what it can lease where a share of the rows is to be leased', async () => {
    const { world, ports } = sliced(200_000);
    fill(world, 6000);
    for (const [position, id] of [...sourceIn(world).rows.keys()].entries()) {
      if (position % 5 > 0) leaseRow(world.twin, makeSpace(), id, { lane: 'bulk' });
    }
    const { sizes, ports: recording } = recorded(ports);

    const report = await detectStaleRows(recording, { ...reconcile, maxRows: 1000 }, plenty);

    expect(sizes).toEqual([1000, 2000, 2000]);
    expect(report.spaces[0]).toMatchObject({ leased: 1000 });
  });

  test('keeps the cursor on a slice that the capacity did not empty', async () => {
    const { world, ports } = sliced(10);
    fill(world, 25);

    const report = await detectStaleRows(ports, { ...reconcile, maxRows: 12 }, plenty);

    expect(report.spaces[0]).toMatchObject({ sent: 12, slices: 1, passEnded: false });
    expect((await positionOf(world)).reconcileCursor).toBe('000-0009');
  });

  test('stops when the time runs short and goes on from there', async () => {
    const { world, ports } = sliced(10);
    fill(world, 25);
    const times = [60_000, 5_000];

    const first = await detectStaleRows(ports, reconcile, () => times.shift() ?? 0);
    const second = await detectStaleRows(ports, reconcile, plenty);

    expect(first.spaces[0]).toMatchObject({ slices: 1, passBegan: true, passEnded: false });
    expect(second.spaces[0]).toMatchObject({ slices: 2, passBegan: false, passEnded: true });
  });
});

describe('a tick that resumes', () => {
  const resume = { pass: 'reconcile', resume: true } as const;

  test('begins the first pass of a space, and nothing after its end', async () => {
    const world = makeWorld();
    fill(world, 3);

    const first = await detectStaleRows(world.detectPorts, resume, plenty);
    fill(world, 3, 70);
    const second = await detectStaleRows(world.detectPorts, resume, plenty);

    expect(first.spaces).toMatchObject([{ sent: 3, passEnded: true }]);
    expect(second.spaces).toMatchObject([{ sent: 0, passBegan: false, slices: 0 }]);
  });

  test('takes further a pass that could not end its first slice', async () => {
    const world = makeWorld();
    await detectStaleRows(world.detectPorts, reconcile, plenty);
    fill(world, 12);
    const ports = { ...world.detectPorts, limits: { ...world.detectPorts.limits, maxInFlight: 5 } };

    const full = await detectStaleRows(ports, reconcile, plenty);
    const resumed = await detectStaleRows({ ...ports, limits: world.detectPorts.limits }, resume, plenty);

    expect(full.spaces).toMatchObject([{ sent: 5, passEnded: false }]);
    expect(resumed.spaces).toMatchObject([{ sent: 7, passEnded: true }]);
  });
});

describe('a tick beside another', () => {
  const lockOf = (taken: readonly string[]): TickLock => ({
    tryAlone: async (name, _, work) => (taken.includes(name) ? undefined : work()),
  });

  test('of its pass looks at nothing, ends well and counts it', async () => {
    const world = makeWorld();
    fill(world, 3);
    const ports = { ...world.detectPorts, lock: lockOf(['detect:reconcile']) };

    const report = await detectAlone(ports, reconcile, plenty);

    expect(report).toEqual({ spaces: [], overlapped: true });
    expect(world.metrics.sums.get('OverlappedTicks')).toBe(1);
  });

  test('waits for none but its own where a source has a schedule of its own for edits', async () => {
    const world = makeWorld();
    fill(world, 3);
    const [source] = (await world.detectPorts.spaces.list()).map(space => space.source.name);
    const own = { ...incremental, sources: [source!] };
    const beside = (taken: string) =>
      detectAlone({ ...world.detectPorts, lock: lockOf([taken]) }, own, plenty);

    expect(await beside(`detect:incremental:${source}`)).toEqual({ spaces: [], overlapped: true });
    expect((await beside('detect:incremental')).spaces).toMatchObject([{ sent: 3 }]);
    expect(world.metrics.sums.get('OverlappedTicks')).toBe(1);
  });

  test('of the other pass goes on', async () => {
    const world = makeWorld();
    fill(world, 3);
    const ports = { ...world.detectPorts, lock: lockOf(['detect:reconcile']) };

    const report = await detectAlone(ports, incremental, plenty);

    expect(report.spaces).toMatchObject([{ sent: 3 }]);
    expect(world.metrics.sums.get('OverlappedTicks')).toBe(0);
  });
});

describe('a request for detect', () => {
  test.each([
    undefined,
    {},
    { pass: 'full' },
    { pass: 'reconcile', sources: 'items' },
    { pass: 'reconcile', maxRows: -1 },
    { pass: 'incremental', resume: true },
    { pass: 'reconcile', resum: true },
    { pass: 'reconcile', mode: 1 },
  ])('is refused when it is %j', event => {
    expect(() => parseDetectRequest(event)).toThrow(/correct the schedule/);
  });
});
