import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { askAws } from '../aws/ask-aws.ts';

interface DeadLetterQueue {
  readonly arn: string;
  readonly url: string;
}

/**
 * Finds the dead-letter queue of a queue by the queue's redrive policy.
 * @throws FreshetError `no_dead_letter_queue`, of class `stop`
 */
export async function findDeadLetterQueue(client: SQSClient, queueUrl: string): Promise<DeadLetterQueue> {
  const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['RedrivePolicy'] });
  const { Attributes } = await askAws('sqs:GetQueueAttributes', () => client.send(command));
  const arn = readTarget(Attributes?.RedrivePolicy);
  if (arn === undefined)
    throw new FreshetError('A queue of the deployment has no dead-letter queue: deploy the stack again.', {
      failureClass: 'stop',
      code: 'no_dead_letter_queue',
    });
  const [, , , , account, QueueName] = arn.split(':');
  const { QueueUrl } = await askAws('sqs:GetQueueUrl', () =>
    client.send(new GetQueueUrlCommand({ QueueName, QueueOwnerAWSAccountId: account })),
  );
  return { arn, url: QueueUrl ?? '' };
}

function readTarget(policy: string | undefined): string | undefined {
  try {
    const { deadLetterTargetArn } = JSON.parse(policy ?? '') as { deadLetterTargetArn?: unknown };
    return typeof deadLetterTargetArn === 'string' ? deadLetterTargetArn : undefined;
  } catch {
    return undefined;
  }
}
