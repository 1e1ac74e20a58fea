import { describe, expect, test } from 'vitest';
import { createIamLogin } from '../../../lib/adapters/aws/iam-login.ts';

const SERVER = {
  host: 'db.example.eu-west-1.rds.amazonaws.com',
  port: 5432,
  user: 'writer',
  region: 'eu-west-1',
};

describe('the IAM login', () => {
  test('is a token for the server and the user, good for 15 minutes', async () => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'signing-key' };
    const readLogin = createIamLogin({ ...SERVER, credentials });

    const login = await readLogin({ fresh: false });

    const token = new URL(`https://${login.password}`);
    expect(login.user).toBe('writer');
    expect(token.host).toBe(`${SERVER.host}:5432`);
    expect(Object.fromEntries(token.searchParams)).toMatchObject({
      Action: 'connect',
      DBUser: 'writer',
      'X-Amz-Expires': '900',
    });
    expect(token.searchParams.get('X-Amz-Credential')).toMatch(/^AKIDEXAMPLE\/\d{8}\/eu-west-1\/rds-db\//);
    expect(login.password).not.toContain('signing-key');
  });

  test('is signed anew for every connection', async () => {
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return { accessKeyId: `AKID${asked}`, secretAccessKey: 'signing-key', expiration: new Date(0) };
    };
    const readLogin = createIamLogin({ ...SERVER, credentials });

    const first = await readLogin({ fresh: false });
    const second = await readLogin({ fresh: false });

    expect(first.password).not.toBe(second.password);
  });

  test('says nothing of why there are no credentials', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('secret words'), { name: 'CredentialsProviderError' });
    };

    const failure = await createIamLogin({ ...SERVER, credentials })({ fresh: false }).catch(error => error);

    expect(failure).toMatchObject({ name: 'FreshetError', failureClass: 'stop' });
    expect(`${failure.message} ${failure.stack} ${String(failure.cause)}`).not.toContain('secret words');
  });
});
