import { describe, expect, test } from 'vitest';
import { listCaps } from '../../lib/core/budget.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { DISPATCH, leaseRow, putRow } from '../factories/logged-twin.ts';
import { makeModel, makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spentUsd } from '../twin/twin-caps.ts';

const CALLS = 20;
/** A call of one text is estimated at a few thousandths of a dollar. */
const BILLED_TOKENS = 100;
const BILL_USD = BILLED_TOKENS * 0.001;
const CAP_USD = 0.35;

/** One message whose calls carry one text each, under a cap that their estimates never reach. */
function dispatch() {
  const space = makeSpace({ model: makeModel({ usdPerMillionTokens: 1_000 }) });
  const world = makeWorld([space]);
  world.twin.caps = listCaps({ usdPerDay: CAP_USD });
  Object.assign(world.provider.limits, { maxTextsPerCall: 1 });
  world.provider.script = request => ({ ...embedAll(request), tokens: BILLED_TOKENS });
  const ids = Array.from({ length: CALLS }, (_, place) => String(place + 1));
  for (const id of ids) {
    putRow(world.twin, space, id, `text ${id}`);
    leaseRow(world.twin, space, id);
  }
  const details = { v: 1, kind: 'dispatch', spaceId: space.spaceId, lane: 'bulk', dispatchId: DISPATCH };
  const record = {
    ...{ messageId: 'message', receiptHandle: 'message#1', receiveCount: 1 },
    body: JSON.stringify({ ...details, attempts: 0, ids }),
  };
  const { embedding } = world.database;
  const embed = () => embedRecord({ ...world.embedPorts, embedding }, record, () => 600_000);
  return { world, embed };
}

describe('a message whose calls are billed far above their estimates', () => {
  test('goes beyond a cap by one call at most, and keeps what it bought', async () => {
    const { world, embed } = dispatch();

    await embed();

    const billedUsd = world.provider.requests.length * BILL_USD;
    expect(billedUsd).toBeGreaterThan(CAP_USD - BILL_USD);
    expect(billedUsd).toBeLessThanOrEqual(CAP_USD + BILL_USD);
    expect(spentUsd(world.twin, world.twin.caps[0]!)).toBeCloseTo(billedUsd, 9);
    expect(world.twin.pauses).toMatchObject([{ scope: 'pipeline', reason: 'budget' }]);
    expect(world.results.remainingBodies()).toHaveLength(1);
  });

  test('gives nothing up where the database does not take a bill, and says so without a text', async () => {
    const { world, embed } = dispatch();
    world.calls.before = event => {
      if (event === 'noteBill')
        throw new FreshetError('lost', { failureClass: 'transient', code: 'sqlstate_08006' });
    };

    await embed();

    expect(world.provider.requests).toHaveLength(CALLS);
    expect(world.results.remainingBodies()).toHaveLength(1);
    expect(world.logger.lines.filter(({ event }) => event === 'bill-not-noted')).toHaveLength(CALLS);
  });
});
