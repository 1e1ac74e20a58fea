import { expect, it } from 'vitest';
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

/** Begins to count one space, whose statement takes `ms` of virtual time and then ends as given. */
async function countOne(ms: number, outcome: Coverage | Error) {
  const seen: (readonly Coverage[])[] = [];
  const readCoverage = async () => {
    await clock.sleep(ms);
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
  return { before, seen, waitedMs: clock.now() - startedAtMs };
}

it('shows a small table before the run begins', async () => {
  const { seen, waitedMs } = await countOne(20, buildCoverage());

  expect([seen, waitedMs]).toEqual([[[buildCoverage()]], 20]);
});

it('lets the run begin while a large table is counted, and shows the count when it is there', async () => {
  const { before, seen, waitedMs } = await countOne(60_000, buildCoverage({ stale: 1, fresh: 2 }));
  const seenAtFirst = seen.length;

  await before.read();

  expect([waitedMs <= 500, seenAtFirst, seen.length]).toEqual([true, 0, 1]);
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
