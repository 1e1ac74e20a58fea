import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { createLookAhead } from '../../lib/local/look-ahead.ts';
import type { LocalRunPorts } from '../../lib/local/run-ports.ts';
import type { DetectRequest, SpaceReport } from '../../lib/pipeline/detect/detect-ports.ts';
import { makeWorld } from '../factories/world.ts';
import { toLocalRunPorts } from './run-world.ts';

const MANY_ROWS = 1_000;

/** Looks ahead with a `detect` that leases these rows, pass after pass, and none once they are used up. */
function makeLookAhead(passes: LocalRunPorts['passes'], ...leasedByPass: (number | Error)[]) {
  const parts = toLocalRunPorts(makeWorld(), {}, { passes });
  const detect = async ({ pass }: DetectRequest) => {
    const leased = leasedByPass.shift() ?? 0;
    if (leased instanceof Error) throw leased;
    const walks = pass === 'reconcile';
    const report: SpaceReport = {
      ...{ spaceId: 1, source: 'items', model: 'small', leased, sent: leased },
      ...{ passBegan: walks, passEnded: walks, slices: walks ? 1 : 0 },
    };
    return { spaces: [report] };
  };
  return createLookAhead({ ...parts, handlers: { ...parts.handlers, detect } }, () => undefined);
}

describe('looking ahead with both passes', () => {
  test('takes all for done after a round that leased nothing', async () => {
    const lookAhead = makeLookAhead('both');
    expect(lookAhead.isComplete()).toBe(false);

    await lookAhead.round(MANY_ROWS, true);

    expect(lookAhead.isComplete()).toBe(true);
  });

  test.each([
    { leased: 'rows in its reconcile pass, which came to its end', rounds: [[0, 3]] },
    { leased: 'rows in its incremental pass', rounds: [[3, 0]] },
    {
      leased: 'rows after a round that leased nothing',
      rounds: [
        [0, 0],
        [3, 0],
      ],
    },
    { leased: 'all rows that it may in its incremental pass', rounds: [[0, 0], [MANY_ROWS]] },
    {
      leased: 'rows and then failed',
      rounds: [
        [0, 0],
        [3, new FreshetError('away', { failureClass: 'transient', code: 'network_econnreset' })],
      ],
    },
  ])('takes nothing for done after a round that leased $leased', async ({ rounds }) => {
    const lookAhead = makeLookAhead('both', ...rounds.flat());

    for (const _ of rounds) await lookAhead.round(MANY_ROWS, true);

    expect(lookAhead.leasedRows()).toBeGreaterThan(0);
    expect(lookAhead.isComplete()).toBe(false);
  });
});

describe('looking ahead with the incremental pass alone', () => {
  test('takes all for done after a round that leased nothing, and nothing after one that leased rows', async () => {
    const lookAhead = makeLookAhead('incremental', 0, 3, 0);
    const isCompleteAfterRound = async () => {
      await lookAhead.round(MANY_ROWS, true);
      return lookAhead.isComplete();
    };

    expect(await isCompleteAfterRound()).toBe(true);
    expect(await isCompleteAfterRound()).toBe(false);
    expect(await isCompleteAfterRound()).toBe(true);
  });
});
