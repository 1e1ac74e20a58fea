import { BURST_SECONDS, FRESH_FIRST_SECONDS, USED_SHARE } from '../../lib/core/rate.ts';
import type { RateAsk } from '../../lib/ports/pace-store.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** What was granted of a model's rate, counted apart from the row that grants it. */
export interface RateWatch {
  /** Calls that are not paid off, at `atMs`. */
  owed: number;
  atMs: number;
  /** When an edit was last refused; undefined: none waits. */
  freshRefusedMs: number | undefined;
}

const TOLERANCE = 0.01;

const rateWatchOf = ({ services, scheduler }: World, alias: string): RateWatch => {
  const known = services.rates.get(alias) ?? { owed: 0, atMs: scheduler.nowMs(), freshRefusedMs: undefined };
  services.rates.set(alias, known);
  return known;
};

/** Seed by seed the same for all models; undefined: nothing limits. */
const callsPerSecond = ({ shape }: World) =>
  shape.requestsPerMinute === undefined ? undefined : (USED_SHARE * shape.requestsPerMinute) / 60;

/**
 * Counts an answer of the rate: a bucket of virtual time that leaks at the rate of the configuration must never hold more than the burst, or one call.
 * A clock that steps back fills no bucket anew, and grants nothing of what was granted.
 */
export function checkRateAnswer(
  world: World,
  invocation: Invocation,
  alias: string,
  { lane }: RateAsk,
  waitMs: number,
): void {
  const perSecond = callsPerSecond(world);
  if (perSecond === undefined) return;
  const nowMs = world.scheduler.nowMs();
  const watch = rateWatchOf(world, alias);
  if (waitMs > 0) {
    if (lane === 'fresh') watch.freshRefusedMs = nowMs;
    return;
  }
  const sinceMs = nowMs - (watch.freshRefusedMs ?? Number.NEGATIVE_INFINITY);
  if (lane === 'bulk' && sinceMs < 1000 * (FRESH_FIRST_SECONDS - TOLERANCE))
    world.violate('edits-first', `${alias}: bulk work is granted ${sinceMs} ms after an edit was refused`);
  if (lane === 'fresh') watch.freshRefusedMs = undefined;
  watch.owed = Math.max(0, watch.owed - ((nowMs - watch.atMs) / 1000) * perSecond) + 1;
  watch.atMs = nowMs;
  invocation.ratedCalls += 1;
  if (watch.owed > Math.max(1, BURST_SECONDS * perSecond) + TOLERANCE)
    world.violate('rate-kept', `${alias}: ${watch.owed} calls are owed at ${perSecond} a second`);
}

/** A call of a limited model is made with a share of the rate that no other call had. */
export function checkRated(world: World, invocation: Invocation): void {
  if (callsPerSecond(world) === undefined || invocation.component !== 'embed') return;
  if (invocation.ratedCalls === 0)
    world.violate('rated-first', `#${invocation.number} calls without a share of the rate`);
  invocation.ratedCalls = Math.max(0, invocation.ratedCalls - 1);
}

/** The database crashes, and its row of the model is gone: what it is rebuilt as may grant one burst more. */
export function loseRate(world: World): void {
  const alias = world.random.pick([...world.services.dispatch]).alias;
  world.trace.event('rate is lost', 0, () => alias);
  world.twin.paces.delete(alias);
  world.services.rates.delete(alias);
}
