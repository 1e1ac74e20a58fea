import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenCheck, issueToken, type VerifyToken } from '../../lib/adapters/api/verify-tokens.ts';
import { openApi } from './open-api.ts';

const issuer = 'https://login.example.com/';
const audience = 'embeddings';
const secret = 'a shared secret of at least thirty-two bytes';
const server = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
let jwk: object;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let others: typeof keys;
let byKeyPair: VerifyToken;
let bySecret: VerifyToken;

beforeAll(async () => {
  [keys, others] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')]);
  jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'k' };
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  byKeyPair = await createTokenCheck({ issuer, audience, jwksUrl }, {});
  bySecret = await createTokenCheck({ issuer, audience, secret: { env: 'SECRET' } }, { SECRET: secret });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const claims: JWTPayload = { iss: issuer, aud: audience, exp: Math.floor(Date.now() / 1000) + 600 };
const signed = (
  key: Parameters<SignJWT['sign']>[0],
  payload: JWTPayload = claims,
  alg = 'ES256',
  kid = 'k',
) => new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key);

async function ask(verifyToken: VerifyToken, token: string | undefined) {
  const { post, lines, provider } = openApi({ verifyToken });
  const headers = token === undefined ? {} : { authorization: token };
  const answer = await post('/v1/embed', { model: 'small', texts: ['a'] }, { headers });
  expect(provider.requests).toHaveLength(answer.status === 200 ? 1 : 0);
  const refusals = lines.filter(({ event }) => event === 'token-refused');
  return { answer, checks: refusals.map(({ event, fields }) => [event, fields.check]) };
}

describe('a token', () => {
  test('that is signed by the published key lets in', async () => {
    const { answer, checks } = await ask(byKeyPair, `Bearer ${await signed(keys.privateKey)}`);

    expect([answer.status, checks]).toEqual([200, []]);
  });

  test('that is signed by the shared secret lets in', async () => {
    const token = await signed(new TextEncoder().encode(secret), claims, 'HS256');

    expect((await ask(bySecret, `Bearer ${token}`)).answer.status).toBe(200);
  });

  test.each<[string, string, () => Promise<string | undefined>]>([
    ['is missing', 'missing', async () => undefined],
    ['is no JWT', 'malformed', async () => 'Bearer something'],
    ['is of another scheme', 'malformed', async () => 'Basic dXNlcjpwYXNz'],
    ['is longer than any', 'malformed', async () => `Bearer ${'a'.repeat(9000)}`],
    ['has alg none', 'algorithm', async () => `Bearer ${new UnsecuredJWT(claims).encode()}`],
    [
      'is signed with the public key as a secret',
      'algorithm',
      async () =>
        `Bearer ${await signed(new TextEncoder().encode(await exportSPKI(keys.publicKey)), claims, 'HS256')}`,
    ],
    ['is signed by another key', 'signature', async () => `Bearer ${await signed(others.privateKey)}`],
    [
      'names an unknown key',
      'unknown_key',
      async () => `Bearer ${await signed(keys.privateKey, claims, 'ES256', 'x')}`,
    ],
    [
      'has expired',
      'expired',
      async () => `Bearer ${await signed(keys.privateKey, { ...claims, exp: 1000 })}`,
    ],
    [
      'never expires',
      'claim',
      async () => `Bearer ${await signed(keys.privateKey, { iss: issuer, aud: audience })}`,
    ],
    [
      'is not valid yet',
      'not_yet_valid',
      async () => `Bearer ${await signed(keys.privateKey, { ...claims, nbf: Number(claims.exp) })}`,
    ],
    [
      'is for others',
      'audience',
      async () => `Bearer ${await signed(keys.privateKey, { ...claims, aud: 'other' })}`,
    ],
    [
      'names its tenant by no text',
      'claim',
      async () => `Bearer ${await signed(keys.privateKey, { ...claims, tenant: ['a'] })}`,
    ],
    [
      'is from others',
      'issuer',
      async () => `Bearer ${await signed(keys.privateKey, { ...claims, iss: 'other' })}`,
    ],
  ])('that %s is refused with 401, and the log says: %s', async (_, check, makeToken) => {
    const { answer, checks } = await ask(byKeyPair, await makeToken());

    expect(answer).toMatchObject({ status: 401, json: { error: { code: 'unauthorized' } } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(checks).toEqual([['token-refused', check]]);
  });

  test('of another algorithm is refused where a secret is configured', async () => {
    const { answer, checks } = await ask(bySecret, `Bearer ${await signed(keys.privateKey)}`);

    expect([answer.status, checks]).toEqual([401, [['token-refused', 'algorithm']]]);
  });

  test('is not needed by what says how the service is', async () => {
    const { send } = openApi({ verifyToken: byKeyPair });

    const statuses = ['/health', '/ready', '/metrics', '/openapi.json', '/v1/models'].map(
      async path => (await send(path)).status,
    );

    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200, 401]);
  });
});

test('keys that cannot be read are 503: the token may be good', async () => {
  const check = await createTokenCheck({ issuer, audience, jwksUrl: 'http://127.0.0.1:1/jwks.json' }, {});

  const { answer, checks } = await ask(check, `Bearer ${await signed(keys.privateKey)}`);

  expect([answer.status, checks]).toEqual([503, [['token-refused', 'keys_unreachable']]]);
});

test('a secret that is missing or short is an error that names its variable', async () => {
  for (const SECRET of [undefined, 'short'])
    await expect(
      createTokenCheck({ issuer, audience, secret: { env: 'SECRET' } }, { SECRET }),
    ).rejects.toThrow(
      /service\.tokens\.secret: the variable SECRET is not set, or holds fewer than 32 bytes/,
    );
});

test.each([
  [undefined],
  [{ tenant: 'app.org', scopes: 'app_scopes' }],
  [{ tenant: 'https://x.example/tenant' }],
])('a token that we issue for %j is let in, with its tenant and scopes', async claims => {
  const tokens = { issuer, audience, secret: { env: 'SECRET' }, ...(claims && { claims }) };
  const contents = { tenant: 'a', scopes: ['embed', 'search'], expiresInMs: 60_000 };

  const token = await issueToken(tokens, contents, { SECRET: secret });

  const verified = await (await createTokenCheck(tokens, { SECRET: secret }))(`Bearer ${token}`);
  if (verified.fault !== undefined) throw new Error(verified.fault);
  expect(verified.identity.tenant).toBe('a');
  expect(verified.identity.scopes).toEqual(
    claims !== undefined && 'scopes' in claims ? new Set(['embed', 'search']) : undefined,
  );
  await expect(issueToken(tokens, contents, {})).rejects.toThrow('the variable SECRET is not set');
});
