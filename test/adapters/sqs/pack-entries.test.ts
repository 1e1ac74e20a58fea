import type { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSqsQueue } from '../../../lib/adapters/sqs/sqs-queue.ts';

const LIMIT_BYTES = 1_048_576;

/** Sends the bodies through a client that accepts everything, and gives back the batches it was sent. */
async function sendAll(bodies: readonly string[]): Promise<string[][]> {
  const batches: string[][] = [];
  const send = async ({ input: { Entries = [] } }: SendMessageBatchCommand) => {
    batches.push(Entries.map(({ MessageBody }) => MessageBody!));
    return { Successful: Entries.map(({ Id }) => ({ Id })) };
  };
  const queue = createSqsQueue({ client: { send } as unknown as SQSClient, queueUrl: 'https://sqs/q' });
  expect(await queue.send(bodies.map(body => ({ body })))).toEqual({ failed: [] });
  return batches;
}

const bytesOf = (batch: readonly string[]) => batch.reduce((sum, body) => sum + Buffer.byteLength(body), 0);

test('batches hold every message once, in order, within ten entries and 1 MiB', async () => {
  const length = fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 50 }), weight: 3 },
    { arbitrary: fc.integer({ min: 1, max: LIMIT_BYTES }), weight: 1 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(length, { minLength: 1, maxLength: 40 }), async lengths => {
      const bodies = lengths.map((count, index) => `${index % 10}`.repeat(count));

      const batches = await sendAll(bodies);

      expect(batches.flat().map(body => body.slice(0, 1))).toEqual(bodies.map(body => body.slice(0, 1)));
      expect(batches.flat().map(body => body.length)).toEqual(lengths);
      for (const batch of batches) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(10);
        expect(bytesOf(batch)).toBeLessThanOrEqual(LIMIT_BYTES);
      }
    }),
    { numRuns: 50 },
  );
});

test('bytes count, not characters', async () => {
  const half = 'ä'.repeat(LIMIT_BYTES / 4 + 1);

  expect(await sendAll([half, half])).toHaveLength(2);
});
