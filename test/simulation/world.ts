import type { Space } from '../../lib/core/model.ts';
import type { RateLimits } from '../../lib/core/rate.ts';
import { makeModel, makeSource } from '../factories/space.ts';
import { openTwin, type TwinStores } from '../twin/open-twin.ts';
import type { TwinDatabase, TwinObserver } from '../twin/twin-database.ts';
import { type ApplicationState, createApplicationState } from './application-state.ts';
import { drawBillFactor, drawCaps, drawClockOffsetMs } from './check-caps.ts';
import type { Holdings } from './check-purchases.ts';
import { drawLimits } from './check-rate.ts';
import { type Crowd, drawCrowd, type TenantWatch } from './check-tenants.ts';
import { drawFaultPlan, type FaultPlan, NO_FAULTS } from './fault-plan.ts';
import type { InvariantName, Violation } from './invariants.ts';
import type { Component } from './invocation.ts';
import type { Process } from './invoke.ts';
import { createRandom, type Random } from './random.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createServices, type Services } from './services.ts';
import { drawBatchTerms } from './simulated-batches.ts';
import { createTrace, type Trace } from './trace.ts';

/** What happens at one port call whatever chance says: for the exhaustive suite. */
export interface ForcedFate {
  readonly call: number;
  readonly fate: 'crash-before' | 'crash-after' | 'fail-before' | 'fail-after';
}

export interface SimulationOptions {
  readonly inWords?: boolean;
  readonly plan?: FaultPlan;
  readonly forced?: ForcedFate;
}

/** Sizes and times of one seed's deployment. */
export interface Shape {
  readonly batchSize: number;
  readonly maxInFlight: number;
  readonly sliceRows: number;
  readonly concurrency: number;
  readonly visibilitySeconds: number;
  readonly horizonMarginSeconds: number;
  readonly maxTextsPerCall: number;
  /** Above as many texts the provider answers 413. */
  readonly tooManyTexts: number;
  readonly faultPhaseMs: number;
  /** What the configuration allows of each model, in one seed of four. */
  readonly limits: RateLimits | undefined;
  /** How bulk texts are bought by batch, in one seed of eight. */
  readonly batch: ReturnType<typeof drawBatchTerms>;
  /** Tenants of very different sizes, in one seed of sixteen. */
  readonly crowd: Crowd | undefined;
}

export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly shape: Shape;
  readonly spaces: readonly Space[];
  readonly twin: TwinDatabase;
  readonly stores: TwinStores;
  readonly application: ApplicationState;
  readonly services: Services;
  /** The seed's own; `faults` becomes `NO_FAULTS` when the calm begins. */
  readonly plan: FaultPlan;
  faults: FaultPlan;
  readonly forced: ForcedFate | undefined;
  readonly billFactor: number | undefined;
  readonly violations: Violation[];
  /** Counts every effect: what happened before what, where the clock cannot say. */
  sequence: number;
  portCalls: number;
  invocations: number;
  running: number;
  /** The event at hand woke a process: what waits for it runs before the next event. */
  hasWoken: boolean;
  /** Faults that can end a delivery or lose what it bought. */
  hardFaults: number;
  /** What a space holds, for the checks of purchases, by space. */
  readonly holdings: Map<number, Holdings>;
  /** `sequence` of the commit that a stored outcome was read from, by `spaceId/id`. */
  readonly storedReadings: Map<string, number>;
  /** `sequence` of the newest reading that a stepped-back clock let an older one replace, by `spaceId/id`. */
  readonly overturnedReadings: Map<string, number>;
  /** When a tick last stored that nothing waits in a space, and the invocation that did, by space. */
  readonly unsentCleared: Map<number, { readonly sequence: number; readonly by: number }>;
  /** How many ticks in a row ended with a version of a row stale, by `spaceId/id`. */
  readonly staleTicks: Map<string, { readonly version: number | null; readonly ticks: number }>;
  readonly tenants: TenantWatch;
  /** Idle processes that remember their last invocation. */
  readonly warm: Readonly<Record<Component, Process[]>>;
  /** `sequence` when somebody last asked for the pause of the database. */
  databasePausedAt: number;
  /** The database fell over to a replica, which takes no writes. */
  readOnly: boolean;
  /** Database time less virtual time, in milliseconds; it falls when the clock steps back. */
  clockOffsetMs: number;
  violate(invariant: InvariantName, detail: string): void;
  newIdentifier(): string;
}

export const START_MS = Date.UTC(2026, 0, 1);

export function createWorld(
  seed: number,
  options: SimulationOptions,
  createObserver: (world: World) => TwinObserver,
  commitSome: (world: World) => void,
): World {
  const random = createRandom(seed);
  const plan = options.plan ?? drawFaultPlan(random);
  const scheduler = createScheduler(random, 0);
  const limits = options.plan === undefined ? drawLimits(seed) : undefined;
  const batch = options.plan === undefined ? drawBatchTerms(seed) : undefined;
  const crowd = options.plan === undefined ? drawCrowd(seed) : undefined;
  const hasTenants = (options.plan === undefined && seed % 8 === 6) || crowd !== undefined;
  const spaces = drawSpaces(random, limits, batch, hasTenants);
  const drawn = drawShape(random);
  const shape = { ...drawn, limits, batch, crowd, maxInFlight: crowd?.maxInFlight ?? drawn.maxInFlight };
  let identifiers = 0;
  const newIdentifier = () => {
    identifiers += 1;
    return `00000000-0000-4000-8000-${identifiers.toString(16).padStart(12, '0')}`;
  };
  let observer: TwinObserver | undefined;
  const { twin, stores } = openTwin(spaces, {
    now: createDatabaseClock(() => START_MS + scheduler.nowMs() + world.clockOffsetMs),
    newIdentifier,
    horizonMarginSeconds: shape.horizonMarginSeconds,
    caps: options.plan === undefined ? drawCaps(seed) : [],
    betweenStatements: () => commitSome(world),
    observer: {
      outcomeWritten: (space, before, after) => observer?.outcomeWritten(space, before, after),
      outcomeDeleted: (space, outcome) => observer?.outcomeDeleted(space, outcome),
      watermarkWritten: (space, watermark) => observer?.watermarkWritten(space, watermark),
      grantRevoked: callId => observer?.grantRevoked(callId),
      verdictRemembered: (space, hash) => observer?.verdictRemembered(space, hash),
    },
  });
  const world: World = {
    ...{ seed, random, scheduler, shape, spaces, twin, stores, plan, newIdentifier },
    trace: createTrace(scheduler.nowMs, options.inWords ?? false),
    application: createApplicationState(),
    services: createServices(spaces),
    faults: plan,
    forced: options.forced,
    billFactor: options.plan === undefined ? drawBillFactor(seed) : undefined,
    violations: [],
    ...{
      holdings: new Map(),
      storedReadings: new Map(),
      overturnedReadings: new Map(),
      unsentCleared: new Map(),
      staleTicks: new Map(),
      tenants: { idleLooks: new Map(), passed: new Map() },
      warm: { detect: [], embed: [], write: [], guard: [] },
    },
    ...{
      sequence: 0,
      portCalls: 0,
      invocations: 0,
      running: 0,
      hasWoken: false,
      hardFaults: 0,
      clockOffsetMs: options.plan === undefined ? drawClockOffsetMs(seed, shape.faultPhaseMs) : 0,
      readOnly: false,
      databasePausedAt: 0,
    },
    violate(invariant, detail) {
      world.violations.push({ invariant, detail, atMs: scheduler.nowMs() });
      world.trace.event(`VIOLATION ${invariant}`, 0, () => detail);
    },
  };
  observer = createObserver(world);
  return world;
}

export const isCalm = (world: World) => world.faults === NO_FAULTS && world.plan !== NO_FAULTS;

/** Microseconds that never repeat while the clock goes forward: no two statements begin at one moment. */
function createDatabaseClock(nowMs: () => number): () => number {
  let lastMs = Number.NaN;
  let lastMicros = Number.NEGATIVE_INFINITY;
  return () => {
    const current = nowMs();
    const isForward = !(current < lastMs);
    lastMicros = isForward && current * 1000 <= lastMicros ? lastMicros + 1 : current * 1000;
    lastMs = current;
    return lastMicros;
  };
}

function drawSpaces(
  random: Random,
  limits: RateLimits | undefined,
  batch: Shape['batch'],
  hasTenants: boolean,
): Space[] {
  const shapes: readonly (readonly (readonly [string, string])[])[] = [
    [['items', 'small']],
    [
      ['items', 'small'],
      ['items', 'large'],
    ],
    [
      ['items', 'small'],
      ['notes', 'small'],
    ],
  ];
  const weights = [0, 0, 0, 1, 2];
  return (shapes[random.pick(weights)] ?? []).map(([name, alias], index) => ({
    spaceId: index + 1,
    // The text of a row stands for its tenant, but for the rows of a crowd.
    source: makeSource({ name, table: name, ...(hasTenants && { tenantColumn: 'tenant' }) }),
    model: makeModel({
      alias,
      ...(limits && { limits: configured(limits) }),
      ...(batch && { bulk: 'batch', batch }),
    }),
    status: 'active',
    vectorTable: `vectors_${index + 1}`,
  }));
}

/** As a configuration has them: without what nobody limits. */
const configured = ({ requestsPerMinute, tokensPerMinute }: RateLimits) => ({
  ...(requestsPerMinute !== null && { requestsPerMinute }),
  ...(tokensPerMinute !== null && { tokensPerMinute }),
});

function drawShape(random: Random): Omit<Shape, 'limits' | 'batch' | 'crowd'> {
  return {
    batchSize: random.pick([1, 2, 3, 100]),
    maxInFlight: random.pick([2, 4, 1000]),
    sliceRows: random.pick([2, 5, 50]),
    concurrency: random.between(1, 3),
    visibilitySeconds: random.pick([45, 120, 360]),
    horizonMarginSeconds: random.pick([0.001, 1, 60, 300]),
    maxTextsPerCall: random.pick([1, 2, 2048]),
    tooManyTexts: random.pick([1, 2, 1000, 1000]),
    faultPhaseMs: random.between(5, 40) * 60_000,
  };
}
