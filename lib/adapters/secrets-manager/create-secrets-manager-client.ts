import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/** With three attempts and their waits a call ends within 15 seconds. */
export function createSecretsManagerClient(access: AwsAccess): SecretsManagerClient {
  return new SecretsManagerClient(clientSettings(access, { requestTimeoutMs: 3_000 }));
}
