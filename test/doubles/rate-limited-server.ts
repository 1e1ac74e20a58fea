import { FreshetError } from '../../lib/core/errors.ts';
import type { Clock } from '../../lib/ports/process.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll } from './scripted-provider.ts';

/** Milliseconds by which the server's clock is ahead, so that its windows are not ours. */
const CLOCK_AHEAD_MS = 23_456;
const MINUTE_MS = 60_000;

interface ServerLimits {
  requestsPerMinute: number;
  tokensPerMinute: number;
}

interface ServerHabits {
  /** Milliseconds of its windows; a window has its share of the limits. */
  readonly windowMs?: number;
  readonly aheadMs?: number;
  /** Whether answers name the limits. */
  readonly namesLimits?: boolean;
}

/** A server that counts requests and tokens by the windows of its own clock, and refuses what is above. */
export function createRateLimitedServer(
  clock: Clock,
  limits: ServerLimits,
  { windowMs = MINUTE_MS, aheadMs = CLOCK_AHEAD_MS, namesLimits = false }: ServerHabits = {},
) {
  const answeredAtMs: number[] = [];
  const refusedAtMs: number[] = [];
  const admitted: { readonly atMs: number; readonly tokens: number }[] = [];
  const share = windowMs / MINUTE_MS;
  const named = () => (namesLimits ? { rateLimits: { ...limits } } : {});
  let current = -1;
  let requests = 0;
  let tokens = 0;
  return {
    limits,
    answeredAtMs,
    refusedAtMs,
    admitted,
    embed: async (request: EmbedRequest): Promise<EmbedReply> => {
      const now = clock.now();
      const window = Math.floor((now + aheadMs) / windowMs);
      if (window !== current) [current, requests, tokens] = [window, 0, 0];
      const reply = embedAll(request);
      const cost = reply.tokens ?? 0;
      if (requests + 1 > limits.requestsPerMinute * share || tokens + cost > limits.tokensPerMinute * share) {
        refusedAtMs.push(now);
        throw new FreshetError('slow down', {
          ...{ failureClass: 'throttled', code: 'rate_limit', retryAfterMs: 1_000 },
          ...named(),
        });
      }
      requests += 1;
      tokens += cost;
      answeredAtMs.push(now);
      admitted.push({ atMs: now, tokens: cost });
      await clock.sleep(200);
      return { ...reply, ...named() };
    },
  };
}
