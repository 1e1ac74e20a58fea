import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/**
 * Creates a client of Secrets Manager with a short time limit.
 * A secret is a few hundred bytes, and a function can do nothing before it has the secret.
 */
export function createSecretsManagerClient(access: AwsAccess): SecretsManagerClient {
  return new SecretsManagerClient(clientSettings(access, { requestTimeoutMs: 3_000 }));
}
