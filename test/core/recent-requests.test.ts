import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentRequests } from '../../lib/core/recent-requests.ts';

const MINUTE_MS = 60_000;

test('tells the 95th percentile of the last minute, at most a tenth too many', () => {
  const latencies = fc.array(fc.double({ min: 0.2, max: 60_000, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(latencies, fc.integer({ min: 0, max: 1e12 }), (all, startMs) => {
      const recent = new RecentRequests();
      for (const [place, latencyMs] of all.entries())
        recent.noteAnswered(startMs + ((place * 97) % 59_000), latencyMs);

      const sorted = all.toSorted((a, b) => a - b);
      const p95Ms = sorted[Math.ceil(0.95 * all.length) - 1]!;
      const { answered, p95Ms: told } = recent.read(startMs + 59_000);

      expect(answered).toBe(all.length);
      expect(told).toBeGreaterThanOrEqual(p95Ms * 0.999);
      expect(told).toBeLessThanOrEqual(p95Ms * 1.101);
    }),
  );
});

test('forgets what is older than a minute, and counts refusals apart', () => {
  const recent = new RecentRequests();
  recent.noteAnswered(1000, 900);
  recent.noteRefused(2000);
  recent.noteAnswered(30_000, 10);

  expect(recent.read(30_000)).toMatchObject({ answered: 2, refused: 1 });
  expect(recent.read(1000 + MINUTE_MS)).toMatchObject({ answered: 1, refused: 1 });
  expect(recent.read(2000 + MINUTE_MS)).toMatchObject({ answered: 1, refused: 0 });
  expect(recent.read(30_000 + MINUTE_MS)).toEqual({ answered: 0, refused: 0, p95Ms: null });
});

test('begins anew where the clock steps back or far ahead', () => {
  const recent = new RecentRequests();
  recent.noteAnswered(10 * MINUTE_MS, 5);
  expect(recent.read(5 * MINUTE_MS).answered).toBe(0);
  recent.noteAnswered(10 * MINUTE_MS + 3 * MINUTE_MS, 5);
  expect(recent.read(13 * MINUTE_MS).answered).toBe(1);
});
