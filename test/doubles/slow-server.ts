import type { Clock } from '../../lib/ports/process.ts';

/**
 * `serial`: one call at a time, first come, first served.
 * `shared`: all calls at once, which share the time.
 */
export type SlowServerKind = 'serial' | 'shared';

export interface SlowServer {
  /** Resolves when the texts of a call are computed. Nobody can call off what was begun. */
  compute(texts: number): Promise<void>;
  /** Texts of all calls that are computed, for whomever. */
  readonly computed: number;
  /** When the first call was computed, in the clock's time. */
  readonly firstAtMs: number | undefined;
}

/** A server that needs so many milliseconds for each text and computes what nobody waits for too. */
export function createSlowServer(kind: SlowServerKind, msPerText: number, clock: Clock): SlowServer {
  let computed = 0;
  let firstAtMs: number | undefined;
  const finish = (texts: number) => {
    computed += texts;
    firstAtMs ??= clock.now();
  };
  let last: Promise<void> = Promise.resolve();
  const serve = (texts: number) => {
    last = last.then(() => clock.sleep(texts * msPerText)).then(() => finish(texts));
    return last;
  };
  const jobs = new Set<{ leftMs: number; readonly done: () => void }>();
  let sharing = false;
  const share = async () => {
    sharing = true;
    while (jobs.size > 0) {
      const working = [...jobs];
      await clock.sleep(msPerText);
      for (const job of working) {
        job.leftMs -= msPerText / working.length;
        if (job.leftMs > 1e-6) continue;
        jobs.delete(job);
        job.done();
      }
    }
    sharing = false;
  };
  return {
    compute: texts => {
      if (kind === 'serial') return serve(texts);
      return new Promise(resolve => {
        const done = () => {
          finish(texts);
          resolve();
        };
        jobs.add({ leftMs: texts * msPerText, done });
        if (!sharing) void share();
      });
    },
    get computed() {
      return computed;
    },
    get firstAtMs() {
      return firstAtMs;
    },
  };
}
