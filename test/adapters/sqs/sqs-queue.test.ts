import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSqsClient, createSqsQueue } from '../../../lib/adapters/sqs/sqs-queue.ts';
import { CONTRACT_QUEUE, describeQueueContract } from '../../contracts/describe-queue-contract.ts';
import { startFauxqs } from '../../servers/start-fauxqs.ts';

let fauxqs: Awaited<ReturnType<typeof startFauxqs>>;
let client: ReturnType<typeof createSqsClient>;
beforeAll(async () => {
  fauxqs = await startFauxqs();
  client = createSqsClient(fauxqs.access);
  // The server reads the time of this process, only when it is asked something: hours pass at once.
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterAll(async () => {
  vi.useRealTimers();
  client.destroy();
  await fauxqs.server.stop();
});

function openPair() {
  const name = randomUUID();
  const dead = fauxqs.server.createQueue(`${name}-dead`);
  const { queueUrl } = fauxqs.server.createQueue(name, {
    attributes: {
      VisibilityTimeout: String(CONTRACT_QUEUE.visibilitySeconds),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: dead.queueArn,
        maxReceiveCount: CONTRACT_QUEUE.maxReceiveCount,
      }),
    },
  });
  return {
    queue: createSqsQueue({ client, queueUrl }),
    deadLetter: createSqsQueue({ client, queueUrl: dead.queueUrl }),
    pass: async (seconds: number) => void vi.setSystemTime(Date.now() + seconds * 1000),
  };
}

describeQueueContract('SQS (fauxqs)', async () => openPair());

describe('SQS (fauxqs)', () => {
  let pair: ReturnType<typeof openPair>;
  beforeEach(() => {
    pair = openPair();
  });

  test('counts what is visible, in flight and delayed', async () => {
    await pair.queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c', delaySeconds: 5 }]);
    await pair.queue.receive(1);

    expect(await pair.queue.depth()).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
  });

  test('tells when a message was sent', async () => {
    const before = Date.now();
    await pair.queue.send([{ body: 'a' }]);

    const [message] = await pair.queue.receive(1);

    expect(message?.sentAtMs).toBeGreaterThanOrEqual(before);
    expect(message?.sentAtMs).toBeLessThanOrEqual(Date.now());
  });

  test('refuses a visibility that SQS would refuse', async () => {
    await expect(pair.queue.changeVisibility('any', 43_201)).rejects.toMatchObject({
      name: 'FreshetError',
      code: 'invalid_visibility',
    });
  });

  test('does nothing to a message that is gone', async () => {
    await pair.queue.send([{ body: 'a' }]);
    const [message] = await pair.queue.receive(1);
    const receipt = message?.receiptHandle ?? '';
    await pair.queue.delete(receipt);

    await pair.queue.delete(receipt);
    await pair.queue.changeVisibility(receipt, 10);

    expect(await pair.queue.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  test('stops at a queue that does not exist', async () => {
    const queueUrl = 'http://sqs.us-east-1.queues.invalid/000000000000/nowhere';
    const nowhere = createSqsQueue({ client, queueUrl });

    for (const call of [() => nowhere.send([{ body: 'a' }]), () => nowhere.receive(1), () => nowhere.depth()])
      await expect(call()).rejects.toMatchObject({ name: 'FreshetError', failureClass: 'stop' });
  });
});
