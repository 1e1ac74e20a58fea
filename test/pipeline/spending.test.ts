import { expect, test } from 'vitest';
import { detectStaleRows } from '../../lib/pipeline/detect/detect.ts';
import type { Spending } from '../../lib/ports/report-store.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';

const plenty = () => 600_000;
/** What a tick does not tell. */
const END = { percent: 0, endsAt: '2026-01-01T00:00:00Z' };

/** Runs a tick and lists the samples that it told of money. */
async function tick(world: World, readSpending?: () => Promise<readonly Spending[]>) {
  const samples: [name: string, value: number][] = [];
  const metrics = {
    ...world.metrics,
    count: (name: string, value: number) => void samples.push([name, value]),
  };
  const report = await detectStaleRows(
    { ...world.detectPorts, metrics, ...(readSpending && { readSpending }) },
    { pass: 'incremental' },
    plenty,
  );
  return { report, told: samples.filter(([name]) => /^Cap|^Spent/.test(name)) };
}

test('a tick tells how much of each cap is spent, and what the day cost where it has a cap', async () => {
  const { told } = await tick(makeWorld(), async () => [
    { scope: 'pipeline', period: 'day', capUsd: 20, spentUsd: 16.5, ...END },
    { scope: 'pipeline', period: 'month', capUsd: 300, spentUsd: 30, ...END },
    { scope: 'source:items', period: 'day', capUsd: 1, spentUsd: 0.25, ...END },
    { scope: 'source:notes', period: 'day', capUsd: 0, spentUsd: 0, ...END },
  ]);

  expect(told).toEqual([
    ['CapPercent', 82.5],
    ['SpentTodayUsd', 16.5],
    ['CapPercent', 10],
    ['CapPercent', 25],
    ['CapPercent', 100],
  ]);
});

test('a tick without a budget tells nothing of caps, and one that cannot read them does its work', async () => {
  const world = makeWorld();
  putRow(world.twin, makeSpace(), '1', 'text');

  expect((await tick(makeWorld())).told).toEqual([]);
  const { report, told } = await tick(world, () => Promise.reject(new Error('statement timeout')));

  expect(told).toEqual([]);
  expect(report.spaces).toMatchObject([{ leased: 1 }]);
  expect(world.logger.lines.map(({ event }) => event)).toContain('spending-not-measured');
});
