import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';

const sources = [{ name: 'articles', table: 'articles', text: { columns: ['title'] }, model: 'hash' }];
const issuer = 'https://login.example.com/';
const jwksUrl = 'https://login.example.com/keys';

describe('the section service', () => {
  test('listens on the loopback address where nothing is said', () => {
    expect(parseConfig({ sources }).service).toEqual({
      ...{ host: '127.0.0.1', port: 8080, allowedHosts: [] },
      limits: {
        ...{ queueTokens: 200_000, batchTokens: 8192, cacheBytes: 67_108_864, timeoutSeconds: 30 },
        ...{ connections: 1000, bodyBytes: 2_097_152 },
      },
    });
  });

  test.each<[object, RegExp]>([
    [{ prot: 1 }, /service\.prot: is not a known key; did you mean "port"/],
    [{ port: 0 }, /service\.port: expected a whole number from 1 to 65535/],
    [{ tokens: { issuer, jwksUrl } }, /service\.tokens\.audience: expected the `aud` of tokens/],
    [{ tokens: { issuer, audience: 'a' } }, /service\.tokens: expected one of jwksUrl and secret/],
    [
      { tokens: { issuer, audience: 'a', jwksUrl, secret: { env: 'A' } } },
      /service\.tokens: expected one of jwksUrl and secret/,
    ],
    [
      { tokens: { issuer, audience: 'a', jwksUrl: 'http://login.example.com/keys' } },
      /jwksUrl: expected an https address/,
    ],
    [
      { tokens: { issuer, audience: 'a', jwksUrl, algorithms: ['HS256'] } },
      /algorithms\[0\]: expected one of RS256/,
    ],
    [
      { tokens: { issuer, audience: 'a', jwksUrl, algorithms: ['none'] } },
      /algorithms\[0\]: expected one of RS256/,
    ],
    [
      { tokens: { issuer, audience: 'a', secret: { env: 'A' }, algorithms: ['RS256'] } },
      /service\.tokens\.algorithms: stands beside secret/,
    ],
    [
      { tokens: { issuer, audience: 'a', secret: 'a secret' } },
      /service\.tokens\.secret: expected \{ env: 'NAME' \}/,
    ],
  ])('refuses %o', (service, message) => {
    expect(() => parseConfig({ sources, service })).toThrow(message);
  });

  test('never repeats a secret that stands where the name of its variable belongs', () => {
    for (const secret of ['canary', { env: ['canary'] }, ['canary'], { value: 'canary' }])
      expect(() =>
        parseConfig({ sources, service: { tokens: { issuer, audience: 'a', secret } } }),
      ).not.toThrow(/canary/);
  });
});
