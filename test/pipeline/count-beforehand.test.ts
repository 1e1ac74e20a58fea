import { expect, it } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { countBeforehand } from '../../lib/local/count-beforehand.ts';
import type { Coverage, ReportStore } from '../../lib/ports/report-store.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeSpace } from '../factories/space.ts';

const clock = createVirtualClock();

function buildCoverage(counts: Partial<Coverage> = {}): Coverage {
  return {
    ...{ source: 'ai_items', model: 'small', coveragePercent: 100, lastUpdate: null },
    ...{ eligible: 3, fresh: 3, stale: 0, inFlight: 0, failed: 0, excluded: 0 },
    ...counts,
  };
}

/**
 * Begins to count one space, whose statement takes `ms` of virtual time and then ends as given. A
 * count that has a limit is refused after `refusedAfterMs`, as the size of the table has it.
 */
async function countOne(ms: number, outcome: Coverage | Error, refusedAfterMs = Number.POSITIVE_INFINITY) {
  const seen: (readonly Coverage[])[] = [];
  const begunAtMs: number[] = [];
  const readCoverage = async (_: unknown, timeoutMs = Number.POSITIVE_INFINITY) => {
    begunAtMs.push(clock.now() - startedAtMs);
    const isLimited = timeoutMs !== Number.POSITIVE_INFINITY;
    await clock.sleep(isLimited ? Math.min(ms, timeoutMs, refusedAfterMs) : ms);
    if (ms > timeoutMs) throw new FreshetError('late', { failureClass: 'stop', code: 'sqlstate_57014' });
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const startedAtMs = clock.now();
  const before = await countBeforehand({
    reports: { readCoverage } as Partial<ReportStore> as ReportStore,
    spaces: [makeSpace()],
    clock,
    onCounted: coverages => seen.push(coverages),
  });
  return { before, seen, begunAtMs, waitedMs: clock.now() - startedAtMs };
}

it('shows a small table before the run begins', async () => {
  const { seen, waitedMs } = await countOne(20, buildCoverage());

  expect([seen, waitedMs]).toEqual([[[buildCoverage()]], 20]);
});

it('lets the run begin while a large table is counted, and shows the count when it is there', async () => {
  const { seen, waitedMs } = await countOne(60_000, buildCoverage({ stale: 1, fresh: 2 }));
  const seenAtFirst = seen.length;

  await clock.sleep(62_000);

  expect([waitedMs, seenAtFirst, seen.length]).toEqual([150, 0, 1]);
});

it('counts a large table a second later, so that the first rows are embedded before', async () => {
  const { begunAtMs } = await countOne(60_000, buildCoverage());

  await clock.sleep(5_000);

  expect(begunAtMs).toEqual([0, 1_150]);
});

it('waits for no table whose size says at once that it is large', async () => {
  const { begunAtMs, waitedMs, seen } = await countOne(60_000, buildCoverage(), 2);

  await clock.sleep(62_000);

  expect([waitedMs, begunAtMs, seen.length]).toEqual([2, [0, 1_002], 1]);
});

it('counts a large table at once where its count is asked for', async () => {
  const { before, begunAtMs } = await countOne(60_000, buildCoverage());

  await clock.sleep(300);
  const counted = await before.read();

  expect([counted, begunAtMs]).toEqual([[buildCoverage()], [0, 450]]);
});

it('does not count a large table once the run is over', async () => {
  const { before, begunAtMs } = await countOne(60_000, buildCoverage());

  before.close();
  await clock.sleep(5_000);

  expect(begunAtMs).toEqual([0]);
});

it('shows nothing once the run is over', async () => {
  const { before, seen } = await countOne(60_000, buildCoverage());

  before.close();
  await before.read();

  expect(seen).toEqual([]);
});

it('serves as the count of the end only where no row was stale or on its way', async () => {
  const ofCounts = async (counts: Partial<Coverage>) =>
    (await countOne(20, buildCoverage(counts))).before.ifFresh();

  expect(await ofCounts({ failed: 1, fresh: 2 })).toEqual([buildCoverage({ failed: 1, fresh: 2 })]);
  expect(await ofCounts({ stale: 1, fresh: 2 })).toBeUndefined();
  expect(await ofCounts({ inFlight: 1, fresh: 2 })).toBeUndefined();
});

it('fails the run at once, and later leaves the cause to the run', async () => {
  await expect(countOne(20, new Error('no connection'))).rejects.toThrow('no connection');

  const { before } = await countOne(60_000, new Error('no connection'));
  expect(await before.ifFresh()).toBeUndefined();
});
