import { describe, expect, test } from 'vitest';
import type { ReceivedMessage, ReceivingQueue } from '../../lib/ports/queues.ts';

export interface QueueUnderTest {
  readonly queue: ReceivingQueue;
  readonly deadLetter: ReceivingQueue;
  /** Lets this much of the queue's time pass. */
  readonly pass: (seconds: number) => Promise<void>;
}

export const CONTRACT_QUEUE = { visibilitySeconds: 2, maxReceiveCount: 3 } as const;

/** SQS: the longest body. */
const LARGEST_BODY_BYTES = 1_048_576;

/** Where a server that stands in for SQS does something else; each use says which server and why. */
export interface ServerLimits {
  /** What it takes, where that is less than SQS does. */
  readonly largestBodyBytes?: number;
  /** It deletes by a receipt that a later delivery superseded. */
  readonly honoursOldReceipts?: boolean;
}

/** What a standard SQS queue promises, for every adapter of the port. `open` gives an empty queue with the settings of `CONTRACT_QUEUE`. */
export function describeQueueContract(
  name: string,
  open: () => Promise<QueueUnderTest>,
  { largestBodyBytes = LARGEST_BODY_BYTES, honoursOldReceipts = false }: ServerLimits = {},
): void {
  const hiding = CONTRACT_QUEUE.visibilitySeconds + 0.5;
  const receiveOne = async (queue: ReceivingQueue): Promise<ReceivedMessage> => {
    const [message] = await queue.receive(1);
    if (!message) throw new Error('Nothing to receive.');
    return message;
  };

  describe(`${name} as a queue`, () => {
    test('delivers what was sent, with a receive count of 1', async () => {
      const { queue } = await open();

      const report = await queue.send([{ body: 'one' }, { body: 'two' }]);
      const received = await queue.receive(10);

      expect(report.failed).toEqual([]);
      expect(received.map(({ body }) => body).sort()).toEqual(['one', 'two']);
      expect(received.map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
    });

    test('carries the span of a message beside its body, and none where none was sent', async () => {
      const { queue } = await open();
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

      await queue.send([{ body: 'traced', traceparent }, { body: 'untraced' }]);
      const received: ReceivedMessage[] = [];
      for (let turn = 0; turn < 5 && received.length < 2; turn += 1)
        received.push(...(await queue.receive(10)));

      expect(Object.fromEntries(received.map(message => [message.body, message.traceparent]))).toEqual({
        traced: traceparent,
        untraced: undefined,
      });
    });

    test('takes any number of messages and gives at most ten at once', async () => {
      const { queue } = await open();
      const bodies = Array.from({ length: 23 }, (_, index) => ({ body: `body ${index}` }));

      await queue.send(bodies);
      const seen = new Set<string>();
      for (let turn = 0; turn < 10 && seen.size < 23; turn += 1) {
        const received = await queue.receive(25);
        expect(received.length).toBeLessThanOrEqual(10);
        for (const { body } of received) seen.add(body);
      }

      expect(seen.size).toBe(23);
    });

    test('hides a received message for the visibility timeout, then delivers it again', async () => {
      const { queue, pass } = await open();
      await queue.send([{ body: 'again' }]);
      await receiveOne(queue);

      const hidden = await queue.receive(10);
      await pass(hiding);
      const again = await receiveOne(queue);

      expect(hidden).toEqual([]);
      expect([again.body, again.receiveCount]).toEqual(['again', 2]);
    });

    test('forgets a deleted message', async () => {
      const { queue, pass } = await open();
      await queue.send([{ body: 'gone' }]);

      await queue.delete((await receiveOne(queue)).receiptHandle);
      await pass(hiding);

      expect(await queue.receive(10)).toEqual([]);
      expect(await queue.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    });

    test('makes a message visible at once, or later than its timeout, when told to', async () => {
      const { queue, pass } = await open();
      await queue.send([{ body: 'moved' }]);

      await queue.changeVisibility((await receiveOne(queue)).receiptHandle, 0);
      await queue.changeVisibility((await receiveOne(queue)).receiptHandle, 6);
      await pass(hiding);
      const early = await queue.receive(10);
      await pass(4);

      expect(early).toEqual([]);
      expect((await receiveOne(queue)).body).toBe('moved');
    });

    if (!honoursOldReceipts) {
      test('ignores the receipt of an earlier delivery', async () => {
        const { queue, pass } = await open();
        await queue.send([{ body: 'kept' }]);
        const first = await receiveOne(queue);
        await pass(hiding);
        const second = await receiveOne(queue);

        await queue.delete(first.receiptHandle);
        await queue.changeVisibility(second.receiptHandle, 0);

        expect((await receiveOne(queue)).body).toBe('kept');
      });
    }

    test('moves a message to the dead letters after its last receive', async () => {
      const { queue, deadLetter, pass } = await open();
      await queue.send([{ body: 'poison' }]);

      for (let receive = 0; receive < CONTRACT_QUEUE.maxReceiveCount; receive += 1) {
        await receiveOne(queue);
        await pass(hiding);
      }

      expect(await queue.receive(10)).toEqual([]);
      expect((await receiveOne(deadLetter)).body).toBe('poison');
    });

    test('delivers a delayed message not before its time', async () => {
      const { queue, pass } = await open();
      await queue.send([{ body: 'later', delaySeconds: 2 }]);

      const early = await queue.receive(10);
      await pass(2.5);

      expect(early).toEqual([]);
      expect((await receiveOne(queue)).body).toBe('later');
    });

    test(`carries a body of ${largestBodyBytes / 1024} KiB and refuses a longer one by its position`, async () => {
      const { queue } = await open();
      const largest = 'x'.repeat(largestBodyBytes);

      const taken = await queue.send([{ body: largest }]);
      const refused = await queue.send([{ body: 'short' }, { body: `${largest}x` }]).then(
        ({ failed }) => failed.map(({ index }) => index),
        () => 'the whole request',
      );

      expect(taken.failed).toEqual([]);
      // What the queue cannot know to be too long for its server, the server may refuse with all that came along.
      const answers = largestBodyBytes === LARGEST_BODY_BYTES ? [[1]] : [[1], 'the whole request'];
      expect(answers).toContainEqual(refused);
      const received = await queue.receive(10);
      expect(received.some(({ body }) => body.length === largest.length)).toBe(true);
      expect(received.every(({ body }) => body.length <= largest.length)).toBe(true);
    });
  });
}
