import { expect, test } from 'vitest';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect.ts';
import { detectAlone } from '../../lib/pipeline/detect/detect-alone.ts';
import { createNudgeWindow } from '../../lib/pipeline/serve/nudge-gate.ts';
import type { TickLock } from '../../lib/ports/detection-store.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createVirtualClock, type VirtualClock } from '../doubles/virtual-clock.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const NUDGED = { pass: 'incremental', nudged: true } as const;

function createLock(): TickLock {
  const held = new Set<string>();
  return {
    async tryAlone(name, _, work) {
      if (held.has(name)) return undefined;
      held.add(name);
      return work().finally(() => held.delete(name));
    },
  };
}

/** A stage: environments of `api`, each with a window, whose nudges start `detect` a moment later. */
function openStage(environments: number, lookMs = 20) {
  const world = makeWorld();
  const clock: VirtualClock = world.clock;
  const looksAtMs: number[] = [];
  const startedMs = clock.now();
  const { spaces } = world.detectPorts;
  const ports = {
    ...world.detectPorts,
    lock: createLock(),
    drainClock: clock,
    spaces: {
      ...spaces,
      list: async () => {
        looksAtMs.push(clock.now() - startedMs);
        await clock.sleep(lookMs);
        return spaces.list();
      },
    },
  };
  let starts = 0;
  const start = async () => {
    starts += 1;
    void clock.sleep(50).then(() => detectAlone(ports, NUDGED, () => 270_000));
  };
  const windows = Array.from({ length: environments }, () =>
    createNudgeWindow(start, { clock, logger: createRecordingLogger() }),
  );
  return { world, clock, ports, looksAtMs, windows, starts: () => starts };
}

test('a storm on a stage costs one look a second, and a look begins after every nudge', async () => {
  const { clock, looksAtMs, windows, starts } = openStage(5);
  for (let ms = 0; ms < 10_000; ms += 10) {
    for (const nudge of windows) await nudge();
    await clock.sleep(10);
  }
  await clock.sleep(10_000);

  expect(starts()).toBeLessThanOrEqual(5 * 2 * 11);
  expect(looksAtMs.length).toBeGreaterThanOrEqual(9);
  for (let look = 1; look < looksAtMs.length; look += 1)
    expect(looksAtMs[look]! - looksAtMs[look - 1]!).toBeGreaterThanOrEqual(1000);
  expect(looksAtMs.at(-1)).toBeGreaterThanOrEqual(9_990);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'single nudges at odd moments are each followed by a look (%i)',
  async seed => {
    const { clock, looksAtMs, windows } = openStage(1);
    const nudgedAtMs: number[] = [];
    const startedMs = clock.now();
    for (let count = 0; count < 40; count += 1) {
      await clock.sleep((count * seed * 137) % 900);
      nudgedAtMs.push(clock.now() - startedMs);
      await windows[0]!();
    }
    await clock.sleep(5_000);

    const uncovered = nudgedAtMs.filter(
      atMs => !looksAtMs.some(look => look >= atMs && look <= atMs + 2_300),
    );
    expect(uncovered).toEqual([]);
  },
);

test('a look that was asked for leases what is stale, waits for no work, and keeps no tick out', async () => {
  const { world, clock, ports } = openStage(1);
  putRow(world.twin, makeSpace(), '00001', 'a row');
  const startedMs = clock.now();

  const nudged = detectAlone(ports, NUDGED, () => 270_000);
  const tick = detectAlone(ports, { pass: 'incremental', maxRows: 0 }, () => 270_000);
  const [found, other] = await Promise.all([nudged, tick]);

  expect(found.spaces[0]).toMatchObject({ leased: 1, sent: 1 });
  expect(other.overlapped).toBeUndefined();
  expect(clock.now() - startedMs).toBeLessThan(1_100);
});

test('nudged goes with an incremental pass alone', () => {
  expect(parseDetectRequest(NUDGED)).toMatchObject(NUDGED);
  expect(() => parseDetectRequest({ pass: 'reconcile', nudged: true })).toThrow(/"nudged"\?: boolean/);
  expect(() => parseDetectRequest({ pass: 'incremental', nudged: 'yes' })).toThrow(/nudged/);
});

test('a nudge that could not be passed on is refused and logged without a word of the failure', async () => {
  const logger = createRecordingLogger();
  const nudge = createNudgeWindow(
    async () => {
      throw new Error('canary');
    },
    { clock: createVirtualClock(), logger },
  );

  await expect(nudge()).rejects.toMatchObject({ code: 'not_ready', status: 503 });
  expect(JSON.stringify(logger.lines)).toMatch(/nudge-lost/);
  expect(JSON.stringify(logger.lines)).not.toMatch(/canary/);
});
