import { runSimulations, type SimulationReport } from './run-simulation.ts';

/** Seeds from `start` on. */
export interface SeedRange {
  readonly start: number;
  readonly seeds: number;
}

export type Totals = Pick<
  SimulationReport,
  'steps' | 'portCalls' | 'providerCalls' | 'virtualSeconds' | 'faults'
>;

/** A report of a seed that broke an invariant, without its words: its seed makes them again. */
export type Failure = Pick<SimulationReport, 'seed' | 'violations' | 'traceHash'>;

export interface RangeReport extends SeedRange {
  readonly totals: Totals;
  readonly failures: readonly Failure[];
  /** Processor time of the thread that ran them. */
  readonly cpuSeconds: number;
}

const NOTHING: Totals = { steps: 0, portCalls: 0, providerCalls: 0, virtualSeconds: 0, faults: 0 };

export function addTotals(sums: Totals, more: Totals): Totals {
  const keys = Object.keys(NOTHING) as (keyof Totals)[];
  return Object.fromEntries(keys.map(key => [key, sums[key] + more[key]])) as unknown as Totals;
}

/** With `failFast` it ends at its first failure, and `seeds` says how many were run. */
export async function simulateRange({ start, seeds }: SeedRange, failFast: boolean): Promise<RangeReport> {
  const before = process.threadCpuUsage();
  const failures: Failure[] = [];
  let totals = NOTHING;
  let begun = 0;
  const jobs = function* () {
    for (; begun < seeds && !(failFast && failures.length > 0); begun += 1) yield { seed: start + begun };
  };
  await runSimulations(jobs(), report => {
    totals = addTotals(totals, report);
    const { seed, violations, traceHash } = report;
    if (violations.length > 0) failures.push({ seed, violations, traceHash });
  });
  const { user, system } = process.threadCpuUsage(before);
  return { start, seeds: begun, totals, failures, cpuSeconds: (user + system) / 1e6 };
}
