import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { createRateLimitedServer } from '../doubles/rate-limited-server.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld } from '../factories/world.ts';
import { buyTexts } from './run-world.ts';

const PROCESSES = 4;
const CALLS_AT_ONCE = 4;
/** The double bills ten tokens for a text, as many as one of forty characters is estimated to have. */
const TEXTS_PER_CALL = 42;
const TOKENS_PER_MINUTE = 120_000;
const HALVED_AFTER_MS = 60_000;
/** Milliseconds in which a fleet must have settled on a limit that was halved. */
const SETTLING_MS = 30_000;

/** Lives through a halved limit, so many milliseconds after a window of the server began. */
async function halveLimit(windowMs: number, phaseMs: number) {
  const world = makeWorld([makeSpace()]);
  knowAsFast(world);
  const { clock } = world;
  const limits = { requestsPerMinute: 3_000, tokensPerMinute: TOKENS_PER_MINUTE };
  const beganMs = clock.now();
  const halvedMs = beganMs + HALVED_AFTER_MS;
  const aheadMs = windowMs + phaseMs - (halvedMs % windowMs);
  const server = createRateLimitedServer(clock, limits, { windowMs, aheadMs, namesLimits: true });
  const settledMs = halvedMs + SETTLING_MS;
  const firstMs = Math.ceil((settledMs + aheadMs) / windowMs) * windowMs - aheadMs;
  const endsMs = firstMs + 2 * windowMs;
  void clock.sleep(HALVED_AFTER_MS).then(() => {
    limits.tokensPerMinute = TOKENS_PER_MINUTE / 2;
  });
  let calls = 0;
  const work = async (embedPorts: EmbedPorts) => {
    while (clock.now() < endsMs) {
      calls += 1;
      const call = String(calls);
      const texts = Array.from({ length: TEXTS_PER_CALL }, (_, text) => `${call}-${text}`.padStart(40, 'x'));
      const { ended } = await buyTexts({ ...world, embedPorts }, texts, false, () => 600_000);
      // Its rows come again after as long as the failure says.
      if (ended !== undefined) await clock.sleep(ended.retryAfterMs ?? 1_000);
    }
  };
  const workers = Array.from({ length: PROCESSES }, () => {
    const provider = createScriptedProvider(server.embed);
    const ports = { ...world.embedPorts, runId: 1, providers: () => provider };
    return Array.from({ length: CALLS_AT_ONCE }, () => work(ports));
  });
  await Promise.all(workers.flat());
  const refusedMs = server.refusedAtMs.filter(at => at >= halvedMs).map(at => at - halvedMs);
  const used = server.admitted.reduce(
    (sum, { atMs, tokens }) => sum + (atMs >= firstMs && atMs < endsMs ? tokens : 0),
    0,
  );
  return { refusedMs, used: used / ((TOKENS_PER_MINUTE * windowMs) / 60_000) };
}

const stepsOf = (windowMs: number) => Array.from({ length: 10 }, (_, step) => (step * windowMs) / 10);

test('a limit is known from the first refusal that names it, to all workers', async () => {
  const world = makeWorld([makeSpace()]);
  const rateLimits = { requestsPerMinute: null, tokensPerMinute: 6_000 };
  world.provider.script = () => {
    throw new FreshetError('slow down', { failureClass: 'throttled', code: 'rate_limit', rateLimits });
  };

  await buyTexts(world, ['a text'], false, () => 10_000);

  expect(await world.embedPorts.pace.readRateLimits('small')).toEqual(rateLimits);
});

describe('a limit that is halved in the middle', () => {
  test.each(stepsOf(20_000))(
    'is settled on within thirty seconds where it is halved %s ms after a window of 20 s began',
    async phaseMs => {
      const { refusedMs, used } = await halveLimit(20_000, phaseMs);

      expect(refusedMs.filter(at => at >= SETTLING_MS)).toEqual([]);
      expect(refusedMs.length).toBeLessThanOrEqual(10);
      expect(used).toBeGreaterThanOrEqual(0.95);
    },
  );

  test.each(stepsOf(60_000))(
    'is refused one call a second and in no second window where it is halved %s ms after one of 60 s began',
    async phaseMs => {
      const { refusedMs, used } = await halveLimit(60_000, phaseMs);

      expect(refusedMs.filter(at => at >= 60_000 - phaseMs)).toEqual([]);
      const apart = refusedMs.slice(1).map((at, place) => at - (refusedMs[place] ?? 0));
      expect(apart.filter(ms => ms < 1_000)).toEqual([]);
      expect(used).toBeGreaterThanOrEqual(0.95);
    },
  );
});
