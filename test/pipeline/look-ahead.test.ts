import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { createLookAhead } from '../../lib/local/look-ahead.ts';
import type { LocalRunPorts } from '../../lib/local/run-ports.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { DetectRequest, SpaceReport } from '../../lib/pipeline/detect/detect-ports.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { sourceOf } from '../twin/twin-database.ts';
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
      ...{ spaceId: 1, source: 'items', model: 'small', leased, sent: leased, unsent: false },
      ...{ passBegan: walks, passEnded: walks, skipped: [], slices: walks ? 1 : 0 },
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
        [0, 0, 0],
        [3, 0],
      ],
    },
    { leased: 'all rows that it may in its incremental pass', rounds: [[0, 0, 0], [MANY_ROWS]] },
    {
      leased: 'rows and then failed',
      rounds: [
        [0, 0, 0],
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

describe('looking for edits', () => {
  /** Looks twice at spaces that leased and left this, and counts how often `detect` was asked. */
  async function countLooks(...found: Pick<SpaceReport, 'leased' | 'unsent'>[]) {
    const parts = toLocalRunPorts(makeWorld(), {}, { passes: 'incremental' });
    let looks = 0;
    const detect = async () => {
      looks += 1;
      return {
        spaces: found.map((space, spaceId) => ({
          ...{ ...space, spaceId, source: 'items', model: 'small', sent: space.leased },
          ...{ passBegan: false, passEnded: false, skipped: [], slices: 0 },
        })),
      };
    };
    const ports = { ...parts, handlers: { ...parts.handlers, detect } };
    const lookAhead = createLookAhead(ports, () => undefined);
    await lookAhead.round(MANY_ROWS, false);
    await lookAhead.lookForEdits(100);
    return looks;
  }

  test('asks for nothing while the last pass left changed rows: an edit would come behind them', async () => {
    expect(await countLooks({ leased: MANY_ROWS, unsent: true })).toBe(1);
  });

  test.each([
    ['nothing was left', [{ leased: 100, unsent: false }]],
    ['nothing was leased, so that it is not known what waits', [{ leased: 0, unsent: true }]],
    [
      'another space has none left',
      [
        { leased: 900, unsent: true },
        { leased: 100, unsent: false },
      ],
    ],
  ])('asks where %s', async (_, found) => {
    expect(await countLooks(...found)).toBe(2);
  });
});

test('a row that no look can compare is told once, and holds up no other, now and after it is mended', async () => {
  const space = makeSpace();
  const world = makeWorld([space]);
  for (let row = 0; row < 250; row += 1)
    putRow(world.twin, space, String(row).padStart(4, '0'), `text ${row}`);
  const source = sourceOf(world.twin, space);
  source.raising.add('0105');

  const first = await runUntilFresh(toLocalRunPorts(world));
  source.raising.clear();
  const second = await runUntilFresh(toLocalRunPorts(world));

  expect(first).toMatchObject({ embedded: 249, failed: 0, faults: [] });
  expect(first.skipped).toEqual([{ source: space.source.name, id: '0105', code: 'sqlstate_22007' }]);
  expect(second).toMatchObject({ embedded: 250, skipped: [] });
});

test('rows that were in a call when a process died are taken up once nothing else is left', async () => {
  const asked: (number | undefined)[] = [];
  const parts = toLocalRunPorts(makeWorld(), {}, { passes: 'both' });
  const lookAhead = createLookAhead(
    {
      ...parts,
      handlers: {
        ...parts.handlers,
        detect: async (request, context) => {
          asked.push(request.maxAttempts);
          return parts.handlers.detect(request, context);
        },
      },
    },
    () => undefined,
  );

  await lookAhead.round(MANY_ROWS, true);
  await lookAhead.round(MANY_ROWS, true);

  expect(asked).toEqual([0, 0, undefined, undefined, undefined]);
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
