import { expect, it } from 'vitest';
import { createProgressMeter } from '../../../bin/terminal/terminal.ts';

it('shows items, rate, time left, tokens and cost', () => {
  let now = 0;
  const meter = createProgressMeter(
    () => 2000,
    () => now,
  );

  now = 2000;
  const line = meter({ items: 500, tokens: 12_345, costUsd: 0.0012 });

  expect(line).toBe('500 of 2,000 items · 250/s · ETA 6.0 s · 12,345 tokens · $0.0012');
});

it('leaves the total open until the rows are counted', () => {
  let [now, expected]: [number, number | undefined] = [0, undefined];
  const meter = createProgressMeter(
    () => expected,
    () => now,
  );
  now = 1000;
  const before = meter({ items: 100, tokens: 0, costUsd: 0 });

  expected = 1000;

  expect(before).toContain('100 of ? items · 100/s · ETA –');
  expect(meter({ items: 100, tokens: 0, costUsd: 0 })).toContain('100 of 1,000 items · 100/s · ETA 9.0 s');
});

it('takes the rate from the last ten seconds', () => {
  let now = 0;
  const meter = createProgressMeter(
    () => 2000,
    () => now,
  );
  for (now = 1000; now <= 5000; now += 1000) meter({ items: now / 10, tokens: 0, costUsd: 0 });

  now = 60_000;
  meter({ items: 500, tokens: 0, costUsd: 0 });
  now = 61_000;
  const line = meter({ items: 500, tokens: 0, costUsd: 0 });

  expect(line).toContain('0.0/s · ETA –');
});
