import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import type { LocalRunLimits } from '../../lib/local/run-ports.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, findStaleRows, leaseRow, minutesAgo, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld, type World } from '../factories/world.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

function fill(world: World, count: number, textOf = (index: number) => `text ${index}`) {
  for (let index = 0; index < count; index += 1) {
    putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), textOf(index));
  }
}

const tableOf = (world: World) => spaceOf(world.twin, makeSpace());
const staleRowsOf = (world: World) => findStaleRows(world.twin, makeSpace()).length;

describe('a local run', () => {
  test('ends when nothing is stale, with the totals of what it did', async () => {
    const world = makeWorld();
    fill(world, 2_345, index => (index % 100 === 0 ? '' : `text ${index}`));

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(staleRowsOf(world)).toBe(0);
    expect(result).toMatchObject({
      embedded: 2_321,
      excluded: 24,
      failed: 0,
      itemsDone: 2_345,
      errorRate: 0,
    });
    expect(result.providerCalls).toBe(24);
    expect(result).toMatchObject({ interrupted: false, deadLetters: 0, faults: [] });
    expect(tableOf(world).leases.size).toBe(0);
    expect(world.twin.grants.size).toBe(0);
  });

  test('calls nobody and writes nothing when nothing changed', async () => {
    const world = makeWorld();
    fill(world, 300);
    await runUntilFresh(toLocalRunPorts(world));
    world.calls.events.length = 0;
    const calls = world.provider.requests.length;

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(world.provider.requests.length).toBe(calls);
    expect(world.calls.events.filter(event => event === 'writeReconcileCursor at the end')).toHaveLength(1);
    expect(world.calls.events).not.toContain('writeResult');
    expect(result.faults).toEqual([]);
  });

  test('embeds a row that was edited while its batch was in flight with its last text', async () => {
    const world = makeWorld();
    fill(world, 3);
    world.provider.script = (request, call) => {
      if (call === 1) putRow(world.twin, makeSpace(), '00001', 'edited');
      return embedAll(request);
    };

    await runUntilFresh(toLocalRunPorts(world));

    expect(staleRowsOf(world)).toBe(0);
    expect(world.provider.requests.at(-1)?.texts).toEqual(['edited']);
  });

  test('counts every pass from the lowest key, also when an earlier run stopped in the middle of one', async () => {
    const world = makeWorld();
    fill(world, 50);
    await runUntilFresh(toLocalRunPorts(world));
    await world.detectPorts.detection.writeReconcileCursor(makeSpace(), '00040', false);
    putRow(world.twin, makeSpace(), '00010', 'behind the cursor', minutesAgo(world.twin, 60));

    await runUntilFresh(toLocalRunPorts(world));

    expect(staleRowsOf(world)).toBe(0);
  });

  test('keeps its workers busy with a bounded look-ahead', async () => {
    const world = makeWorld();
    fill(world, 5_000);
    let most = 0;
    let active = 0;
    let mostActive = 0;
    world.provider.script = async request => {
      active += 1;
      mostActive = Math.max(mostActive, active);
      most = Math.max(most, [...tableOf(world).leases.values()].length);
      await world.clock.sleep(100);
      active -= 1;
      return embedAll(request);
    };

    await runUntilFresh(toLocalRunPorts(world, { concurrency: 4 }));

    expect(mostActive).toBe(4);
    // Four workers finish 40 batches a second.
    expect(most).toBeLessThanOrEqual((40 + 4 + 4) * 100);
  });

  test('embeds rows whose keys are so long that no message holds a batch of them', async () => {
    const world = makeWorld([makeSpace()], 1_000);
    for (let index = 0; index < 1_000; index += 1) {
      const key = String(index).padStart(4, '0').padEnd(2_600, 'ä');
      putRow(world.twin, makeSpace(), key, `text ${index % 900}`);
    }

    const result = await runUntilFresh(toLocalRunPorts(world, { batchSize: 1_000 }));

    expect(staleRowsOf(world)).toBe(0);
    expect(result).toMatchObject({ deadLetters: 0, failed: 0 });
    expect(world.provider.requests.flatMap(({ texts }) => texts)).toHaveLength(900);
    expect(world.results.remainingBodies()).toEqual([]);
  });

  describe('that writes', () => {
    /** Runs with calls of these latencies, in the order they are made, and tells when how many results were written together. */
    async function watchWrites(latenciesMs: readonly number[], limits: Partial<LocalRunLimits> = {}) {
      const world = makeWorld();
      knowAsFast(world);
      fill(world, latenciesMs.length * 100);
      const startedMs = world.clock.now();
      world.provider.script = async (request, call) => {
        await world.clock.sleep(latenciesMs[call - 1] ?? 0);
        return embedAll(request);
      };
      const writes: { readonly atMs: number; readonly results: number }[] = [];
      const parts = toLocalRunPorts(world, { concurrency: 4, ...limits });
      await runUntilFresh({
        ...parts,
        handlers: {
          ...parts.handlers,
          async write(event, context) {
            writes.push({ atMs: world.clock.now() - startedMs, results: event.Records.length });
            return parts.handlers.write(event, context);
          },
        },
      });
      expect(staleRowsOf(world)).toBe(0);
      return writes;
    }

    test('writes together what comes within a moment of each other', async () => {
      expect(await watchWrites([100, 110, 1_000, 1_000])).toEqual([
        { atMs: 120, results: 2 },
        { atMs: 1_000, results: 2 },
      ]);
    });

    test('lets a result wait no longer than that moment', async () => {
      expect(await watchWrites([100, 1_000, 1_000, 1_000])).toEqual([
        { atMs: 120, results: 1 },
        { atMs: 1_000, results: 3 },
      ]);
    });

    test('waits for nobody where the workers would, or where nothing more is bought', async () => {
      expect(await watchWrites([100, 105, 110, 1_000])).toEqual([
        { atMs: 110, results: 3 },
        { atMs: 1_000, results: 1 },
      ]);
      expect(await watchWrites([100, 1_000], { concurrency: 2 })).toEqual([
        { atMs: 100, results: 1 },
        { atMs: 1_000, results: 1 },
      ]);
    });

    test('waits for nothing once it is told to stop', async () => {
      const world = makeWorld();
      fill(world, 400);
      const stop = new AbortController();
      let writtenAtMs: number | undefined;
      world.provider.script = async (request, call) => {
        await world.clock.sleep(call === 1 ? 100 : 2_000);
        if (call === 1) stop.abort();
        return embedAll(request);
      };
      const startedMs = world.clock.now();
      const parts = toLocalRunPorts(world, { concurrency: 4 }, { signal: stop.signal });
      const write: typeof parts.handlers.write = (event, context) => {
        writtenAtMs ??= world.clock.now() - startedMs;
        return parts.handlers.write(event, context);
      };

      await runUntilFresh({ ...parts, handlers: { ...parts.handlers, write } });

      expect(writtenAtMs).toBe(100);
    });
  });

  describe('that looks ahead', () => {
    /** Runs with a provider of this latency, and tells when it looked for edits and how many rows it leased each time. */
    async function watchLooks(latencyMs: number, rows: number, limits: Partial<LocalRunLimits> = {}) {
      const world = makeWorld();
      knowAsFast(world);
      fill(world, rows);
      const looks: { readonly atMs: number; readonly rows: number }[] = [];
      const startedMs = world.clock.now();
      world.provider.script = async request => {
        await world.clock.sleep(latencyMs);
        return embedAll(request);
      };
      const ports = {
        ...world.detectPorts,
        limits: { ...world.detectPorts.limits, callsPerMessage: 5, sliceRows: 50_000 },
      };
      const parts = toLocalRunPorts({ ...world, detectPorts: ports }, { concurrency: 4, ...limits });
      const result = await runUntilFresh({
        ...parts,
        handlers: {
          ...parts.handlers,
          async detect(request, context) {
            const atMs = world.clock.now() - startedMs;
            const report = await parts.handlers.detect(request, context);
            looks.push({ atMs, rows: report.spaces.reduce((sum, { leased }) => sum + leased, 0) });
            return report;
          },
        },
      });
      expect(result.embedded).toBe(rows);
      return { looks: looks.filter(({ rows: leased }) => leased > 0), result };
    }

    test('leases as much at once as it may while it is fast, looks about once a second and lets no worker wait', async () => {
      const { looks, result } = await watchLooks(80, 40_000);

      expect(looks[0]?.rows).toBe(2_400);
      const later = looks.slice(3, -1);
      expect(later.length).toBeGreaterThan(2);
      for (const { rows } of later) {
        expect(rows).toBeGreaterThan(3_600);
        expect(rows).toBeLessThanOrEqual(5_000);
      }
      const gaps = later.slice(1).map(({ atMs }, index) => atMs - (later[index]?.atMs ?? 0));
      for (const gap of gaps) expect(gap).toBeLessThan(1_500);
      // Four workers that are never idle take 8,000 ms for 400 calls.
      expect(result.durationMs).toBeLessThan(8_200);
    });

    test('looks again once fewer messages wait than it has workers', async () => {
      const { looks } = await watchLooks(2_000, 10_000);

      // Of the first eight messages, of three calls each, the workers are given four at once.
      expect(looks[1]?.atMs).toBeGreaterThanOrEqual(6_000);
    });

    test('takes no more than ever while its provider is slow', async () => {
      const { looks } = await watchLooks(2_000, 10_000);

      for (const { rows } of looks) expect(rows).toBeLessThanOrEqual(2_400);
    });

    test('leaves others room in what may be in flight', async () => {
      const { looks } = await watchLooks(5, 30_000, { maxInFlight: 6_000 });

      expect(Math.max(...looks.map(({ rows }) => rows))).toBeLessThanOrEqual(3_000);
    });

    test('takes up no more rows than it may when it is fast', async () => {
      const world = makeWorld();
      fill(world, 12_000);

      const result = await runUntilFresh(toLocalRunPorts(world, { maxItems: 9_050 }));

      expect(result.itemsDone).toBe(9_050);
    });
  });

  test('pauses between the batches of a worker', async () => {
    const world = makeWorld();
    fill(world, 300);

    const result = await runUntilFresh(toLocalRunPorts(world, { concurrency: 1, pauseMs: 1_000 }));

    expect(result.durationMs).toBeGreaterThanOrEqual(3_000);
    expect(result.averageMsPerItem).toBe(result.durationMs / 300);
  });

  test('takes up no more rows than it may', async () => {
    const world = makeWorld();
    fill(world, 1_000);

    const result = await runUntilFresh(toLocalRunPorts(world, { maxItems: 250 }));

    expect(result.itemsDone).toBe(250);
    expect(staleRowsOf(world)).toBe(750);
  });

  test('survives duplicated messages without buying much twice or storing anything wrong', async () => {
    const world = makeWorld();
    fill(world, 500);
    const [fresh] = world.dispatch;
    const bulk = world.dispatch[1];
    if (fresh && bulk) {
      const { send } = bulk.queue;
      bulk.queue.send = messages => send([...messages, ...messages]);
    }

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(staleRowsOf(world)).toBe(0);
    expect(result.embedded).toBeGreaterThanOrEqual(500);
    expect(countOutcomes(tableOf(world), 'embedded')).toBe(500);
  });

  test('leaves out a source at fault and says so', async () => {
    const other = makeSpace({ spaceId: 2, source: { name: 'other' } });
    const world = makeWorld([makeSpace(), other]);
    fill(world, 10);
    sourceOf(world.twin, other).fault = { code: 'source-missing', message: 'gone' };

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(result.embedded).toBe(10);
    expect(result.faults).toEqual([{ source: 'other', code: 'source-missing', message: 'gone' }]);
  });
});

describe('a local run in trouble', () => {
  test('survives 30 minutes of 429s without a dead letter, a lost row or a counted attempt', async () => {
    const world = makeWorld();
    fill(world, 1_000);
    const endsAtMs = world.clock.now() + 30 * 60_000;
    world.provider.script = request =>
      world.clock.now() < endsAtMs ? failWith('throttled', 'rate_limit', 45_000) : embedAll(request);

    const result = await runUntilFresh(toLocalRunPorts(world, { maxWaitMs: 60 * 60_000 }));

    expect(result).toMatchObject({ embedded: 1_000, failed: 0, deadLetters: 0 });
    expect(result.durationMs).toBeGreaterThanOrEqual(30 * 60_000);
    expect(staleRowsOf(world)).toBe(0);
  });

  test('sleeps until the next hidden message instead of asking again and again', async () => {
    const world = makeWorld();
    fill(world, 100);
    let receives = 0;
    for (const { queue } of world.dispatch) {
      const { receive } = queue;
      queue.receive = limit => {
        receives += 1;
        return receive(limit);
      };
    }
    world.provider.script = (request, call) =>
      call === 1 ? failWith('throttled', 'rate_limit', 240_000) : embedAll(request);

    await runUntilFresh(toLocalRunPorts(world));

    expect(receives).toBeLessThan(60);
  });

  test('rejects with the last reason when nothing gets done for too long, and leaves every row to the next run', async () => {
    const world = makeWorld();
    fill(world, 300);
    world.provider.script = () => failWith('throttled', 'rate_limit');
    const startedMs = world.clock.now();

    const run = runUntilFresh(toLocalRunPorts(world, { maxWaitMs: 300_000 }));

    await expect(run).rejects.toMatchObject({ failureClass: 'throttled', code: 'rate_limit' });
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(320_000);
    world.provider.script = embedAll;
    expect((await runUntilFresh(toLocalRunPorts(world))).deadLetters).toBe(0);
    expect(staleRowsOf(world)).toBe(0);
    expect(tableOf(world).failures.size).toBe(0);
  });

  test.each([
    ['throttled', 'rate_limit'],
    ['transient', 'http_503'],
  ] as const)(
    'rejects with the %s failure of calls that were still repeated when patience ended',
    async (failureClass, code) => {
      const world = makeWorld();
      fill(world, 300);
      world.provider.script = () => failWith(failureClass, code, 2_000);

      const run = runUntilFresh(toLocalRunPorts(world, { maxWaitMs: 3_000 }));

      await expect(run).rejects.toMatchObject({ failureClass, code, message: expect.stringContaining(code) });
    },
  );

  test('rejects at once when the provider says stop; the next run tries again', async () => {
    const world = makeWorld();
    fill(world, 300);
    world.provider.script = () => failWith('stop', 'unauthorized');
    const startedMs = world.clock.now();

    await expect(runUntilFresh(toLocalRunPorts(world))).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'unauthorized',
    });
    expect(world.clock.now() - startedMs).toBeLessThan(10_000);
    expect(world.twin.pauses).toHaveLength(1);
    const next = makeWorld([makeSpace()], 100, world);
    await runUntilFresh(toLocalRunPorts(next));

    expect(staleRowsOf(next)).toBe(0);
    expect(next.twin.pauses).toEqual([]);
  });

  test('rejects at once with the reason that an operator set', async () => {
    const world = makeWorld();
    fill(world, 10);
    await world.control.pause('model:small', 'operator', 'night');

    await expect(runUntilFresh(toLocalRunPorts(world))).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'operator',
    });
    expect(world.twin.pauses).toHaveLength(1);
  });

  test('goes on with the other sources while an operator holds one, and says so at the end', async () => {
    const held = makeSpace({ spaceId: 1 });
    const open = makeSpace({ spaceId: 2, source: { name: 'others' } });
    const world = makeWorld([held, open]);
    for (const id of ['a', 'b']) {
      putRow(world.twin, held, id, `held ${id}`);
      putRow(world.twin, open, id, `open ${id}`);
    }
    await world.control.pause('source:items', 'operator', 'OPS-1');

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(result).toMatchObject({
      embedded: 2,
      faults: [{ source: 'items', code: 'operator', message: 'source:items is paused (operator): OPS-1.' }],
    });
    expect(spaceOf(world.twin, held).outcomes.size).toBe(0);
  });

  test('tells of a pass that failed, also where the other pass then found nothing to do', async () => {
    const world = makeWorld();
    fill(world, 10);
    // What the failed pass leased is out of the other one's sight.
    world.calls.before = event => {
      if (event !== 'leaseChangedRows') return;
      for (const id of sourceOf(world.twin, makeSpace()).rows.keys())
        leaseRow(world.twin, makeSpace(), id, { dispatchId: 'lost' });
      throw new TypeError('canary');
    };

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(result.embedded).toBe(0);
    expect(result.faults).toMatchObject([{ source: 'items', code: 'unexpected' }]);
  });

  test('goes on where a pass fails once, and has nothing to tell', async () => {
    const world = makeWorld();
    fill(world, 10);
    let failures = 1;
    world.calls.before = event => {
      if (event !== 'leaseChangedRows' || failures === 0) return;
      failures -= 1;
      throw new TypeError('canary');
    };

    expect(await runUntilFresh(toLocalRunPorts(world))).toMatchObject({ embedded: 10, faults: [] });
  });

  test('waits for a database that is away for a moment', async () => {
    const world = makeWorld();
    fill(world, 10);
    let failures = 4;
    world.calls.before = event => {
      if (event !== 'expireLeasesOfDeadRuns' || failures === 0) return;
      failures -= 1;
      throw new FreshetError('away', { failureClass: 'transient', code: 'network_econnrefused' });
    };

    expect((await runUntilFresh(toLocalRunPorts(world))).embedded).toBe(10);
  });

  test('rejects when the database stays away', async () => {
    const world = makeWorld();
    world.calls.before = () => {
      throw new FreshetError('away', { failureClass: 'transient', code: 'network_econnrefused' });
    };

    await expect(runUntilFresh(toLocalRunPorts(world))).rejects.toMatchObject({
      code: 'network_econnrefused',
    });
  });
});

describe('a local run whose rows others hold', () => {
  /** Another run's leases on these rows; it finishes or gives back some of them when their time is over. */
  function hold(world: World, ids: readonly string[], seconds: number) {
    const expiresAt = world.twin.now() + seconds * 1_000_000;
    for (const id of ids) leaseRow(world.twin, makeSpace(), id, { dispatchId: 'another', expiresAt });
  }

  const heldIn = (world: World) =>
    [...tableOf(world).leases.values()].filter(
      ({ dispatchId, expiresAt }) => dispatchId === 'another' && expiresAt > world.twin.now(),
    ).length;

  function waiting(world: World, limits: Partial<LocalRunLimits> = {}) {
    const told: unknown[] = [];
    const asked: (readonly number[])[] = [];
    const parts = toLocalRunPorts(world, limits, {
      countHeldElsewhere: async spaceIds => {
        asked.push(spaceIds);
        return { byRuns: heldIn(world), byPipeline: 0 };
      },
      onHeldElsewhere: held => told.push(held),
    });
    return { parts, told, asked };
  }

  const ids = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => String(from + index).padStart(5, '0'));

  test('says once what they hold, waits, and embeds what they give back', async () => {
    const world = makeWorld();
    fill(world, 200);
    hold(world, ids(0, 10), 20);
    hold(world, ids(10, 5), 250);
    const { parts, told } = waiting(world);

    const result = await runUntilFresh(parts);

    expect(staleRowsOf(world)).toBe(0);
    expect(result.embedded).toBe(200);
    expect(told).toEqual([{ byRuns: 15, byPipeline: 0 }]);
  });

  test('waits for as long as nothing moves, and leaves them theirs', async () => {
    const world = makeWorld();
    fill(world, 200);
    hold(world, ids(0, 10), 100);
    hold(world, ids(10, 5), 10_000);
    const { parts, asked } = waiting(world, { maxWaitMs: 300_000 });
    const startedMs = world.clock.now();

    const result = await runUntilFresh(parts);

    expect(result).toMatchObject({ embedded: 195, interrupted: false, faults: [] });
    expect(world.clock.now() - startedMs).toBeGreaterThanOrEqual(400_000);
    expect(world.clock.now() - startedMs).toBeLessThan(410_000);
    expect(asked.length).toBeLessThan(450);
    expect(heldIn(world)).toBe(5);
  });

  test('does not wait for ever where what they hold comes and goes', async () => {
    const world = makeWorld();
    fill(world, 10);
    let asked = 0;
    const parts = toLocalRunPorts(
      world,
      {},
      {
        countHeldElsewhere: async () => {
          asked += 1;
          return { byRuns: 0, byPipeline: asked % 2 === 0 ? 20 : 10 };
        },
      },
    );
    const startedMs = world.clock.now();

    await runUntilFresh(parts);

    expect(world.clock.now() - startedMs).toBeLessThan(400_000);
  });

  test('waits through a database that is away for a moment', async () => {
    const world = makeWorld();
    fill(world, 10);
    let asked = 0;
    const parts = toLocalRunPorts(
      world,
      {},
      {
        countHeldElsewhere: async () => {
          asked += 1;
          if (asked < 3)
            throw new FreshetError('away', { failureClass: 'transient', code: 'network_econnreset' });
          return { byRuns: 0, byPipeline: 0 };
        },
      },
    );

    expect((await runUntilFresh(parts)).embedded).toBe(10);
    expect(asked).toBe(3);
  });

  test('waits for nobody once it took up as many rows as it may, nor when it is told to stop', async () => {
    const limited = makeWorld();
    fill(limited, 200);
    hold(limited, ids(0, 10), 10_000);
    const { parts, asked } = waiting(limited, { maxItems: 100 });
    await runUntilFresh(parts);
    const stopped = makeWorld();
    fill(stopped, 20);
    hold(stopped, ids(0, 10), 10_000);
    const stop = new AbortController();
    const startedMs = stopped.clock.now();

    const result = await runUntilFresh({
      ...waiting(stopped).parts,
      onHeldElsewhere: () => stop.abort(),
      signal: stop.signal,
    });

    expect(asked).toEqual([]);
    expect(result).toMatchObject({ interrupted: true, embedded: 10 });
    expect(stopped.clock.now() - startedMs).toBeLessThan(10_000);
  });

  test('rejects with what a look ahead broke at the moment when patience ends', async () => {
    const world = makeWorld();
    fill(world, 10);
    hold(world, ids(0, 5), 10_000);
    let asked = 0;
    const { parts } = waiting(world);
    const failing = toLocalRunPorts(
      world,
      {},
      {
        ...parts,
        // The others finish a row at the third look, so that the run looks again itself.
        countHeldElsewhere: async () => {
          asked += 1;
          return { byRuns: asked < 3 ? 5 : 4, byPipeline: 0 };
        },
        handlers: {
          ...parts.handlers,
          detect: async (event, context) => {
            if (asked < 3) return parts.handlers.detect(event, context);
            // An embedded database that works for so long keeps the run from every timer.
            world.clock.advance(parts.limits.maxWaitMs);
            throw new FreshetError('broken', { failureClass: 'stop', code: 'sqlstate_53100' });
          },
        },
      },
    );

    await expect(runUntilFresh(failing)).rejects.toMatchObject({ code: 'sqlstate_53100' });
  });

  test('does not wait for those of a source that it left out', async () => {
    const world = makeWorld([makeSpace(), makeSpace({ spaceId: 2, source: { name: 'other' } })]);
    sourceOf(world.twin, makeSpace({ spaceId: 2, source: { name: 'other' } })).fault = {
      code: 'source-missing',
      message: 'gone',
    };
    const { parts, asked } = waiting(world);

    await runUntilFresh(parts);

    expect(asked).toEqual([[1]]);
  });
});

describe('a local run that is told to stop', () => {
  test('takes no new message, writes what it bought and frees the rest', async () => {
    const world = makeWorld();
    fill(world, 2_000);
    const stop = new AbortController();
    world.provider.script = async (request, call) => {
      if (call === 3) stop.abort();
      await world.clock.sleep(1_000);
      return embedAll(request);
    };

    const result = await runUntilFresh(toLocalRunPorts(world, { concurrency: 2 }, { signal: stop.signal }));

    expect(result.interrupted).toBe(true);
    // The third call was in hand, and at most the other worker's.
    expect(world.provider.requests.length).toBeLessThanOrEqual(4);
    expect(result.embedded).toBe(world.provider.requests.length * 100);
    const live = [...tableOf(world).leases.values()].filter(({ expiresAt }) => expiresAt > world.twin.now());
    expect(live).toEqual([]);
  });

  test('hears of it between two batches, also where nothing that it waits for leaves the process', async () => {
    const world = makeWorld([makeSpace()], 10);
    fill(world, 2_000);
    const stop = new AbortController();
    world.provider.script = (request, call) => {
      // As a signal arrives: by a turn of the event loop, which promises alone never give it.
      if (call === 1) setImmediate(() => stop.abort());
      return embedAll(request);
    };

    const result = await runUntilFresh(toLocalRunPorts(world, { batchSize: 10 }, { signal: stop.signal }));

    expect(result.interrupted).toBe(true);
    expect(result.itemsDone).toBeLessThan(200);
  });

  test('abandons a batch that does not end within five seconds, without counting an attempt', async () => {
    const world = makeWorld();
    fill(world, 100);
    const stop = new AbortController();
    world.provider.script = () => {
      stop.abort();
      return new Promise(() => {});
    };
    const startedMs = world.clock.now();

    const result = await runUntilFresh(toLocalRunPorts(world, {}, { signal: stop.signal }));

    expect(result).toMatchObject({ interrupted: true, itemsDone: 0 });
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(5_000);
    const leases = [...tableOf(world).leases.values()];
    expect(leases.length).toBeGreaterThan(0);
    expect(leases.every(({ stage, expiresAt }) => stage === 'queued' && expiresAt <= world.twin.now())).toBe(
      true,
    );
  });
});
