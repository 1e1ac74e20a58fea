import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, test } from 'vitest';
import { createSecretStore, createSecretsManagerClient } from '../../lib/adapters/aws/secret-store.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { MOTO_ACCESS } from './moto-access.ts';

const client = createSecretsManagerClient(MOTO_ACCESS);

async function createSecret(value: Omit<CreateSecretCommandInput, 'Name'>) {
  const { ARN } = await client.send(new CreateSecretCommand({ Name: `freshet/${randomUUID()}`, ...value }));
  return ARN ?? '';
}

describe('Secrets Manager (moto)', () => {
  test('gives the text of a secret, and after a rotation the new one to who asks for it', async () => {
    const secrets = createSecretStore({ client, clock: createVirtualClock() });
    const arn = await createSecret({ SecretString: 'old' });

    const first = await secrets.read(arn);
    await client.send(new PutSecretValueCommand({ SecretId: arn, SecretString: 'new' }));

    expect([first, await secrets.read(arn)]).toEqual(['old', 'old']);
    expect(await secrets.read(arn, { fresh: true })).toBe('new');
    expect(await secrets.read(arn)).toBe('new');
  });

  test('stops at a secret that does not exist', async () => {
    const secrets = createSecretStore({ client, clock: createVirtualClock() });

    await expect(secrets.read(`freshet/${randomUUID()}`)).rejects.toMatchObject({
      name: 'FreshetError',
      failureClass: 'stop',
      code: 'aws_ResourceNotFoundException',
    });
  });

  test('stops at a secret that is not text', async () => {
    const secrets = createSecretStore({ client, clock: createVirtualClock() });
    const arn = await createSecret({ SecretBinary: Buffer.from([1, 2, 3]) });

    await expect(secrets.read(arn)).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'secret_without_text',
    });
  });
});
