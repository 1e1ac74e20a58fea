import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, test } from 'vitest';
import { createSecretStore, createSecretsManagerClient } from '../../../lib/adapters/aws/secret-store.ts';
import { replyWithJsonError, startScriptedAwsServer } from '../../doubles/scripted-aws-server.ts';
import { createVirtualClock } from '../../doubles/virtual-clock.ts';

const ARN = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf';
const FIVE_MINUTES_MS = 5 * 60_000;

/** Each request is answered with `value-1`, `value-2` and so on. */
function open() {
  const client = new SecretsManagerClient({ region: 'us-east-1' });
  const service = mockClient(client);
  let requests = 0;
  service.on(GetSecretValueCommand).callsFake(async () => {
    requests += 1;
    return { SecretString: `value-${requests}` };
  });
  const clock = createVirtualClock();
  return { service, clock, secrets: createSecretStore({ client, clock }), requests: () => requests };
}

describe('the secret store', () => {
  test('asks once in five minutes', async () => {
    const { secrets, clock, requests } = open();

    const first = await secrets.read(ARN);
    clock.advance(FIVE_MINUTES_MS - 1);
    const cached = await secrets.read(ARN);
    clock.advance(1);
    const later = await secrets.read(ARN);

    expect([first, cached, later]).toEqual(['value-1', 'value-1', 'value-2']);
    expect(requests()).toBe(2);
  });

  test('goes past what it remembers when asked to, and remembers the new value', async () => {
    const { secrets } = open();
    await secrets.read(ARN);

    expect(await secrets.read(ARN, { fresh: true })).toBe('value-2');
    expect(await secrets.read(ARN)).toBe('value-2');
  });

  test('asks anew when the clock was set back', async () => {
    const { secrets, clock } = open();
    await secrets.read(ARN);
    clock.advance(-60_000);

    expect(await secrets.read(ARN)).toBe('value-2');
  });

  test('lets reads that come together share one request', async () => {
    const { secrets, requests } = open();

    const values = await Promise.all([1, 2, 3].map(() => secrets.read(ARN)));
    const fresh = await Promise.all([1, 2, 3].map(() => secrets.read(ARN, { fresh: true })));

    expect(new Set([...values, ...fresh])).toEqual(new Set(['value-1', 'value-2']));
    expect(requests()).toBe(2);
  });

  test('does not answer who was just refused with a request that began before', async () => {
    const { secrets, requests } = open();

    const [, fresh] = await Promise.all([secrets.read(ARN), secrets.read(ARN, { fresh: true })]);

    expect([fresh, requests()]).toEqual(['value-2', 2]);
  });

  test('keeps the newer secret where an older request is answered after it', async () => {
    const client = new SecretsManagerClient({ region: 'us-east-1' });
    const older = Promise.withResolvers<{ SecretString: string }>();
    mockClient(client)
      .on(GetSecretValueCommand)
      .callsFakeOnce(() => older.promise)
      .resolves({ SecretString: 'rotated' });
    const secrets = createSecretStore({ client, clock: createVirtualClock() });

    const first = secrets.read(ARN);
    const fresh = await secrets.read(ARN, { fresh: true });
    older.resolve({ SecretString: 'old' });

    expect([fresh, await first, await secrets.read(ARN)]).toEqual(['rotated', 'rotated', 'rotated']);
  });

  test('keeps the secrets of two names apart', async () => {
    const { secrets } = open();

    expect([await secrets.read(ARN), await secrets.read(`${ARN}2`)]).toEqual(['value-1', 'value-2']);
  });

  test.each(['ThrottlingException', 'InternalServiceError'])(
    'gives what it remembers while Secrets Manager fails by %s, asks each half minute, then gives the new one',
    async name => {
      const { secrets, clock, service, requests } = open();
      await secrets.read(ARN);
      service.on(GetSecretValueCommand).rejects(Object.assign(new Error('secret words'), { name }));
      clock.advance(FIVE_MINUTES_MS);
      const asked = () => service.commandCalls(GetSecretValueCommand).length;

      const during = [await secrets.read(ARN), await secrets.read(ARN)];
      const askedOnce = asked();
      clock.advance(30_000);
      during.push(await secrets.read(ARN));

      expect(during).toEqual(['value-1', 'value-1', 'value-1']);
      expect([askedOnce, asked(), requests()]).toEqual([2, 3, 1]);
      await expect(secrets.read(ARN, { fresh: true })).rejects.toMatchObject({ code: `aws_${name}` });
      service.on(GetSecretValueCommand).resolves({ SecretString: 'rotated' });
      clock.advance(30_000);
      expect(await secrets.read(ARN)).toBe('rotated');
    },
  );

  test('gives nothing that it remembers once it may not read the secret any more', async () => {
    const { secrets, clock, service } = open();
    await secrets.read(ARN);
    service
      .on(GetSecretValueCommand)
      .rejects(Object.assign(new Error('secret words'), { name: 'AccessDeniedException' }));
    clock.advance(FIVE_MINUTES_MS);

    await expect(secrets.read(ARN)).rejects.toMatchObject({ failureClass: 'stop' });
  });

  test('does not remember a failure', async () => {
    const { secrets, service } = open();
    service
      .on(GetSecretValueCommand)
      .rejectsOnce(new Error('secret words'))
      .resolves({ SecretString: 'now' });

    await expect(secrets.read(ARN)).rejects.toMatchObject({ name: 'FreshetError', failureClass: 'unknown' });

    expect(await secrets.read(ARN)).toBe('now');
  });

  test.each([
    ['ResourceNotFoundException', 'stop'],
    ['AccessDeniedException', 'stop'],
    ['DecryptionFailure', 'stop'],
    ['InternalServiceError', 'transient'],
    ['ThrottlingException', 'throttled'],
  ])('classifies %s as %s, without its words', async (code, failureClass) => {
    const status = code === 'InternalServiceError' ? 500 : 400;
    const server = await startScriptedAwsServer([replyWithJsonError(status, code)]);
    const client = createSecretsManagerClient(server.access);
    const secrets = createSecretStore({ client, clock: createVirtualClock() });

    const failure = await secrets.read(ARN).catch(error => error);

    expect(failure).toMatchObject({ name: 'FreshetError', failureClass, code: `aws_${code}` });
    expect(`${failure.message} ${failure.stack} ${JSON.stringify(failure)}`).not.toMatch(
      /secret words|AbCdEf/,
    );
    client.destroy();
    await server.close();
  });
});
