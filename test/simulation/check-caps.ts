import { type Cap, listCaps } from '../../lib/core/budget.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import { START_MS, type World } from './world.ts';

const DAY_MS = 86_400_000;

const isCapped = (seed: number) => seed % 8 === 2 || seed % 16 === 14;

/**
 * One seed of eight, and half of those with batches; none has a limit a minute: apart from all
 * other chance.
 */
export function drawCaps(seed: number) {
  const usdPerDay = isCapped(seed) ? createRandom(seed + 1).pick([0.01, 0.03, 0.1]) : undefined;
  return listCaps(usdPerDay === undefined ? undefined : { usdPerDay });
}

/** How far the clock of the database is ahead: every other seed with a cap sees the day end. */
export function drawClockOffsetMs(seed: number, faultPhaseMs: number): number {
  if (!isCapped(seed) || seed % 32 >= 16) return 0;
  return DAY_MS - createRandom(seed + 2).below(faultPhaseMs);
}

/** What a call is billed for each token of its estimate, in two of three seeds with a cap and no batches; undefined: less than one. */
export function drawBillFactor(seed: number): number | undefined {
  return seed % 8 === 2 && seed % 3 !== 2 ? createRandom(seed + 2).pick([2, 5, 20]) : undefined;
}

/** Somebody raises the cap while calls wait for it. */
export function raiseCaps(world: World): void {
  const [cap] = world.twin.caps;
  if (cap === undefined) return;
  world.trace.event('cap is raised');
  world.twin.caps = listCaps({ usdPerDay: 3 * cap.usd });
}

/** Nothing is capped any more, and what waited goes on. */
export function liftCaps(world: World): void {
  if (world.twin.caps.length === 0) return;
  world.trace.event('cap is lifted');
  world.twin.caps = [];
}

/** A call that was granted under a cap. */
interface CappedCall {
  readonly period: CappedPeriod;
  readonly invocation: Invocation;
  readonly estimatedUsd: number;
  billedUsd: number;
  /** What the database knows: its estimate, its bill, or that alone which it will ever know. */
  known: 'estimate' | 'bill' | 'estimate for ever';
}

/** A day of the database's clock. A day to which the clock steps back begins anew. */
interface CappedPeriod {
  readonly calls: CappedCall[];
  billedUsd: number;
  /** Of the guard's probes, which are granted whatever is capped. */
  probesUsd: number;
  /** The cap when the last call was granted, and the calls of which nobody could know the bill by then, itself among them. */
  cap: Cap;
  unknown: readonly CappedCall[];
}

/** What was granted under a cap. */
export interface CapWatch {
  readonly calls: Map<string, CappedCall>;
  readonly newest: Map<Invocation, CappedCall>;
  readonly periods: Map<string, CappedPeriod>;
  /** How often the clock stepped back over midnight. */
  repeatedDays: number;
}

export const createCapWatch = (): CapWatch => ({
  calls: new Map(),
  newest: new Map(),
  periods: new Map(),
  repeatedDays: 0,
});

const printDay = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** A call is granted; a cap that is lifted asks nothing of it. */
export function noteGranted(world: World, invocation: Invocation, callId: string, isProbe = false): void {
  const { twin, services } = world;
  const [cap] = twin.caps;
  const grant = twin.grants.get(callId);
  if (cap === undefined || grant === undefined || services.capped.calls.has(callId)) return;
  const period = periodOf(world, grant.grantedAt / 1000, cap);
  const estimatedUsd = grant.estimatedCostUsd;
  const call: CappedCall = { period, invocation, estimatedUsd, billedUsd: 0, known: 'estimate' };
  services.capped.calls.set(callId, call);
  if (isProbe) return;
  period.calls.push(call);
  services.capped.newest.set(invocation, call);
  Object.assign(period, { cap, unknown: period.calls.filter(each => isUnknown(world, each)) });
}

function periodOf({ services: { capped } }: World, grantedMs: number, cap: Cap): CappedPeriod {
  const name = `${printDay(grantedMs)}, ${capped.repeatedDays}`;
  const period = capped.periods.get(name) ?? {
    ...{ calls: [], billedUsd: 0, probesUsd: 0, cap, unknown: [] },
  };
  capped.periods.set(name, period);
  return period;
}

/** Nobody can know the bill: the call is under way, or its answer was lost, or its process with it. */
function isUnknown({ services }: World, call: CappedCall): boolean {
  const { invocation, known } = call;
  if (known !== 'estimate') return known === 'estimate for ever';
  if (invocation.state === 'running') return services.capped.newest.get(invocation) === call;
  return invocation.state === 'dead' || invocation.state === 'frozen';
}

/**
 * The database is told the bill of a call. Of one whose grant is taken for lost it keeps the
 * estimate: whoever tells is older than any Lambda can be.
 */
export function noteBillTold({ services, twin }: World, callId: string): void {
  const call = services.capped.calls.get(callId);
  if (call) call.known = twin.grants.get(callId)?.isLost ? 'estimate for ever' : 'bill';
}

/** The bill of a call does not reach the database. */
export function noteUntold({ services }: World, callId: string | undefined): void {
  const call = services.capped.calls.get(callId ?? '');
  if (call?.known === 'estimate') call.known = 'estimate for ever';
}

/** The clock of the database stepped back, by so much. */
export function noteStepBack({ scheduler, clockOffsetMs, services }: World, stepMs: number): void {
  const nowMs = START_MS + scheduler.nowMs() + clockOffsetMs;
  if (printDay(nowMs + stepMs) !== printDay(nowMs)) services.capped.repeatedDays += 1;
}

/**
 * The provider bills a call, or a text of a batch.
 *
 * A call belongs to the day on which it was granted, whenever it is billed. Each day goes beyond
 * its cap by itself: by what bills are above their estimates, of the calls that were under way when
 * its last one was granted, and of those of which no answer came or no bill was told. Statements of
 * the twin come one after the other; on PostgreSQL two that ask at one moment do not see each other.
 */
export function noteBilled(world: World, callId: string | undefined, usd: number): void {
  const call = world.services.capped.calls.get(callId ?? '');
  if (call === undefined) return;
  const { period } = call;
  call.billedUsd += usd;
  period.billedUsd += usd;
  if (call.invocation.component === 'guard') period.probesUsd += usd;
  const beyond = period.unknown.map(({ billedUsd, estimatedUsd }) => Math.max(0, billedUsd - estimatedUsd));
  const most = period.cap.usd + period.probesUsd + beyond.reduce((sum, each) => sum + each, 0);
  if (period.billedUsd > most + 1e-9) {
    const seen = `${beyond.length} calls could not be known when the last one was granted`;
    world.violate(
      'cap-kept',
      `${period.billedUsd} $ of a day are billed under a cap of ${period.cap.usd} $; ${seen}`,
    );
  }
}
