import { estimateTokens } from '../../lib/core/packing.ts';
import { BURST_SECONDS, FRESH_FIRST_SECONDS, type RateLimits, USED_SHARE } from '../../lib/core/rate.ts';
import type { RateAsk, RateNews } from '../../lib/ports/pace-store.ts';
import type { Invocation } from './invocation.ts';
import { createRandom } from './random.ts';
import type { World } from './world.ts';

/** What was granted of a model's rate, counted apart from the row that grants it. */
export interface RateWatch {
  /** Calls that are not paid off, at `atMs`. */
  owed: number;
  /** When all tokens are paid off: as estimated, and once the answer is noted, as they were billed. */
  tokensPaidMs: number;
  atMs: number;
  /** When an edit was last refused; undefined: none waits. */
  freshRefusedMs: number | undefined;
}

const TOLERANCE = 0.01;

/**
 * Draws what the configuration allows of each model, in one seed of four; undefined: nothing limits.
 * Apart from all other chance, so that the histories of the other seeds stay what they are.
 */
export function drawLimits(seed: number): RateLimits | undefined {
  if (seed % 4 !== 0) return undefined;
  const random = createRandom(seed + 1);
  if (seed % 8 === 0) return { requestsPerMinute: random.pick([6, 30, 120]), tokensPerMinute: null };
  return { requestsPerMinute: random.pick([null, 30, 120]), tokensPerMinute: random.pick([30, 200, 1_000]) };
}

/** A watch of nothing that is owed, or what it says at this moment. */
const rateWatchOf = (world: World, alias: string): RateWatch => {
  const { rates } = world.services;
  const atMs = world.scheduler.nowMs();
  const nothing = { owed: 0, tokensPaidMs: atMs, atMs, freshRefusedMs: undefined };
  const known = rates.get(alias) ?? nothing;
  rates.set(alias, known);
  const seconds = (atMs - known.atMs) / 1000;
  known.owed = Math.max(0, known.owed - seconds * perSecond(world, 'requestsPerMinute'));
  known.atMs = atMs;
  return known;
};

/** What a limit allows a second; infinite: nothing limits. The same for all models of a seed. */
const perSecond = ({ shape }: World, limit: keyof RateLimits) =>
  (USED_SHARE * (shape.limits?.[limit] ?? Number.POSITIVE_INFINITY)) / 60;

/**
 * Counts an answer of the rate: buckets of virtual time that leak at the rate of the configuration must never hold more than the burst, or one call.
 * A clock that steps back fills no bucket anew, and grants nothing of what was granted.
 */
export function checkRateAnswer(
  world: World,
  invocation: Invocation,
  alias: string,
  { lane, tokens }: RateAsk,
  waitMs: number,
): void {
  if (world.shape.limits === undefined) return;
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
  watch.owed += 1;
  const tokensPerSecond = perSecond(world, 'tokensPerMinute');
  watch.tokensPaidMs = Math.max(nowMs, watch.tokensPaidMs) + (1000 * tokens) / tokensPerSecond;
  invocation.rated.push(tokens);
  const mostCalls = Math.max(1, BURST_SECONDS * perSecond(world, 'requestsPerMinute'));
  const owedSeconds = (watch.tokensPaidMs - nowMs) / 1000;
  const mostSeconds = Math.max(tokens / tokensPerSecond, BURST_SECONDS);
  if (watch.owed > mostCalls + TOLERANCE || owedSeconds > mostSeconds + TOLERANCE)
    world.violate('rate-kept', `${alias}: ${watch.owed} calls, and tokens for ${owedSeconds} s, are owed`);
}

/** What a call was billed above its estimate is owed from when its worker tells, and nothing else is. */
export function noteBilledTokens(invocation: Invocation, texts: readonly string[], billed: number): void {
  invocation.excessTokens.push(billed - estimate(texts));
}

const estimate = (texts: readonly string[]) => texts.reduce((sum, text) => sum + estimateTokens(text), 0);

export function checkRateNews(
  world: World,
  invocation: Invocation,
  alias: string,
  { excessTokens, isAnswered, throttled }: RateNews,
): void {
  if (world.shape.limits === undefined || (!isAnswered && throttled === undefined)) return;
  const place = invocation.excessTokens.indexOf(excessTokens);
  if (place < 0)
    world.violate('rate-kept', `${alias}: #${invocation.number} says that it owes ${excessTokens} tokens`);
  invocation.excessTokens.splice(place, 1);
  // The row was lost since the call was granted, and this is the one burst more.
  if ((world.twin.paces.get(alias)?.rate?.tokensDue ?? null) === null) return;
  const excessMs = (1000 * excessTokens) / perSecond(world, 'tokensPerMinute');
  rateWatchOf(world, alias).tokensPaidMs += excessMs;
}

/** A call of a limited model is made with a share of the rate that no other call had, and that is large enough. */
export function checkRated(world: World, invocation: Invocation, texts: readonly string[]): void {
  if (world.shape.limits === undefined || invocation.component !== 'embed') return;
  const { rated, number } = invocation;
  const place = rated.indexOf(estimate(texts));
  if (place < 0) world.violate('rated-first', `#${number} calls without a share of the rate`);
  rated.splice(place, 1);
}

/** The database crashes, and its row of the model is gone: what it is rebuilt as may grant one burst more. */
export function loseRate(world: World): void {
  const alias = world.random.pick([...world.services.dispatch]).alias;
  world.trace.event('rate is lost', 0, () => alias);
  world.twin.paces.delete(alias);
  world.services.rates.delete(alias);
}
