import { median } from '../apparatus/median.ts';

/** Durations of one function's invocations, one after the other. */
export function createStopwatch() {
  const durations: number[] = [];
  return {
    async time<Result>(invoke: () => Promise<Result>): Promise<Result> {
      const began = performance.now();
      try {
        return await invoke();
      } finally {
        durations.push(performance.now() - began);
      }
    },
    /** The first invocation wires the function: what it took beyond the others belongs to the start. */
    read(): { invocations: number; invocationMs: number; wiringMs: number } {
      const [first = 0, ...others] = durations;
      const invocationMs = others.length === 0 ? first : median(others);
      return { invocations: durations.length, invocationMs, wiringMs: Math.max(0, first - invocationMs) };
    },
  };
}
