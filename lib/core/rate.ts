import type { ModelDefinition } from './model.ts';

/** What a provider allows a model a minute, all workers together. Null: not known, or no limit. */
export interface RateLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
}

/** The share of a limit that is used: the server's clock and ours count apart. */
export const USED_SHARE = 0.97;
/**
 * Seconds of the rate that may be taken at once.
 * Measured: with 60 s of burst, 20 % of the calls are throttled, with 6 s 2.4 %, with 1 s 0.5 %.
 */
export const BURST_SECONDS = 1.5;
/**
 * Seconds by which the last grant lies ahead where the clock stepped back.
 * Statements that wait for each other have times that differ by less.
 */
export const STEPPED_SECONDS = 1;
/** Seconds for which bulk work lets an edit go first that had to wait. */
export const FRESH_FIRST_SECONDS = 2;
/**
 * Time between the moments at which refused messages come back, as a share of what a call takes.
 * They come twice as often as there is room: a moment that is missed would be lost to all.
 */
export const SLOT_SHARE = 0.5;
/** What is left of the rate after a refusal for going too fast. */
export const THROTTLED_SHARE = 0.7;
/** Seconds in which several refusals count as one: they answer calls of one moment. */
export const THROTTLES_APART_SECONDS = 2;
/**
 * Seconds after which a further refusal lowers the rate though no call was answered in between.
 * A window that is used up refuses until it ends, at any rate: each of these refusals would lower
 * the rate of the next window. Where that is more than half of a minute, the rate was more than
 * twice the limit, and is lowered twice.
 */
export const UNANSWERED_APART_SECONDS = 30;
/**
 * Seconds for which a lower limit explains refusals: what was admitted before it counts too.
 * A provider that names its limits counts by the minute.
 */
export const WINDOW_SECONDS = 60;
/** By how much the rate grows again in a minute without a refusal. */
export const RECOVERY_PER_MINUTE = 1.05;
/** The least share of the limit that refusals leave. */
export const LEAST_SHARE = 0.05;
/** Seconds that a provider's wish to wait is obeyed at the most. */
export const MOST_WAIT_SECONDS = 600;

/** Takes what the configuration of a model says of its limits. */
export function configuredLimits({ limits }: Pick<ModelDefinition, 'limits'>): RateLimits {
  return {
    requestsPerMinute: limits?.requestsPerMinute ?? null,
    tokensPerMinute: limits?.tokensPerMinute ?? null,
  };
}

export const UNLIMITED: RateLimits = { requestsPerMinute: null, tokensPerMinute: null };

export function isLimited({ requestsPerMinute, tokensPerMinute }: RateLimits): boolean {
  return requestsPerMinute !== null || tokensPerMinute !== null;
}

/** Takes of two limits the lower one. */
export function lowerLimits(a: RateLimits, b: RateLimits): RateLimits {
  const lower = (left: number | null, right: number | null) =>
    left === null || right === null ? (left ?? right) : Math.min(left, right);
  return {
    requestsPerMinute: lower(a.requestsPerMinute, b.requestsPerMinute),
    tokensPerMinute: lower(a.tokensPerMinute, b.tokensPerMinute),
  };
}

/**
 * Reads the limits that an answer's headers name; undefined: they name none.
 * Some gateways answer 0, -1 or `unlimited` where they do not know or have none.
 */
export function parseRateHeaders(header: (name: string) => string | null): RateLimits | undefined {
  const read = (name: string) => {
    const text = header(name)?.trim() ?? '';
    return /^\d{1,15}(\.\d+)?$/.test(text) && Number(text) >= 1 ? Number(text) : null;
  };
  const limits = {
    requestsPerMinute: read('x-ratelimit-limit-requests'),
    tokensPerMinute: read('x-ratelimit-limit-tokens'),
  };
  return isLimited(limits) ? limits : undefined;
}
