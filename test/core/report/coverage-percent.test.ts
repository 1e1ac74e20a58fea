import fc from 'fast-check';
import { expect, it } from 'vitest';
import { coveragePercent } from '../../../lib/core/outcomes.ts';

it('counts only what there is to embed', () => {
  expect(coveragePercent(1, 3, 0)).toBe(33.33);
  expect(coveragePercent(2, 4, 1)).toBe(66.66);
  expect(coveragePercent(0, 5, 0)).toBe(0);
  expect(coveragePercent(0, 5, 5)).toBe(100);
  expect(coveragePercent(0, 0, 0)).toBe(100);
});

it('is never 100 with one row missing, and 100 with none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), wanted => {
      expect(coveragePercent(wanted - 1, wanted, 0)).toBeLessThan(100);
      expect(coveragePercent(wanted, wanted, 0)).toBe(100);
    }),
  );
});

it('never says more than is so', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 1_000_000 }), (fresh, wanted) => {
      fc.pre(fresh <= wanted);
      const percent = coveragePercent(fresh, wanted, 0);

      expect(percent).toBeLessThanOrEqual((fresh / wanted) * 100 + 1e-9);
      expect(percent).toBeGreaterThan((fresh / wanted) * 100 - 0.01 - 1e-9);
    }),
  );
});
