import { FIRST_PACE } from '../../lib/core/pace.ts';
import {
  BURST_SECONDS,
  FRESH_FIRST_SECONDS,
  LEAST_SHARE,
  MOST_WAIT_SECONDS,
  RECOVERY_PER_MINUTE,
  SLOT_SHARE,
  STEPPED_SECONDS,
  THROTTLED_SHARE,
  THROTTLES_APART_SECONDS,
  UNANSWERED_APART_SECONDS,
  USED_SHARE,
  WINDOW_SECONDS,
} from '../../lib/core/rate.ts';
import type { PaceStore, RateAsk, RateNews } from '../../lib/ports/pace-store.ts';
import type { Synchronous } from './synchronous.ts';
import type { TwinDatabase, TwinPace } from './twin-database.ts';

/** What a row has of the rate; times are seconds since the epoch. */
export interface TwinRate {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestsDue: number | null;
  tokensDue: number | null;
  share: number;
  throttledAt: number | null;
  grantedAt: number | null;
  answeredAt: number | null;
  waitsUntil: number | null;
  freshWaitsUntil: number | null;
  readonly slotsUntil: { fresh: number | null; bulk: number | null };
}

function firstRate(): TwinRate {
  return {
    ...{ requestsPerMinute: null, tokensPerMinute: null, requestsDue: null, tokensDue: null, share: 1 },
    ...{ throttledAt: null, grantedAt: null, answeredAt: null, waitsUntil: null, freshWaitsUntil: null },
    slotsUntil: { fresh: null, bulk: null },
  };
}

/** Opens the rate of `PaceStore` on the twin: `rates.ts`. */
export function createTwinRates(
  twin: TwinDatabase,
): Synchronous<Pick<PaceStore, 'readRateLimits' | 'takeRate' | 'noteRate'>> {
  return {
    readRateLimits: alias => {
      const row = twin.paces.get(alias);
      if (!row) return undefined;
      const rate = row.rate ?? firstRate();
      return { requestsPerMinute: rate.requestsPerMinute, tokensPerMinute: rate.tokensPerMinute };
    },
    takeRate: (alias, ask) => {
      const row: TwinPace = twin.paces.get(alias) ?? { pace: FIRST_PACE, inFlight: new Map() };
      twin.paces.set(alias, row);
      row.rate ??= firstRate();
      return takeRate(row.rate, ask, twin.now() / 1e6);
    },
    noteRate: (alias, news) => {
      const row = twin.paces.get(alias);
      if (!row) return;
      row.rate ??= firstRate();
      noteRate(row.rate, news, twin.now() / 1e6);
    },
  };
}

function takeRate(
  rate: TwinRate,
  { lane, tokens, limits, largestTokens, hidesAboveMs }: RateAsk,
  now: number,
): number {
  const ofTokens = perSecond(rate, limits.tokensPerMinute, rate.tokensPerMinute, now);
  const ofRequests = perSecond(rate, limits.requestsPerMinute, rate.requestsPerMinute, now);
  const ahead = (rate.grantedAt ?? now) - now;
  const unstepped = now + (ahead > STEPPED_SECONDS ? ahead : 0);
  const tokensOwed = owed(rate.tokensDue, ofTokens, largestTokens, unstepped);
  const requestsOwed = owed(rate.requestsDue, ofRequests, 1, unstepped);
  const seconds = Math.max(
    ...[0, waitFor(tokensOwed, tokens, ofTokens), waitFor(requestsOwed, 1, ofRequests)],
    rate.waitsUntil === null ? 0 : Math.min(rate.waitsUntil - now, MOST_WAIT_SECONDS),
    lane === 'fresh' || rate.freshWaitsUntil === null
      ? 0
      : Math.min(rate.freshWaitsUntil - now, FRESH_FIRST_SECONDS),
  );
  const waitMs = Math.ceil(Number((1000 * seconds).toFixed(3)));
  if (ahead > STEPPED_SECONDS) {
    rate.grantedAt = now;
    if (rate.tokensDue !== null) rate.tokensDue -= ahead;
    if (rate.requestsDue !== null) rate.requestsDue -= ahead;
  }
  if (waitMs === 0) {
    rate.grantedAt = now;
    if (ofTokens !== null) rate.tokensDue = now + tokensOwed + tokens / ofTokens;
    if (ofRequests !== null) rate.requestsDue = now + requestsOwed + 1 / ofRequests;
  }
  if (lane === 'fresh') rate.freshWaitsUntil = waitMs > 0 ? now + FRESH_FIRST_SECONDS : null;
  if (hidesAboveMs === null || waitMs <= hidesAboveMs) return waitMs;
  const slotSeconds = Math.max(
    0,
    ofTokens === null ? 0 : tokens / ofTokens,
    ofRequests === null ? 0 : 1 / ofRequests,
  );
  const taken = Math.min(Math.max(0, (rate.slotsUntil[lane] ?? now) - now), MOST_WAIT_SECONDS);
  const answerMs = Math.ceil(Number(Math.max(waitMs, 1000 * taken).toFixed(3)));
  rate.slotsUntil[lane] = now + answerMs / 1000 + SLOT_SHARE * slotSeconds;
  return answerMs;
}

function noteRate(
  rate: TwinRate,
  { limits, learned, excessTokens, throttled, isAnswered }: RateNews,
  now: number,
): void {
  const ofTokens = perSecond(rate, limits.tokensPerMinute, rate.tokensPerMinute, now);
  const isApart =
    throttled?.lowersRate === true &&
    (rate.throttledAt === null ||
      (Math.abs(now - rate.throttledAt) >= THROTTLES_APART_SECONDS &&
        (((rate.requestsPerMinute ?? rate.tokensPerMinute) === null &&
          Math.abs(now - rate.throttledAt) >= UNANSWERED_APART_SECONDS) ||
          (rate.answeredAt ?? Number.NEGATIVE_INFINITY) > rate.throttledAt ||
          rate.throttledAt > now + WINDOW_SECONDS)));
  const share = shareNow(rate, now);
  const waitSeconds = Math.min(MOST_WAIT_SECONDS, (throttled?.retryAfterMs ?? 0) / 1000);
  const leastDue = throttled === undefined ? now : now + waitSeconds + BURST_SECONDS;
  // GREATEST leaves out what is NULL.
  if (rate.tokensDue !== null && ofTokens !== null)
    rate.tokensDue = Math.max(leastDue, rate.tokensDue + excessTokens / ofTokens);
  else rate.tokensDue = leastDue;
  if (throttled !== undefined) rate.requestsDue = Math.max(leastDue, rate.requestsDue ?? leastDue);
  const isLower =
    (learned?.requestsPerMinute ?? Number.POSITIVE_INFINITY) <
      (rate.requestsPerMinute ?? Number.POSITIVE_INFINITY) ||
    (learned?.tokensPerMinute ?? Number.POSITIVE_INFINITY) <
      (rate.tokensPerMinute ?? Number.POSITIVE_INFINITY);
  rate.requestsPerMinute = learned?.requestsPerMinute ?? rate.requestsPerMinute;
  rate.tokensPerMinute = learned?.tokensPerMinute ?? rate.tokensPerMinute;
  if (isApart) {
    rate.share = Math.max(LEAST_SHARE, THROTTLED_SHARE * share);
    rate.throttledAt = now;
  }
  if (isLower) {
    rate.share = 1;
    rate.throttledAt = now + WINDOW_SECONDS;
  }
  if (isAnswered) rate.answeredAt = now;
  if (waitSeconds > 0) {
    const before = rate.waitsUntil === null ? now : Math.min(rate.waitsUntil, now + MOST_WAIT_SECONDS);
    rate.waitsUntil = Math.max(before, now + waitSeconds);
  }
}

function shareNow({ share, throttledAt }: TwinRate, now: number): number {
  const minutes = Math.max(0, now - (throttledAt ?? now)) / 60;
  return Math.max(LEAST_SHARE, Math.min(1, share * RECOVERY_PER_MINUTE ** minutes));
}

function perSecond(
  rate: TwinRate,
  configured: number | null,
  learned: number | null,
  now: number,
): number | null {
  if (configured === null && learned === null) return null;
  const limit = Math.min(configured ?? Number.POSITIVE_INFINITY, learned ?? Number.POSITIVE_INFINITY);
  return (USED_SHARE * shareNow(rate, now) * limit) / 60;
}

function owed(due: number | null, rate: number | null, largest: number, now: number): number {
  if (rate === null) return 0;
  return Math.max(0, Math.min((due ?? 0) - now, BURST_SECONDS + largest / rate));
}

function waitFor(owedSeconds: number, cost: number, rate: number | null): number {
  if (rate === null) return 0;
  const seconds = cost / rate;
  return seconds > BURST_SECONDS ? owedSeconds : owedSeconds + seconds - BURST_SECONDS;
}
