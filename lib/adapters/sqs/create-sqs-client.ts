import { SQSClient } from '@aws-sdk/client-sqs';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/** Creates a client of SQS. A request of 1 MiB takes tens of milliseconds. */
export function createSqsClient(access: AwsAccess): SQSClient {
  return new SQSClient(clientSettings(access, { requestTimeoutMs: 5_000 }));
}
