import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { callAws } from './call-aws.ts';

/** Starts a look of `detect` that an application asked for, and does not wait for its end. */
export async function startNudged(client: LambdaClient, functionName: string): Promise<void> {
  const Payload = Buffer.from(JSON.stringify({ pass: 'incremental', nudged: true }));
  await callAws('Lambda', () =>
    client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload })),
  );
}
