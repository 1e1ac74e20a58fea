import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullJitterMs } from '../../../lib/core/retry.ts';

it('spreads from nothing to a ceiling that doubles until it is capped', () => {
  expect([0, 1, 2, 5, 6, 1000].map(attempt => fullJitterMs(attempt, 0.999_999))).toEqual([
    499, 999, 1999, 15_999, 19_999, 19_999,
  ]);
  expect(fullJitterMs(3, 0)).toBe(0);
});

it('never passes its cap', () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  fc.assert(
    fc.property(fc.nat(5000), fraction, fc.nat(60_000), (attempt, drawn, capMs) => {
      const waitMs = fullJitterMs(attempt, drawn, 500, capMs);

      expect(waitMs >= 0 && waitMs <= capMs).toBe(true);
    }),
  );
});
