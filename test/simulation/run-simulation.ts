import { commitSomeTransaction, startApplication } from './application.ts';
import { checkCoverage } from './check-end.ts';
import { createWriteChecks } from './check-writes.ts';
import { scheduleIncidents } from './incidents.ts';
import type { Violation } from './invariants.ts';
import { settle } from './settle.ts';
import { createWorld, type SimulationOptions, type World } from './world.ts';

export interface SimulationReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  readonly trace: readonly string[];
  readonly steps: number;
  readonly portCalls: number;
  /** Of these, the ones before the calm: where the exhaustive suite strikes. */
  readonly portCallsBeforeCalm: number;
  readonly providerCalls: number;
  readonly virtualSeconds: number;
  readonly faults: number;
}

/** A run in the making. */
export interface Simulation {
  /** Runs events until one woke somebody, who then runs first. The report, once it is over. */
  advance(): SimulationReport | undefined;
}

/** Beyond this a run is stuck in a circle. */
const MOST_STEPS = 60_000;
const STEPS_PER_COVERAGE = 16;

export function startSimulation(seed: number, options: SimulationOptions = {}): Simulation {
  const world = createWorld(seed, options, createWriteChecks, commitSomeTransaction);
  let isOver = false;
  let portCallsBeforeCalm = 0;
  world.trace.event('shape', 0, () => JSON.stringify({ ...world.shape, spaces: world.spaces.length }));
  world.trace.event('plan', 0, () =>
    JSON.stringify(Object.fromEntries(Object.entries(world.plan).filter(([, rate]) => rate > 0))),
  );
  startApplication(world);
  scheduleIncidents(world);
  world.scheduler.after(world.shape.faultPhaseMs, () => {
    portCallsBeforeCalm = world.portCalls;
    settle(world, () => {
      isOver = true;
    });
  });
  return {
    advance() {
      world.hasWoken = false;
      while (!isOver && world.scheduler.step() && world.scheduler.steps() < MOST_STEPS) {
        if (world.scheduler.steps() % STEPS_PER_COVERAGE === 0) checkCoverage(world);
        if (world.hasWoken) return undefined;
      }
      if (!isOver) world.violate('quiescent', 'the run came to no end');
      return report(world, portCallsBeforeCalm);
    },
  };
}

function report(world: World, portCallsBeforeCalm: number): SimulationReport {
  for (const space of world.twin.spaces.values()) {
    for (const { id, readAt, xid } of space.outcomes.values())
      world.trace.event(`end ${id} ${readAt} ${xid}`);
  }
  return {
    seed: world.seed,
    violations: world.violations,
    traceHash: world.trace.hash(),
    trace: world.trace.lines,
    steps: world.scheduler.steps(),
    portCalls: world.portCalls,
    portCallsBeforeCalm,
    providerCalls: world.services.providerCalls,
    virtualSeconds: Math.round(world.scheduler.nowMs() / 1000),
    faults: world.hardFaults,
  };
}

/** Runs every job, one after the other; reports come in their order. */
export async function runSimulations(
  jobs: Iterable<{ readonly seed: number; readonly options?: SimulationOptions }>,
  ended: (report: SimulationReport, job: number) => void,
): Promise<void> {
  let job = 0;
  for (const { seed, options } of jobs) {
    ended(await runToEnd(startSimulation(seed, options)), job);
    job += 1;
    await new Promise(resolve => setImmediate(resolve));
  }
}

const SETTLED = Promise.resolve();

/**
 * One event after the other, each when all that the one before it woke has run: Node takes the next tick once no microtask is left. That
 * spares a round of the event loop for each event, and an event that wakes nobody needs no tick either.
 */
function runToEnd(simulation: Simulation): Promise<SimulationReport> {
  return new Promise((resolve, reject) => {
    const step = () => {
      try {
        const over = simulation.advance();
        if (over) return resolve(over);
      } catch (error) {
        return reject(error);
      }
      void SETTLED.then(askForTick);
    };
    const askForTick = () => process.nextTick(step);
    step();
  });
}

export async function simulateSeed(seed: number, options: SimulationOptions = {}): Promise<SimulationReport> {
  const reports: SimulationReport[] = [];
  await runSimulations([{ seed, options }], report => reports.push(report));
  return reports[0] as SimulationReport;
}
