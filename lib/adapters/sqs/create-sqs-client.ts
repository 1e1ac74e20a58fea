import { SQSClient } from '@aws-sdk/client-sqs';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/** A send of 1 MiB takes tens of milliseconds; with three attempts and their waits a call ends within 25 seconds. */
export function createSqsClient(access: AwsAccess): SQSClient {
  return new SQSClient(clientSettings(access, { requestTimeoutMs: 5_000 }));
}
