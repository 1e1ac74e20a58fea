import { describe, expect, test } from 'vitest';
import { watchSources } from '../../lib/local/watch-sources.ts';
import { createNudgeGate } from '../../lib/pipeline/serve/nudge-gate.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeWorld } from '../factories/world.ts';
import { toLocalRunPorts } from './run-world.ts';

describe('a watching run', () => {
  /** Watches with an interval of ten minutes; nudges come at these milliseconds after the start. */
  async function watch(nudgesAtMs: readonly number[]) {
    const world = makeWorld();
    const { clock } = world;
    const startedMs = clock.now();
    const end = new AbortController();
    const looksAtMs: number[] = [];
    let nudge = new AbortController();
    void (async () => {
      for (const atMs of nudgesAtMs) {
        await clock.sleep(startedMs + atMs - clock.now());
        nudge.abort();
      }
      await clock.sleep(startedMs + 300_000 - clock.now());
      end.abort();
    })();
    await watchSources(toLocalRunPorts(world, {}, { signal: end.signal }), {
      intervalMs: 600_000,
      onFault: () => undefined,
      nextNudge: () => {
        looksAtMs.push(clock.now() - startedMs);
        nudge = new AbortController();
        return nudge.signal;
      },
    });
    // The end is one more look, which does nothing.
    return looksAtMs.filter(atMs => atMs < 300_000);
  }

  test('looks when it is nudged, long before its interval is over', async () => {
    const looksAtMs = await watch([60_000, 120_000]);

    expect(looksAtMs).toHaveLength(3);
    expect(looksAtMs[1]).toBeCloseTo(60_000, -3);
    expect(looksAtMs[2]).toBeCloseTo(120_000, -3);
  });

  test('looks at most once a second, and after the last nudge once more', async () => {
    const storm = Array.from({ length: 3000 }, (_, millisecond) => 60_000 + millisecond);

    const looksAtMs = await watch(storm);

    expect(looksAtMs.length).toBeLessThanOrEqual(6);
    for (let look = 1; look < looksAtMs.length; look += 1)
      expect(looksAtMs[look]! - looksAtMs[look - 1]!).toBeGreaterThanOrEqual(1000);
    expect(looksAtMs.at(-1)).toBeGreaterThanOrEqual(62_999);
  });
});

describe('the gate of nudges', () => {
  test('passes ten thousand of a second on as two, the last one after all of them', async () => {
    const clock = createVirtualClock();
    const passedAtMs: number[] = [];
    const startedMs = clock.now();
    const nudge = createNudgeGate(
      async () => {
        passedAtMs.push(clock.now() - startedMs);
        return { runs: 1 };
      },
      { clock, logger: createRecordingLogger() },
    );

    for (let count = 0; count < 10_000; count += 1) nudge();
    await clock.sleep(900);
    nudge();
    await clock.sleep(10_000);

    expect(passedAtMs).toEqual([0, 1000]);
  });

  test('goes on after one that could not be passed on, and logs no word of the failure', async () => {
    const clock = createVirtualClock();
    const logger = createRecordingLogger();
    let passes = 0;
    const nudge = createNudgeGate(
      async () => {
        passes += 1;
        if (passes === 1) throw new Error('duplicate key value (heliotrope)');
        return { runs: 1 };
      },
      { clock, logger },
    );

    nudge();
    await clock.sleep(5000);
    nudge();
    await clock.sleep(5000);

    expect(passes).toBe(2);
    expect(logger.lines.map(({ event }) => event)).toEqual(['nudge-lost']);
    expect(JSON.stringify(logger.lines)).not.toContain('heliotrope');
  });
});
