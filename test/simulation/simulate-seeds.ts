import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { RangeReport, SeedRange } from './simulate-range.ts';

/** Few enough that the last ones keep no thread waiting for long, many enough that handing them out costs nothing. */
const SEEDS_PER_RANGE = 100;

/**
 * Runs the seeds on as many threads; reports of ranges come as they end. With `failFast` no range begins after a failure, and those under way
 * go on to theirs or to their end: the lowest seed that fails is always among the failures.
 */
export async function simulateSeeds(
  { start, seeds }: SeedRange,
  { workers, failFast }: { readonly workers: number; readonly failFast: boolean },
  ended: (report: RangeReport) => void,
): Promise<void> {
  let begun = 0;
  let hasFailed = false;
  const takeRange = (): SeedRange | undefined => {
    if (begun >= seeds || (failFast && hasFailed)) return undefined;
    const range = { start: start + begun, seeds: Math.min(SEEDS_PER_RANGE, seeds - begun) };
    begun += range.seeds;
    return range;
  };
  const threads = Math.min(workers, Math.ceil(seeds / SEEDS_PER_RANGE));
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('./simulate-worker.ts', import.meta.url));
      try {
        for (let range = takeRange(); range; range = takeRange()) {
          const report = await simulateIn(worker, range, failFast);
          hasFailed ||= report.failures.length > 0;
          ended(report);
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
}

async function simulateIn(worker: Worker, range: SeedRange, failFast: boolean): Promise<RangeReport> {
  const answered = once(worker, 'message');
  worker.postMessage({ range, failFast });
  const [report] = await answered;
  return report as RangeReport;
}
