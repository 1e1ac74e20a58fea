import { describe, expect, test } from 'vitest';
import { createRowsWatch } from '../../lib/pipeline/serve/watch-rows.ts';
import type { AskOperator } from '../../lib/ports/operator.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';

/** An operator whose status takes `readingMs`, and is numbered. */
function openWatch(readingMs: number) {
  const clock = createVirtualClock();
  const readAtMs: number[] = [];
  const ask = (async (name: string) => {
    if (name === 'failures') return { failures: [] };
    readAtMs.push(clock.now());
    const number = readAtMs.length;
    await clock.sleep(readingMs);
    return { number };
  }) as unknown as AskOperator;
  return { clock, readAtMs, watch: createRowsWatch(ask, clock) };
}

describe('the watch of the rows', () => {
  test('reads once for everybody who looks', async () => {
    const { watch, readAtMs } = openWatch(10);
    const left = new AbortController();
    const follow = async () => {
      const seen: unknown[] = [];
      for await (const rows of watch.follow(left.signal)) {
        seen.push(rows);
        if (seen.length === 5) return seen;
      }
      return seen;
    };

    const [first, second] = await Promise.all([follow(), follow()]);

    expect(readAtMs).toHaveLength(5);
    expect(second).toEqual(first);
  });

  test.each([
    [10, 1010],
    [2000, 10_000],
  ])('lets a reading of %d ms begin %d ms after the last one', async (readingMs, apartMs) => {
    const { watch, readAtMs } = openWatch(readingMs);

    for await (const _ of watch.follow(new AbortController().signal)) if (readAtMs.length === 4) break;

    expect(readAtMs.slice(1).map((at, place) => at - readAtMs[place]!)).toEqual(Array(3).fill(apartMs));
  });

  test('reads nothing while nobody looks', async () => {
    const { clock, watch, readAtMs } = openWatch(10);
    const left = new AbortController();

    for await (const _ of watch.follow(left.signal)) left.abort();
    await clock.sleep(3_600_000);

    expect(readAtMs).toHaveLength(1);
  });

  test('shows a change at once, also one that was made while a reading was on its way', async () => {
    const { clock, watch } = openWatch(2000);

    const before = watch.read();
    await clock.sleep(1000);
    watch.changed();
    const after = await watch.read();

    expect(await before).toMatchObject({ status: { number: 1 } });
    expect(after).toMatchObject({ status: { number: 2 } });
    expect(await watch.read()).toBe(after);
  });
});
