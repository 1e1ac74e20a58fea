import { describe, expect, test } from 'vitest';
import { type Budget, listCaps } from '../../lib/core/budget.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeModel, makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { driveFleet } from './run-world.ts';

const ROWS = 12;
const BILLED_TOKENS = 1_000;
/** What a call of one text is billed. */
const BILL_USD = 1;
const MINUTE_MS = 60_000;

/** A fleet that has more to buy than its caps allow, an hour before the day ends. */
function openFleet(budget: Budget, startsAt: string) {
  const space = makeSpace({ model: makeModel({ usdPerMillionTokens: (1e6 * BILL_USD) / BILLED_TOKENS }) });
  const world = makeWorld([space], 1);
  const { clock, twin, provider } = world;
  clock.advance(Date.parse(startsAt) - clock.now());
  twin.caps = listCaps(budget);
  provider.script = request => ({ ...embedAll(request), tokens: BILLED_TOKENS });
  for (let row = 1; row <= ROWS; row += 1) putRow(twin, space, String(row), `text ${row}`);
  const { embedding } = world.database;
  return {
    world,
    raise: (raised: Budget) => {
      twin.caps = listCaps(raised);
    },
    /** Lets the fleet work for half an hour, and says what it bought in all. */
    work: async () => {
      await driveFleet(world, 30, 1, [{ ...world.embedPorts, embedding }], MINUTE_MS / 4);
      return provider.requests.length * BILL_USD;
    },
    goTo: (moment: string) => clock.advance(Date.parse(moment) - clock.now()),
    reasons: () => twin.pauses.map(({ reason }) => reason),
    failed: () => [...spaceOf(twin, space).outcomes.values()].filter(({ outcome }) => outcome !== 'embedded'),
  };
}

describe('a pause of a cap', () => {
  test('of a day ends with the day in UTC, at the next tick, and nothing failed', async () => {
    const fleet = openFleet({ usdPerDay: 4 }, '2026-01-30T22:30:00Z');

    const [spent, stillSpent] = [await fleet.work(), await fleet.work()];
    expect(fleet.reasons()).toEqual(['budget']);
    fleet.goTo('2026-01-31T00:00:00Z');
    const nextDay = await fleet.work();

    expect(spent).toBeGreaterThanOrEqual(4);
    expect(spent).toBeLessThanOrEqual(4 + BILL_USD);
    expect(stillSpent).toBe(spent);
    expect(nextDay).toBeGreaterThanOrEqual(spent + 4);
    expect(nextDay).toBeLessThanOrEqual(spent + 4 + BILL_USD);
    expect(fleet.failed()).toEqual([]);
  });

  test('of a month holds over midnight and ends with the month in UTC', async () => {
    const fleet = openFleet({ usdPerMonth: 4 }, '2026-01-30T22:30:00Z');

    const spent = await fleet.work();
    fleet.goTo('2026-01-31T12:00:00Z');
    const nextDay = await fleet.work();
    fleet.goTo('2026-02-01T00:00:00Z');
    const nextMonth = await fleet.work();

    expect(nextDay).toBe(spent);
    expect(nextMonth).toBeGreaterThanOrEqual(spent + 4);
    expect(fleet.failed()).toEqual([]);
  });

  test('ends at the next tick once somebody raises the cap, and holds where it is lowered', async () => {
    const fleet = openFleet({ usdPerDay: 4 }, '2026-01-30T20:00:00Z');

    const spent = await fleet.work();
    fleet.raise({ usdPerDay: 2 });
    const lowered = await fleet.work();
    fleet.raise({ usdPerDay: 100 });
    const raised = await fleet.work();

    expect(lowered).toBe(spent);
    expect(raised).toBe(ROWS * BILL_USD);
    expect(fleet.reasons()).toEqual([]);
    expect(fleet.failed()).toEqual([]);
  });
});
