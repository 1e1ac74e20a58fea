import { describe, expect, test } from 'vitest';
import { NO_FAULTS } from './fault-plan.ts';
import { REGRESSION_SEEDS } from './regression-seeds.ts';
import { runSimulations, type SimulationReport, simulateSeed } from './run-simulation.ts';
import type { RangeReport } from './simulate-range.ts';
import { simulateSeeds } from './simulate-seeds.ts';
import type { ForcedFate, SimulationOptions } from './world.ts';

const SEEDS = 300;
/** Without a fault of its own it buys, copies, touches, excludes, is refused, overtakes and marks an orphan, in few port calls. */
const SCENARIO = { seed: 53, plan: { ...NO_FAULTS, refusedTexts: 0.2 } };
const FATES: readonly ForcedFate['fate'][] = ['crash-before', 'crash-after', 'fail-before', 'fail-after'];

async function runAll(
  jobs: readonly { readonly seed: number; readonly options?: SimulationOptions }[],
): Promise<{ report: SimulationReport; job: number }[]> {
  const reports: { report: SimulationReport; job: number }[] = [];
  await runSimulations(jobs, (report, job) => reports.push({ report, job }));
  return reports;
}

const describeViolations = ({ seed, violations }: SimulationReport) =>
  violations.map(({ invariant, detail }) => `${invariant}: ${detail}; npm run simulate -- --seed ${seed}`);

describe('the pipeline under simulated faults', () => {
  test(`keeps every invariant in ${SEEDS} histories`, async () => {
    const jobs = Array.from({ length: SEEDS }, (_, index) => ({ seed: index + 1 }));
    const reports = await runAll(jobs);
    expect(reports.flatMap(({ report }) => describeViolations(report))).toEqual([]);
    expect(reports).toHaveLength(SEEDS);
    expect(reports.reduce((sum, { report }) => sum + report.faults, 0)).toBeGreaterThan(SEEDS);
  });

  test.each(REGRESSION_SEEDS)('stays mended: seed $seed ($showed)', async ({ seed }) => {
    expect(describeViolations(await simulateSeed(seed))).toEqual([]);
  });

  test('leaves the same trace whenever a seed is run again, alone or beside others', async () => {
    const seeds = Array.from({ length: 25 }, (_, index) => ({ seed: 9_000 + index }));
    const together = await runAll(seeds);
    const alone: string[] = [];
    for (const { seed } of seeds) alone.push((await simulateSeed(seed, { inWords: true })).traceHash);
    const bySeed = together.map(({ report }) => report).sort((a, b) => a.seed - b.seed);
    expect(bySeed.map(({ traceHash }) => traceHash)).toEqual(alone);
    expect(new Set(alone).size).toBe(alone.length);
  });

  test('says the same of a range of seeds however many threads run it', async () => {
    const sumUp = async (workers: number) => {
      const reports: RangeReport[] = [];
      const course = { workers, failFast: true };
      await simulateSeeds({ start: 500, seeds: 130 }, course, report => reports.push(report));
      return reports.sort((a, b) => a.start - b.start).map(({ cpuSeconds: _, ...report }) => report);
    };
    const together = await sumUp(2);
    expect(together.map(({ start, seeds }) => ({ start, seeds }))).toEqual([
      { start: 500, seeds: 100 },
      { start: 600, seeds: 30 },
    ]);
    expect(together).toEqual(await sumUp(1));
  });

  test('survives the death of its process, a failure and a lost reply at every single port call', async () => {
    const { portCallsBeforeCalm, violations } = await simulateSeed(SCENARIO.seed, SCENARIO);
    expect(violations).toEqual([]);
    expect(portCallsBeforeCalm).toBeGreaterThan(100);
    const strikes = Array.from({ length: portCallsBeforeCalm }, (_, index) => index + 1).flatMap(call =>
      FATES.map(fate => ({ call, fate })),
    );
    const jobs = strikes.map(forced => ({ seed: SCENARIO.seed, options: { ...SCENARIO, forced } }));
    const reports = await runAll(jobs);
    const broken = reports.filter(({ report }) => report.violations.length > 0);
    expect(
      broken.map(({ report, job }) => ({ ...strikes[job], violations: describeViolations(report) })),
    ).toEqual([]);
    expect(reports.filter(({ report }) => report.faults > 0)).toHaveLength(strikes.length);
  });
});
