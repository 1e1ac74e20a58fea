import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { CallResult } from '../../lib/pipeline/embed/call-provider.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { noteCallRate } from '../../lib/pipeline/embed/keep-rate.ts';
import type { RateNews } from '../../lib/ports/pace-store.ts';
import { createRateLimitedServer } from '../doubles/rate-limited-server.ts';
import { createScriptedProvider, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { findStaleRows, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld, type World } from '../factories/world.ts';
import { sourceOf } from '../twin/twin-database.ts';
import { driveFleet, toLocalRunPorts } from './run-world.ts';

const ROWS = 4_000;
const BATCH = 10;
/** Long polling gives a message as soon as it is visible. */
const LONG_POLL_MS = 150;
/** The double bills ten tokens for a text. */
const TEXT = 'x'.repeat(40);

type Limits = { readonly requestsPerMinute?: number; readonly tokensPerMinute?: number };

function openWorld(limits: Limits | undefined, rows = ROWS) {
  const space = makeSpace({ model: limits === undefined ? {} : { limits } });
  const world = makeWorld([space], BATCH);
  for (let index = 0; index < rows; index += 1)
    putRow(
      world.twin,
      space,
      String(index).padStart(5, '0'),
      `${TEXT.slice(5)}${String(index).padStart(5, '0')}`,
    );
  knowAsFast(world);
  return { world, space };
}

/** Processes of a fleet, each with a provider of its own, before one server. */
function openProcesses(
  world: World,
  count: number,
  server: ReturnType<typeof createRateLimitedServer>,
): EmbedPorts[] {
  return Array.from({ length: count }, () => {
    const provider = createScriptedProvider(server.embed);
    return { ...world.embedPorts, providers: () => provider };
  });
}

function countBetween(moments: readonly number[], fromMs: number, toMs: number): number {
  return moments.filter(at => at >= fromMs && at < toMs).length;
}

describe('a fleet before a server that allows so much a minute', () => {
  test.each([
    ['requests', { requestsPerMinute: 60, tokensPerMinute: 1e9 }],
    ['tokens', { requestsPerMinute: 1e9, tokensPerMinute: 6_000 }],
  ] as const)(
    'uses its %s to 95 percent, and is refused for one call of a hundred at most',
    async (_, limits: Required<Limits>) => {
      const { world } = openWorld(limits);
      const beganMs = world.clock.now();
      const server = createRateLimitedServer(world.clock, limits);

      await driveFleet(world, 6, 12, openProcesses(world, 4, server), LONG_POLL_MS);

      // Four whole minutes, after the first messages are there.
      const calls = countBetween(server.answeredAtMs, beganMs + 90_000, beganMs + 330_000);
      expect(calls).toBeGreaterThanOrEqual(0.95 * 60 * 4);
      expect(server.refusedAtMs.length).toBeLessThanOrEqual(0.01 * server.answeredAtMs.length);
      expect(await world.deadLetters.depth()).toMatchObject({ visible: 0 });
    },
  );

  test('settles on a limit that is halved in the middle within thirty seconds, without a storm', async () => {
    const { world } = openWorld({ requestsPerMinute: 60 });
    const limits = { requestsPerMinute: 60, tokensPerMinute: 1e9 };
    const server = createRateLimitedServer(world.clock, limits);
    const beganMs = world.clock.now();
    void world.clock.sleep(150_000).then(() => {
      limits.requestsPerMinute = 30;
    });

    await driveFleet(world, 6, 12, openProcesses(world, 4, server), LONG_POLL_MS);

    const refused = server.refusedAtMs.filter(at => at >= beganMs + 150_000);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(20);
    expect(countBetween(server.answeredAtMs, beganMs + 210_000, beganMs + 330_000)).toBeGreaterThan(50);
  });

  test('embeds edits within seconds of their look during a backfill', async () => {
    const { world, space } = openWorld({ requestsPerMinute: 60 });
    // What is older than the first watermark is a backfill.
    const { rows } = sourceOf(world.twin, space);
    for (const row of rows.values()) rows.set(row.id, { ...row, version: world.twin.now() - 1e12 });
    const server = createRateLimitedServer(world.clock, { requestsPerMinute: 60, tokensPerMinute: 1e9 });
    const edits = ['99997', '99998', '99999'];
    void world.clock.sleep(170_000).then(() => {
      for (const id of edits) putRow(world.twin, space, id, `edit ${id}`);
    });

    await driveFleet(world, 4, 12, openProcesses(world, 4, server), LONG_POLL_MS);

    const stale = findStaleRows(world.twin, space).map(({ id }) => id);
    expect(stale.length).toBeGreaterThan(1_000);
    expect(stale.filter(id => edits.includes(id))).toEqual([]);
  });

  test('embeds an edit within seconds of its commit by a local run, whose calls ask one after the other', async () => {
    const { world, space } = openWorld({ requestsPerMinute: 60 }, 2_000);
    const { rows } = sourceOf(world.twin, space);
    for (const row of rows.values()) rows.set(row.id, { ...row, version: world.twin.now() - 1e12 });
    const server = createRateLimitedServer(world.clock, { requestsPerMinute: 60, tokensPerMinute: 1e9 });
    const [provider] = openProcesses(world, 1, server).map(({ providers }) => providers);
    let asking = 0;
    let mostAsking = 0;
    const takeRate: EmbedPorts['pace']['takeRate'] = async (alias, ask) => {
      if (ask.lane === 'bulk') mostAsking = Math.max(mostAsking, ++asking);
      const answer = await world.embedPorts.pace.takeRate(alias, ask);
      await world.clock.sleep(1);
      if (ask.lane === 'bulk') asking -= 1;
      return answer;
    };
    const pace = { ...world.embedPorts.pace, takeRate };
    const embedPorts = { ...world.embedPorts, runId: 1, providers: provider!, pace };
    const stop = new AbortController();
    const staleAfterMs: number[] = [];
    const edit = async () => {
      for (let number = 0; number < 10; number += 1) {
        await world.clock.sleep(7_300);
        const id = String(90_000 + number);
        putRow(world.twin, space, id, `edit ${id}`);
        const editedMs = world.clock.now();
        while (findStaleRows(world.twin, space).some(row => row.id === id)) await world.clock.sleep(100);
        staleAfterMs.push(world.clock.now() - editedMs);
      }
      stop.abort();
    };
    const run = toLocalRunPorts(
      { ...world, embedPorts },
      { batchSize: BATCH, concurrency: 4 },
      { signal: stop.signal },
    );

    await Promise.all([runUntilFresh(run), edit()]);

    const sorted = staleAfterMs.toSorted((a, b) => a - b);
    expect(sorted).toHaveLength(10);
    expect(sorted[5]).toBeLessThanOrEqual(2_000);
    expect(sorted[9]).toBeLessThanOrEqual(5_000);
    expect(mostAsking).toBe(1);
    expect(findStaleRows(world.twin, space).length).toBeGreaterThan(500);
  });

  test('takes the refusal of a call that had no share of the rate for none of the rate', async () => {
    const { world, space } = openWorld({ requestsPerMinute: 60 }, 1);
    const noted: RateNews[] = [];
    const noteRate = async (_: string, news: RateNews) => void noted.push(news);
    const ports = { ...world.embedPorts, pace: { ...world.embedPorts.pace, noteRate } };
    const request = { space, lane: 'bulk', texts: [TEXT] } as const;
    const entry = { tokens: 0 } as NonNullable<CallResult['call']>['entry'];
    const failure = new FreshetError('refused', { failureClass: 'throttled', code: 'rate_limit' });
    const refused = { call: { entry, maybeBilled: false }, failure };

    for (const isGranted of [false, true]) await noteCallRate(ports, request, refused, isGranted);

    expect(noted.map(({ throttled }) => throttled?.lowersRate)).toEqual([false, true]);
  });

  test('comes to the end of a text that fails, although the rate is slower than its calls', async () => {
    const { world, space } = openWorld({ requestsPerMinute: 6 }, 5);
    putRow(world.twin, space, '00002', 'fails always');
    const provider = createScriptedProvider(request =>
      request.texts.includes('fails always') ? failWith('transient', 'http_500') : embedAll(request),
    );

    await driveFleet(world, 30, 2, [{ ...world.embedPorts, providers: () => provider }], LONG_POLL_MS);

    expect(findStaleRows(world.twin, space).map(({ id }) => id)).toEqual([]);
    expect(provider.requests.length).toBeLessThanOrEqual(20);
  });

  test.each([
    ['a text that is refused', 'refused', { tokensPerMinute: 60 }],
    ['a text at which the server breaks', 'breaks', { tokensPerMinute: 60 }],
    ['calls that are too large', 'too-large', { tokensPerMinute: 60 }],
    ['a text that is refused, one call a minute', 'refused', { requestsPerMinute: 1 }],
  ] as const)(
    'comes to the end of %s, although the call before takes what the next one waits for',
    async (_, fault, limits) => {
      const { world, space } = openWorld(limits, 10);
      putRow(world.twin, space, '00002', 'a text at fault');
      const provider = createScriptedProvider(request => {
        if (fault === 'too-large' && request.texts.length > 2) return failWith('too-large', 'http_413');
        if (!request.texts.includes('a text at fault')) return embedAll(request);
        if (fault === 'refused') return failWith('item', 'http_400');
        return fault === 'breaks' ? failWith('transient', 'http_500') : embedAll(request);
      });

      await driveFleet(world, 60, 2, [{ ...world.embedPorts, providers: () => provider }], LONG_POLL_MS);

      expect(findStaleRows(world.twin, space).map(({ id }) => id)).toEqual([]);
      expect(provider.requests.length).toBeLessThanOrEqual(30);
    },
  );

  test('asks nothing of the database where no limit is known', async () => {
    const { world } = openWorld(undefined, 50);
    const server = createRateLimitedServer(world.clock, { requestsPerMinute: 1e9, tokensPerMinute: 1e9 });

    await driveFleet(world, 2, 4, openProcesses(world, 2, server), LONG_POLL_MS);

    expect(world.twin.paces.get('small')?.rate).toBeUndefined();
    expect(server.answeredAtMs.length).toBeGreaterThan(0);
  });
});

describe('a limit that one call alone exceeds', () => {
  test('makes calls smaller until one is let through, and every row is embedded', async () => {
    const space = makeSpace();
    const world = makeWorld([space]);
    for (let row = 0; row < 250; row += 1)
      putRow(world.twin, space, String(row).padStart(4, '0'), `text ${row}`);
    world.provider.script = request =>
      request.texts.length > 40 ? failWith('throttled', 'rate_limit') : embedAll(request);

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(result).toMatchObject({ embedded: 250, failed: 0, deadLetters: 0 });
    const refused = world.provider.requests.filter(({ texts }) => texts.length > 40);
    expect(refused.length).toBeLessThanOrEqual(15);
  });

  test('is told from a limit of the moment, which ends: one refusal makes no call smaller', async () => {
    const space = makeSpace();
    const world = makeWorld([space]);
    for (let row = 0; row < 250; row += 1)
      putRow(world.twin, space, String(row).padStart(4, '0'), `text ${row}`);
    knowAsFast(world);
    world.provider.script = request =>
      world.provider.requests.length < 4 ? failWith('throttled', 'rate_limit') : embedAll(request);

    await runUntilFresh(toLocalRunPorts(world));

    expect(world.provider.requests.every(({ texts }) => texts.length >= 50)).toBe(true);
  });
});
