import { describe, expect, test } from 'vitest';
import { guardPipeline, parseGuardRequest } from '../../lib/pipeline/guard/guard.ts';
import type { GuardRequest } from '../../lib/pipeline/guard/guard-ports.ts';
import type { EventSource } from '../../lib/ports/queues.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { MAPPINGS, makeGuardedWorld } from '../factories/guarded-world.ts';

type World = ReturnType<typeof makeGuardedWorld>;
const check: GuardRequest = { action: 'check' };
const plenty = () => 50_000;
const guard = (world: World, request: GuardRequest = check) => guardPipeline(world.ports, request, plenty);
const closedIn = ({ eventSources }: World) =>
  [...eventSources.sources].filter(([, { state }]) => state === 'closed').map(([id]) => id);
const reasonsIn = async ({ control }: World) =>
  (await control.reasons()).map(({ scope, reason }) => `${scope} ${reason}`);

/** As the schedule does: one run a minute, however long it takes. */
async function guardEveryMinute(world: World, minutes: number) {
  for (let minute = 0; minute < minutes; minute += 1) {
    world.clock.advance(60_000);
    await guard(world);
  }
}

describe('a paused model', () => {
  test('has its event sources closed, and no other', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('model:small', 'provider:unauthorized', '');

    const report = await guard(world);

    expect(closedIn(world)).toEqual(MAPPINGS.embed.small);
    expect(report).toMatchObject({ pausedModels: ['small'], closed: MAPPINGS.embed.small, closedByHand: [] });
    expect(world.metrics.sums.get('PausedModels')).toBe(1);
    expect(world.metrics.sums.get('MappingsClosed')).toBe(2);
  });

  test('is told apart from what an operator paused', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('pipeline', 'operator', '');
    await world.control.pause('source:items', 'source-fault:column-missing', '');

    await guard(world);

    expect(
      ['PausedModels', 'PausedSources', 'OperatorPauses'].map(name => world.metrics.sums.get(name)),
    ).toEqual([0, 1, 1]);
  });

  test('is told apart from what a cap of the budget stopped, which has a metric of its own', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('pipeline', 'budget', 'budget.usdPerDay is 20');
    await world.control.pause('source:items', 'budget', 'budget.perSource.items.usdPerDay is 1');

    await guardPipeline({ ...world.ports, hasCaps: true }, check, plenty);

    expect(['PausedModels', 'PausedSources', 'CapPauses'].map(name => world.metrics.sums.get(name))).toEqual([
      0, 0, 2,
    ]);
    expect(closedIn(world)).toEqual([...MAPPINGS.embed.small, ...MAPPINGS.embed.large]);
  });

  test('tells nothing of caps where no budget is configured', async () => {
    const world = makeGuardedWorld();

    await guard(world);

    expect(world.metrics.sums.has('CapPauses')).toBe(false);
  });

  test('is probed once a minute at most through an outage of 15 minutes, and opened by the first answer', async () => {
    const world = makeGuardedWorld();
    world.provider.script = () => failWith('stop', 'unauthorized');
    await world.control.pause('model:small', 'provider:unauthorized', '');
    for (let run = 0; run < 45; run += 1) {
      world.clock.advance(20_000);
      await guard(world);
    }
    const probes = world.provider.requests.length;

    world.provider.script = embedAll;
    await guardEveryMinute(world, 1);

    expect(probes).toBeGreaterThanOrEqual(14);
    expect(probes).toBeLessThanOrEqual(15);
    expect(await reasonsIn(world)).toEqual([]);
    expect(closedIn(world)).toEqual([]);
  });

  test('is probed every 15 minutes where somebody has to pay', async () => {
    const world = makeGuardedWorld();
    world.provider.script = () => failWith('stop', 'insufficient_quota');
    await world.control.pause('model:small', 'provider:insufficient_quota', '');

    await guardEveryMinute(world, 60);

    expect(world.provider.requests).toHaveLength(4);
    expect(closedIn(world)).toEqual(MAPPINGS.embed.small);
  });

  test('is not opened by a failure that passes, nor by a vector that cannot be stored', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('model:small', 'provider:unauthorized', '');

    world.provider.script = () => failWith('transient', 'http_503');
    await guardEveryMinute(world, 1);
    world.provider.script = () => ({
      items: [{ index: 0, bytes: Buffer.alloc(16) }],
      tokens: 1,
      requestId: undefined,
    });
    await guardEveryMinute(world, 1);

    expect(world.provider.requests).toHaveLength(2);
    expect(await reasonsIn(world)).toEqual(['model:small provider:unauthorized']);
  });

  test('takes the reason that the provider gives now', async () => {
    const world = makeGuardedWorld();
    world.provider.script = () => failWith('stop', 'insufficient_quota');
    await world.control.pause('model:small', 'provider:unauthorized', '');

    await guardEveryMinute(world, 1);

    expect(await reasonsIn(world)).toEqual(['model:small provider:insufficient_quota']);
  });

  test('stays closed by the reason of an operator, which no probe clears, and is not called while it holds', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('model:small', 'provider:unauthorized', '');
    await guard(world, { action: 'pause', scope: 'model:small', reason: 'operator' });

    await guardEveryMinute(world, 5);
    const callsWhilePaused = world.provider.requests.length;
    await guard(world, { action: 'resume', scope: 'model:small', reason: 'operator' });

    expect(callsWhilePaused).toBe(0);
    expect(world.provider.requests).toHaveLength(1);
    expect(await reasonsIn(world)).toEqual([]);
    expect(closedIn(world)).toEqual([]);
  });

  test('leaves the probe in the ledger, and nothing granted', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('model:small', 'provider:unauthorized', '');

    await guardEveryMinute(world, 1);

    expect(world.provider.requests[0]?.texts).toEqual(['Freshet']);
    expect(world.metrics.sums.get('Probes')).toBe(1);
    expect([...world.twin.ledger.values()].map(({ outcome }) => outcome)).toEqual(['ok']);
    expect(world.twin.grants.size).toBe(0);
  });
});

describe('a paused pipeline', () => {
  test('closes every model and lets write empty its queue', async () => {
    const world = makeGuardedWorld();

    await guard(world, { action: 'pause', scope: 'pipeline', reason: 'budget' });

    expect(closedIn(world)).toEqual(Object.values(MAPPINGS.embed).flat());
    await guard(world, { action: 'resume', scope: 'pipeline', reason: 'budget' });
    expect(closedIn(world)).toEqual([]);
  });

  test('by the database closes write too, and opens when it may be written again', async () => {
    const world = makeGuardedWorld();
    world.troubles.rightsMissing = true;
    await world.control.pause('pipeline', 'database', 'sqlstate_42501');
    await guardEveryMinute(world, 3);
    const closedBefore = closedIn(world);

    world.troubles.rightsMissing = false;
    await guardEveryMinute(world, 1);

    expect(closedBefore).toHaveLength(5);
    expect(await reasonsIn(world)).toEqual([]);
    expect(closedIn(world)).toEqual([]);
  });

  test('by the database stays paused for an operator once the database is back', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('pipeline', 'database', '');
    await world.control.pause('pipeline', 'operator', '');

    await guardEveryMinute(world, 1);

    expect(await reasonsIn(world)).toEqual(['pipeline operator']);
    expect(closedIn(world)).toEqual(Object.values(MAPPINGS.embed).flat());
  });
});

describe('a database that does not answer', () => {
  test('closes everything after a second look, and opens it when it is back', async () => {
    const world = makeGuardedWorld();
    world.troubles.databaseDown = true;
    const report = await guard(world);
    const closedBefore = closedIn(world);

    world.troubles.databaseDown = false;
    const after = await guard(world);

    expect(report).toMatchObject({ databaseAnswers: false, pausedModels: ['small', 'large'] });
    expect(closedBefore).toHaveLength(5);
    expect(after).toMatchObject({ databaseAnswers: true, closed: [] });
    expect(closedIn(world)).toEqual([]);
    expect(world.metrics.sums.get('DatabaseUnreachable')).toBe(1);
  });

  test('closes nothing when the second look succeeds', async () => {
    const world = makeGuardedWorld();
    world.troubles.databaseDown = true;
    const { openState } = world.ports;
    let looks = 0;
    const ports = {
      ...world.ports,
      openState: async () => {
        looks += 1;
        world.troubles.databaseDown = looks === 1;
        return openState();
      },
    };

    await guardPipeline(ports, check, plenty);

    expect(looks).toBe(2);
    expect(world.eventSources.changes).toEqual([]);
  });

  test('fails a request of an operator, who would believe it kept', async () => {
    const world = makeGuardedWorld();
    world.troubles.databaseDown = true;

    const request = guard(world, { action: 'pause', scope: 'pipeline', reason: 'operator' });

    await expect(request).rejects.toMatchObject({ code: 'network_econnrefused' });
  });
});

describe('a schema on which this code may not run', () => {
  test('closes everything at the first look and is told apart from a database that is gone', async () => {
    const world = makeGuardedWorld();
    world.troubles.schemaUnknown = true;
    const report = await guard(world);
    const closedBefore = closedIn(world);
    const sums = ['UnknownSchema', 'DatabaseUnreachable'].map(name => world.metrics.sums.get(name));

    world.troubles.schemaUnknown = false;
    await guard(world);

    expect(report).toMatchObject({ databaseAnswers: false, pausedModels: ['small', 'large'] });
    expect(closedBefore).toHaveLength(5);
    expect(sums).toEqual([1, 0]);
    expect(closedIn(world)).toEqual([]);
  });
});

describe('an event source', () => {
  test('that was closed by hand is reported and never opened', async () => {
    const world = makeGuardedWorld();
    world.eventSources.sources.set('write', { state: 'closed', closedByUs: false });
    world.troubles.databaseDown = true;
    await guard(world);
    world.troubles.databaseDown = false;

    const report = await guard(world);

    expect(report).toMatchObject({ closed: [], closedByHand: ['write'] });
    expect(world.eventSources.changes.filter(change => change.endsWith(' write'))).toEqual([]);
    expect(world.metrics.sums.get('MappingsDisabledByHand')).toBe(2);
  });

  test('keeps its mark when a run that overlaps opened it a moment before and takes the mark away', async () => {
    const world = makeGuardedWorld();
    const { eventSources } = world;
    await world.control.pause('model:small', 'provider:unauthorized', '');
    let overlaps = true;
    const overlapped = {
      ...eventSources,
      async close(source: EventSource) {
        await eventSources.close(source);
        if (overlaps) eventSources.sources.set(source.mappingId, { state: 'closed', closedByUs: false });
        overlaps = false;
      },
    };

    await guardPipeline({ ...world.ports, eventSources: overlapped }, check, plenty);
    await world.control.resume('model:small', 'provider:unauthorized');
    await guard(world);

    expect(closedIn(world)).toEqual([]);
  });

  test('that is changing is left to the next run', async () => {
    const world = makeGuardedWorld();
    world.eventSources.sources.set('small-bulk', { state: 'changing', closedByUs: false });
    await world.control.pause('model:small', 'operator', '');

    await guard(world);
    world.eventSources.sources.set('small-bulk', { state: 'open', closedByUs: false });
    await guard(world);

    expect(world.eventSources.changes).toEqual(['close small-fresh', 'close small-bulk']);
  });

  test('that is open and still marked loses its mark', async () => {
    const world = makeGuardedWorld();
    world.eventSources.sources.set('write', { state: 'open', closedByUs: true });

    await guard(world);

    expect(world.eventSources.changes).toEqual(['open write']);
  });

  test('that cannot be read fails the run after all the others were settled', async () => {
    const world = makeGuardedWorld();
    world.eventSources.broken.add('small-fresh');
    await world.control.pause('pipeline', 'operator', '');

    await expect(guard(world)).rejects.toMatchObject({ code: 'event_sources_not_settled' });

    expect(closedIn(world)).toEqual(['small-bulk', 'large-fresh', 'large-bulk']);
  });

  test('is left alone by a run that finds it as it should be', async () => {
    const world = makeGuardedWorld();
    await world.control.pause('model:small', 'operator', '');
    await guard(world);
    const changes = world.eventSources.changes.length;

    await guard(world);

    expect(world.eventSources.changes).toHaveLength(changes);
  });
});

describe('a request for guard', () => {
  const aliases = ['small'];

  test('is a check from a schedule and from an alarm, or a change of one reason', () => {
    expect(parseGuardRequest({}, aliases)).toEqual(check);
    expect(parseGuardRequest({ action: 'check' }, aliases)).toEqual(check);
    expect(parseGuardRequest({ source: 'aws.cloudwatch', alarmArn: 'a', alarmData: {} }, aliases)).toEqual(
      check,
    );
    const pause = { action: 'pause', scope: 'model:small', reason: 'budget' };
    expect(parseGuardRequest(pause, aliases)).toEqual(pause);
  });

  test.each([
    { action: 'stop' },
    { action: 'check', scope: 'pipeline' },
    { action: 'pause', scope: 'model:smal', reason: 'operator' },
    { action: 'pause', scope: 'pipeline' },
    { action: 'pause', scope: 'pipeline', reason: 'Not a word' },
    { action: 'pause', scope: 'pipeline', reason: 'operator', forHours: 2 },
    { pause: true },
    'check',
    '',
  ])('is refused where it is mistyped: %j', request => {
    expect(() => parseGuardRequest(request, aliases)).toThrow(/guard takes/);
  });
});
