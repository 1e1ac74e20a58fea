import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packEntries } from '../../../lib/adapters/sqs/sqs-queue.ts';

const LIMIT_BYTES = 1_048_576;

const entry = (index: number, body: string) => ({ index, message: { body }, bytes: Buffer.byteLength(body) });

test('batches hold every message once, in order, within ten entries and 1 MiB', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: LIMIT_BYTES })),
    {
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(sizes, lengths => {
      const entries = lengths.map((length, index) => entry(index, 'x'.repeat(length)));

      const batches = packEntries(entries);

      expect(batches.flat()).toEqual(entries);
      for (const batch of batches) {
        const bytes = batch.reduce((sum, { message }) => sum + Buffer.byteLength(message.body), 0);
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(10);
        expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES);
      }
    }),
    { numRuns: 50 },
  );
});

test('bytes count, not characters', () => {
  const half = 'ä'.repeat(LIMIT_BYTES / 4 + 1);

  expect(packEntries([entry(0, half), entry(1, half)])).toHaveLength(2);
});
