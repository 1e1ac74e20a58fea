import type { Clock } from '../../lib/ports/process.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from './scripted-provider.ts';

/** Milliseconds by which the server's clock is ahead, so that its windows are not ours. */
const CLOCK_AHEAD_MS = 23_456;
const MINUTE_MS = 60_000;

/** A server that counts requests and tokens by the minutes of its own clock, and refuses what is above. */
export function createRateLimitedServer(
  clock: Clock,
  limits: { requestsPerMinute: number; tokensPerMinute: number },
) {
  const answeredAtMs: number[] = [];
  const refusedAtMs: number[] = [];
  let minute = -1;
  let requests = 0;
  let tokens = 0;
  return {
    limits,
    answeredAtMs,
    refusedAtMs,
    embed: async (request: EmbedRequest): Promise<EmbedReply> => {
      const now = clock.now();
      const current = Math.floor((now + CLOCK_AHEAD_MS) / MINUTE_MS);
      if (current !== minute) [minute, requests, tokens] = [current, 0, 0];
      const reply = embedAll(request);
      const cost = reply.tokens ?? 0;
      if (requests + 1 > limits.requestsPerMinute || tokens + cost > limits.tokensPerMinute) {
        refusedAtMs.push(now);
        return failWith('throttled', 'rate_limit', 1_000);
      }
      requests += 1;
      tokens += cost;
      answeredAtMs.push(now);
      await clock.sleep(200);
      return reply;
    },
  };
}
