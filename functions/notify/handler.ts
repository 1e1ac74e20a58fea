import type { SNSEvent } from 'aws-lambda';
import { type NotifyPorts, notifyWebhook } from '../../lib/pipeline/notify.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler } from '../lambda.ts';

export function createHandler(ports: NotifyPorts) {
  return ({ Records }: SNSEvent): Promise<void> =>
    notifyWebhook(
      ports,
      Records.map(({ Sns }) => Sns.Message),
    );
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireNotify } = await import('../../lib/wiring/lambda-notify.ts');
    return wireNotify(dependencies);
  }, createHandler);
}

/** What Lambda invokes for a message of the alarm topic. */
export const handler = createLambda();
