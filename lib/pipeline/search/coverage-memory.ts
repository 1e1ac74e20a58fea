import { pickClaims } from '../../core/claims.ts';
import type { Clock } from '../../ports/process.ts';
import type { SearchCaller, SearchedSource, SearchStore } from '../../ports/search.ts';

/** What was measured of the rows that a caller may see; null where nothing was yet. */
interface MeasuredCoverage {
  readonly coverage_percent: number | null;
  readonly stale: number | null;
  readonly coverage_at: string | null;
  readonly without_keywords: number | null;
}

const NOT_MEASURED: MeasuredCoverage = {
  ...{ coverage_percent: null, stale: null, coverage_at: null, without_keywords: null },
};

const MEASURE_EVERY_MS = 60_000;
/** Numbers that were measured so long ago say too little to stand beside hits of now. */
const OLD_AFTER_MS = 600_000;
/** Time limit of a measurement, which reads the whole table. */
const MEASURED_WITHIN_MS = 30_000;
/** Callers that are remembered; the one that asked longest ago is forgotten first. */
const MAX_CALLERS = 1000;

interface Memory {
  measured: MeasuredCoverage;
  /** When what is known was measured, and when that was tried last. */
  measuredAtMs: number;
  triedAtMs: number;
  measuring: Promise<void> | undefined;
}

/** Gives the coverage of the rows that a caller may see. */
export type ReadCoverage = (source: SearchedSource, caller: SearchCaller) => Promise<MeasuredCoverage>;

/**
 * Remembers coverage, and measures each caller's at most once a minute, one at a time.
 * A search waits up to `waitMs` for the first one, and for one after ten minutes without any; else
 * it takes what is known.
 */
export function rememberCoverage(store: SearchStore, clock: Clock, waitMs: number): ReadCoverage {
  const memories = new Map<string, Memory>();
  let isMeasuring = false;

  const measure = async (memory: Memory, source: SearchedSource, caller: SearchCaller) => {
    const beganAtMs = clock.now();
    memory.triedAtMs = beganAtMs;
    const coverage = await store.readCoverage({ source, caller }, MEASURED_WITHIN_MS);
    memory.measuredAtMs = beganAtMs;
    memory.measured = {
      coverage_percent: coverage.coveragePercent,
      stale: coverage.stale,
      without_keywords: coverage.withoutKeywords,
      coverage_at: new Date(clock.now()).toISOString(),
    };
  };
  return async (source, caller) => {
    const claims = pickClaims(caller.claims, Object.values(source.claims));
    const key = JSON.stringify([source.space.spaceId, caller.kind, caller.tenant, claims]);
    const memory = memories.get(key) ?? newMemory();
    memories.delete(key);
    memories.set(key, memory);
    if (memories.size > MAX_CALLERS) memories.delete(memories.keys().next().value!);
    if (!isMeasuring && clock.now() - memory.triedAtMs >= MEASURE_EVERY_MS) {
      isMeasuring = true;
      memory.measuring = measure(memory, source, caller)
        // The number stays as it was: a search is worth its hits without it.
        .catch(() => undefined)
        .finally(() => {
          isMeasuring = false;
          memory.measuring = undefined;
        });
    }
    const isOld = clock.now() - memory.measuredAtMs >= OLD_AFTER_MS;
    if (isOld && memory.measuring !== undefined) await waitFor(memory.measuring, clock, waitMs);
    return memory.measured;
  };
}

const newMemory = (): Memory => ({
  ...{ measured: NOT_MEASURED, measuring: undefined },
  ...{ measuredAtMs: Number.NEGATIVE_INFINITY, triedAtMs: Number.NEGATIVE_INFINITY },
});

async function waitFor(work: Promise<void>, clock: Clock, waitMs: number): Promise<void> {
  const decided = new AbortController();
  await Promise.race([work, clock.sleep(waitMs, decided.signal)]);
  decided.abort('decided');
}
