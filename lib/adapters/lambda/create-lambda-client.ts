import { LambdaClient } from '@aws-sdk/client-lambda';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/**
 * Creates a client of Lambda's API for functions.
 * With three attempts and their waits, a call ends within 15 seconds.
 */
export function createLambdaClient(access: AwsAccess): LambdaClient {
  return new LambdaClient(clientSettings(access, { requestTimeoutMs: 3_000 }));
}
