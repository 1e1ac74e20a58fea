import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  type ReceiveMessageCommandInput,
} from '@aws-sdk/client-sqs';
import { describe, expect, test } from 'vitest';
import { createSqsClient, createSqsQueue } from '../../lib/adapters/sqs/sqs-queue.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { CONTRACT_QUEUE, describeQueueContract } from '../contracts/describe-queue-contract.ts';
import { MOTO_ACCESS } from './moto-access.ts';

/** moto 5.1 has the limit that SQS had before it took 1 MiB, and deletes by every receipt that a message ever had. */
const MOTO_LIMITS = { largestBodyBytes: 262_144, honoursOldReceipts: true };

const clock = createSystemClock();
const client = createSqsClient(MOTO_ACCESS);
// moto 5.1 knows the receive count only by the name of the parameter that SQS has replaced.
client.middlewareStack.add(
  next => args => {
    const input = args.input as ReceiveMessageCommandInput;
    const AttributeNames = input.MessageSystemAttributeNames as QueueAttributeName[] | undefined;
    return next(AttributeNames ? { ...args, input: { ...input, AttributeNames } } : args);
  },
  { step: 'initialize' },
);

async function createQueue(name: string, Attributes: Record<string, string> = {}) {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  const read = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  return { queueUrl: QueueUrl ?? '', queueArn: read.Attributes?.QueueArn ?? '' };
}

async function openPair() {
  const name = randomUUID();
  const dead = await createQueue(`${name}-dead`);
  const { queueUrl } = await createQueue(name, {
    VisibilityTimeout: String(CONTRACT_QUEUE.visibilitySeconds),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: dead.queueArn,
      maxReceiveCount: CONTRACT_QUEUE.maxReceiveCount,
    }),
  });
  return {
    queue: createSqsQueue({ client, queueUrl }),
    deadLetter: createSqsQueue({ client, queueUrl: dead.queueUrl }),
    pass: (seconds: number) => clock.sleep(seconds * 1000),
  };
}

describeQueueContract('SQS (moto)', openPair, MOTO_LIMITS);

describe('SQS (moto)', () => {
  test('stops at a queue that does not exist', async () => {
    const nowhere = createSqsQueue({
      client,
      queueUrl: `${MOTO_ACCESS.endpoint}/123456789012/${randomUUID()}`,
    });

    for (const call of [() => nowhere.send([{ body: 'a' }]), () => nowhere.receive(1), () => nowhere.depth()])
      await expect(call()).rejects.toMatchObject({ name: 'FreshetError', failureClass: 'stop' });
  });
});
