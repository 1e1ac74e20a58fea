import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { rememberForRound } from '../../lib/local/round-memory.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import { countOutcomes, minutesAgo, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { printTimestamp } from '../twin/timestamps.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const plenty = () => 600_000;
const QUESTIONS = ['expireLeasesOfDeadRuns', 'findSourceFault 1', 'countInFlight 1'];

function makeRemembering(rows: number, maxInFlight = 10_000) {
  const world = makeWorld();
  for (let index = 0; index < rows; index += 1) {
    putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), `text ${index}`);
  }
  const { detection, beginRound } = rememberForRound(world.detectPorts.detection, world.clock);
  const limits = { ...world.detectPorts.limits, maxInFlight };
  return { world, beginRound, ports: { ...world.detectPorts, detection, limits } };
}

const asked = ({ calls }: World) =>
  QUESTIONS.map(question => calls.events.filter(event => event === question).length);

describe('the two passes of a round', () => {
  test('ask once what both need to know, and the next round asks anew', async () => {
    const { world, beginRound, ports } = makeRemembering(5);
    const passes = async () => {
      await detectStaleRows(ports, { pass: 'incremental' }, plenty);
      await detectStaleRows(ports, { pass: 'reconcile' }, plenty);
      return asked(world);
    };

    const first = await passes();
    beginRound(true);

    expect(first).toEqual([1, 1, 1]);
    expect(await passes()).toEqual([2, 2, 2]);
  });

  test('lift the pauses of caps once, and count them once', async () => {
    const { world } = makeRemembering(5);
    let lifts = 0;
    const store = {
      ...world.detectPorts.detection,
      liftBudgetPauses: async () => {
        lifts += 1;
        return 1;
      },
    };
    const { detection, beginRound } = rememberForRound(store, world.clock);

    const first = [await detection.liftBudgetPauses(), await detection.liftBudgetPauses()];
    beginRound(true);

    expect(first).toEqual([1, 0]);
    expect(await detection.liftBudgetPauses()).toBe(1);
    expect(lifts).toBe(2);
  });

  test('ask again what was heard more than a second ago', async () => {
    const { world, ports } = makeRemembering(5);

    await detectStaleRows(ports, { pass: 'incremental' }, plenty);
    await world.clock.sleep(1_001);
    await detectStaleRows(ports, { pass: 'reconcile' }, plenty);

    expect(asked(world)).toEqual([1, 2, 2]);
  });

  test('ask who died after five seconds, and at once where nothing of the run is under way', async () => {
    const { world, beginRound, ports } = makeRemembering(5);
    const look = async (idle: boolean) => {
      beginRound(idle);
      await detectStaleRows(ports, { pass: 'incremental' }, plenty);
      return asked(world)[0];
    };

    const seen = [await look(true), await look(false)];
    await world.clock.sleep(5_001);
    seen.push(await look(false), await look(false), await look(true));

    expect(seen).toEqual([1, 1, 2, 2, 3]);
  });

  test('ask again what failed', async () => {
    const { world, ports } = makeRemembering(5);
    let failures = 1;
    world.calls.before = event => {
      if (event !== 'findSourceFault 1' || failures === 0) return;
      failures -= 1;
      throw new FreshetError('away', { failureClass: 'transient', code: 'network_econnreset' });
    };

    const failed = await detectStaleRows(ports, { pass: 'incremental' }, plenty);
    const walked = await detectStaleRows(ports, { pass: 'reconcile' }, plenty);

    expect(failed.spaces[0]?.fault).toMatchObject({ code: 'network_econnreset' });
    expect(walked.spaces[0]).toMatchObject({ sent: 5 });
  });

  test('ask again where a statement on the source failed: the source may have changed since', async () => {
    const { world, ports } = makeRemembering(5);
    world.calls.before = event => {
      if (event !== 'leaseChangedRows') return;
      sourceOf(world.twin, makeSpace()).fault = { code: 'column-missing', message: 'column title is gone' };
      throw new FreshetError('gone', { failureClass: 'stop', code: 'sqlstate_42703' });
    };

    await detectStaleRows(ports, { pass: 'incremental' }, plenty);
    const walked = await detectStaleRows(ports, { pass: 'reconcile' }, plenty);

    expect(walked.spaces[0]?.fault).toMatchObject({ code: 'column-missing' });
  });

  test('lease together no more than may be in flight', async () => {
    const { world, ports } = makeRemembering(30, 20);
    world.clock.advance(30 * 60_000);
    const watermark = printTimestamp(minutesAgo(world.twin, 20));
    await world.detectPorts.detection.writeWatermark(makeSpace(), [watermark]);
    for (let index = 0; index < 12; index += 1)
      putRow(world.twin, makeSpace(), `edit ${index}`, 'text', minutesAgo(world.twin, 10));

    const changed = await detectStaleRows(ports, { pass: 'incremental' }, plenty);
    const walked = await detectStaleRows(ports, { pass: 'reconcile' }, plenty);
    const more = await detectStaleRows(ports, { pass: 'reconcile' }, plenty);

    expect([changed, walked, more].map(({ spaces }) => spaces[0]?.leased)).toEqual([12, 8, 0]);
  });

  test('hear of a fault that the source got since the last round', async () => {
    const { world, beginRound, ports } = makeRemembering(5);
    await detectStaleRows(ports, { pass: 'incremental' }, plenty);
    sourceOf(world.twin, makeSpace()).fault = { code: 'source-swapped', message: 'another table' };

    beginRound(true);
    const report = await detectStaleRows(ports, { pass: 'incremental' }, plenty);

    expect(report.spaces[0]?.fault).toMatchObject({ code: 'source-swapped' });
  });
});

describe('a local run that remembers for a round', () => {
  test('does all there is to do, asks once a round, and who died at its beginning and its end', async () => {
    const { world, beginRound, ports } = makeRemembering(6_000);

    let rounds = 0;
    const countRound = (idle: boolean) => {
      rounds += 1;
      beginRound(idle);
    };
    const parts = toLocalRunPorts({ ...world, detectPorts: ports }, {}, { beginRound: countRound });
    await runUntilFresh(parts);

    expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(6_000);
    expect(rounds).toBeGreaterThan(2);
    expect(asked(world)).toEqual([2, rounds, rounds]);
  });
});
