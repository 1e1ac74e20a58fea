import { describe, expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { knownCallsAtOnce } from '../../lib/pipeline/embed/keep-pace.ts';
import type { EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createSlowServer, type SlowServerKind } from '../doubles/slow-server.ts';
import { countOutcomes, DISPATCH, findStaleRows, leaseRow, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { buyTexts, driveFleet, toLocalRunPorts } from './run-world.ts';

const TIMEOUT_MS = 60_000;
const BATCH = 100;
const RUN = 1;
/** What a local run gives an invocation. */
const INVOCATION_MS = 3 * TIMEOUT_MS + 30_000;

const patient = makeSpace({ source: { onOutage: 'dead-letter' } });

function openWorld(rows: number, onOutage?: 'dead-letter'): World {
  const world = makeWorld([onOutage === undefined ? makeSpace() : patient]);
  world.twin.liveRuns.add(RUN);
  for (let index = 0; index < rows; index += 1)
    putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), `text ${index}`);
  return world;
}

/** Puts the server behind the provider, whose calls end at their deadline as HTTP's do. */
function putBehind(world: World, kind: SlowServerKind, msPerText: number) {
  const server = createSlowServer(kind, msPerText, world.clock);
  world.provider.script = async request => {
    const computed = await Promise.race([
      server.compute(request.texts.length).then(() => true),
      world.clock.sleep(request.deadlineMs).then(() => false),
    ]);
    return computed ? embedAll(request) : failWith('transient', 'timeout');
  };
  return server;
}

const embedPortsOf = (world: World): EmbedPorts => ({
  ...world.embedPorts,
  runId: RUN,
  limits: { ...world.embedPorts.limits, callTimeoutMs: TIMEOUT_MS, callsAtOnce: 4 },
});

/** A run with the limits of a new configuration. */
function runLocally(world: World, maxWaitMs = 300_000) {
  const detectPorts = { ...world.detectPorts, limits: { ...world.detectPorts.limits, callsPerMessage: 5 } };
  const ports = toLocalRunPorts(
    { ...world, detectPorts, embedPorts: embedPortsOf(world) },
    { concurrency: 4, invocationTimeoutMs: INVOCATION_MS, maxWaitMs },
    { callsAtOnce: () => knownCallsAtOnce(world.provider) },
  );
  return runUntilFresh(ports);
}

const SERVERS = [
  ['serial, 0.15 s per text', 'serial', 150],
  ['shared, 0.15 s per text', 'shared', 150],
  ['serial, 75 s for 100 texts', 'serial', 750],
] as const;

describe.each(SERVERS)('a server that is %s', (_name, kind, msPerText) => {
  const rows = 3_000;

  test('is kept busy from its first answer on, and computes at most two batches for nobody', async () => {
    const world = openWorld(rows);
    const server = putBehind(world, kind, msPerText);

    await runLocally(world);

    expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(rows);
    const workedMs = world.clock.now() - (server.firstAtMs ?? 0);
    expect((rows * msPerText) / workedMs, 'share of its rate').toBeGreaterThanOrEqual(0.8);
    expect(server.computed - rows, 'computed for nobody').toBeLessThanOrEqual(2 * BATCH);
  });

  test('makes no healthy row undelivered, whatever the source asks for in an outage', async () => {
    const world = openWorld(500, 'dead-letter');
    putBehind(world, kind, msPerText);

    await driveFleet(world, 60, 8, [{ ...embedPortsOf(world), runId: null }]);

    const table = spaceOf(world.twin, patient);
    expect(countOutcomes(table, 'embedded')).toBe(500);
    expect((await world.deadLetters.depth()).visible).toBe(0);
  });
});

describe('what was learned of a server', () => {
  test('is kept for the next run, which begins with it', async () => {
    const world = openWorld(300);
    putBehind(world, 'serial', 750);
    await runLocally(world);
    const { pace } = world.twin.paces.get('small') ?? {};
    expect(pace?.textsPerCall).toBeLessThanOrEqual(50);

    const next = makeWorld([makeSpace()], BATCH, world);
    for (let index = 0; index < 100; index += 1)
      putRow(next.twin, makeSpace(), `9${index}`.padStart(5, '0'), `next ${index}`);
    const server = putBehind(next, 'serial', 750);
    await runLocally(next);

    expect(findStaleRows(next.twin, makeSpace())).toEqual([]);
    expect(server.computed, 'nothing is computed for nobody').toBe(100);
  });

  test('is obeyed by processes that did not learn it', async () => {
    const world = openWorld(400);
    const server = putBehind(world, 'serial', 150);
    const processes = Array.from({ length: 8 }, (): EmbedPorts => {
      const provider = { limits: world.provider.limits, embed: world.provider.embed };
      return { ...embedPortsOf(world), runId: null, providers: () => provider };
    });

    await driveFleet(world, 20, 8, processes);

    expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(400);
    expect(server.computed - 400, 'computed for nobody').toBeLessThanOrEqual(2 * BATCH);
  });

  test('grows again with a server that became fast', async () => {
    const world = openWorld(2_000);
    world.twin.paces.set('small', {
      pace: { textsPerCall: 3, callsAtOnce: 1, secondsPerToken: 0.4 },
      inFlight: new Map(),
    });
    putBehind(world, 'serial', 1);

    await runLocally(world);

    expect(world.twin.paces.get('small')?.pace).toMatchObject({ textsPerCall: null, callsAtOnce: null });
    expect(world.provider.requests.length).toBeLessThanOrEqual(20 + 30);
  });

  test('frees the turn of a process that died once its call would have ended', async () => {
    const world = openWorld(100);
    world.twin.paces.set('small', {
      pace: { textsPerCall: null, callsAtOnce: 1, secondsPerToken: null },
      inFlight: new Map([['dead', (world.clock.now() + TIMEOUT_MS) * 1000]]),
    });
    putBehind(world, 'serial', 1);
    const startedMs = world.clock.now();

    await runLocally(world);

    expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(100);
    expect(world.clock.now() - startedMs).toBeGreaterThanOrEqual(TIMEOUT_MS);
  });
});

test('a run that a server never answers ends with what was seen and which limits to set', async () => {
  const world = openWorld(100);
  putBehind(world, 'serial', 1e9);

  const error = await runLocally(world, 100_000).then(
    () => undefined,
    (reason: Error) => reason.message,
  );

  expect(error).toMatch(/gave no answer to a call of \d+ texts in 60 s \(timeout\)/);
  expect(error).toMatch(
    /models\.small\.limits\.maxTextsPerCall below \d+, or models\.small\.timeoutSeconds above 60/,
  );
});

test('a message whose calls of several texts got no answer makes no row undelivered on its last receive', async () => {
  const world = openWorld(100, 'dead-letter');
  putBehind(world, 'serial', 1e9);
  const ids = Array.from({ length: 100 }, (_, index) => String(index).padStart(5, '0'));
  for (const id of ids) leaseRow(world.twin, patient, id);
  const message = {
    v: 1,
    kind: 'dispatch',
    spaceId: 1,
    lane: 'fresh',
    dispatchId: DISPATCH,
    attempts: 0,
    ids,
  };
  const record = { messageId: 'm', receiptHandle: 'm#1', body: JSON.stringify(message), receiveCount: 4 };

  await embedRecord(embedPortsOf(world), record, () => 600_000);

  expect((await world.results.receive(10)).length, 'the calls alone are announced').toBe(1);
  const [lease] = spaceOf(world.twin, patient).leases.values();
  expect(lease?.stage).toBe('queued');
});

test('a call that has less than its time-out left teaches nothing where it gets no answer', async () => {
  const world = openWorld(100);
  world.twin.paces.set('small', {
    pace: { textsPerCall: null, callsAtOnce: null, secondsPerToken: null },
    inFlight: new Map(),
  });
  putBehind(world, 'serial', 150);

  await driveFleet({ ...world }, 1, 1, [
    { ...embedPortsOf(world), limits: { ...embedPortsOf(world).limits, callTimeoutMs: 600_000 } },
  ]);

  expect(world.twin.paces.get('small')?.pace).toMatchObject({ textsPerCall: null });
});

describe('one text alone whose call gets no answer', () => {
  const breaksAt = (poison: string, code: string) => (request: EmbedRequest) =>
    request.texts.includes(poison) ? failWith('transient', code) : embedAll(request);

  test.each(['network_econnreset', 'timeout'])(
    '(%s) each time is named, holds up no other and makes no call smaller for good',
    async code => {
      const space = makeSpace();
      const world = makeWorld([space]);
      for (let row = 0; row < 250; row += 1)
        putRow(world.twin, space, String(row).padStart(4, '0'), `text ${row}`);
      world.provider.script = breaksAt('text 105', code);

      const first = await runUntilFresh(toLocalRunPorts(world));
      const calls = world.provider.requests.length;
      const second = await runUntilFresh(toLocalRunPorts(world));

      expect(first).toMatchObject({ embedded: 249, failed: 1, deadLetters: 0 });
      expect(second.itemsDone - first.itemsDone).toBe(0);
      expect(world.provider.requests.length, 'a second run buys nothing').toBe(calls);
    },
  );

  test.each(['network_econnreset', 'timeout'])(
    '(%s) blames neither itself nor the configuration while nothing else is answered',
    async code => {
      const world = makeWorld();
      world.provider.script = () => failWith('transient', code);

      const { results, ended } = await buyTexts(world, ['alone'], true);

      expect(results.size).toBe(0);
      expect(ended).toMatchObject({ failureClass: 'transient', code });
    },
  );

  test('is not blamed for an outage that began with it', async () => {
    const world = makeWorld();
    let answered = 0;
    world.provider.script = request => {
      if (request.texts.includes('alone'))
        return failWith('transient', answered === 0 ? 'timeout' : 'http_503');
      answered += 1;
      return answered === 1 ? embedAll(request) : failWith('transient', 'http_503');
    };

    const { results, ended } = await buyTexts(world, ['alone'], true);

    expect(results.size).toBe(0);
    expect(ended).toMatchObject({ failureClass: 'transient', code: 'http_503' });
  });

  test('is not blamed where the call had less than its time-out', async () => {
    const world = makeWorld();
    world.provider.script = breaksAt('POISON', 'timeout');

    const { results, ended } = await buyTexts(world, ['POISON'], true, () => 20_000);

    expect(results.size).toBe(0);
    expect(ended?.code).toBe('timeout');
  });

  test('says nothing of the texts that a call may carry', async () => {
    const world = makeWorld();
    knowAsFast(world);
    world.provider.script = breaksAt('POISON', 'network_econnreset');

    await buyTexts(world, ['POISON'], true);

    expect(world.twin.paces.get('small')?.pace.textsPerCall ?? null).toBeNull();
  });
});
