import type { Random } from './random.ts';

interface Event {
  readonly atMs: number;
  /** Decides between events of one millisecond. */
  readonly turn: number;
  readonly run: () => void;
}

/** Virtual time: the next event is always the earliest, and chance decides between those of one moment. */
export interface Scheduler {
  nowMs(): number;
  after(delayMs: number, run: () => void): void;
  /** Runs the next event; false when there is none. What it wakes runs as microtasks before the next step. */
  step(): boolean;
  readonly steps: () => number;
}

export function createScheduler(random: Random, startMs: number): Scheduler {
  let nowMs = startMs;
  let steps = 0;
  const events: Event[] = [];
  return {
    nowMs: () => nowMs,
    steps: () => steps,
    after(delayMs, run) {
      events.push({ atMs: nowMs + Math.max(0, Math.ceil(delayMs)), turn: random.fraction(), run });
    },
    step() {
      let first = 0;
      for (let place = 1; place < events.length; place += 1) {
        if (comesBefore(events[place] as Event, events[first] as Event)) first = place;
      }
      const next = events[first];
      if (!next) return false;
      const last = events.pop() as Event;
      if (last !== next) events[first] = last;
      nowMs = next.atMs;
      steps += 1;
      next.run();
      return true;
    },
  };
}

const comesBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
