import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createTokenCheck } from '../../lib/adapters/api/verify-tokens.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { ServiceRefusal } from '../../lib/core/service-refusal.ts';
import type { SearchAnswer, SearchCaller, SearchRequest, SearchService } from '../../lib/ports/search.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { openApi } from './open-api.ts';

const answer: SearchAnswer = {
  source: 'notes',
  model: { alias: 'small', model_id: 'hash-1', revision: '1', dimensions: 3, space: 1 },
  hits: [
    {
      id: '7',
      score: 0.9,
      rank: 1,
      scores: { semantic: 0.9, keyword: null, rerank: null },
      columns: { title: 'x' },
    },
  ],
  ...{ exact: true, coverage_percent: 99.5, stale: 1, coverage_at: '2026-01-01T00:00:00.000Z' },
  ...{ without_keywords: null, keyword: null },
  ...{ degraded: [], next: null, took_ms: 3 },
};

function createSearch(work: () => Promise<SearchAnswer> = async () => answer) {
  const asked: { request: SearchRequest; caller: SearchCaller }[] = [];
  const search: SearchService = {
    async search(request, caller) {
      asked.push({ request, caller });
      return work();
    },
    explain: async () => {
      throw new Error('Nobody explains here.');
    },
  };
  return { search, asked };
}

const secret = 'a shared secret of at least thirty-two bytes';
const issuer = 'https://login.example.com/';
const check = createTokenCheck(
  {
    ...{ issuer, audience: 'search', secret: { env: 'SECRET' } },
    claims: { tenant: 'app.tenant', scopes: 'scope' },
  },
  { SECRET: secret },
);
const tokenOf = (claims: Record<string, unknown>) =>
  new SignJWT({ iss: issuer, aud: 'search', exp: 4_000_000_000, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));

describe('POST /v1/search', () => {
  test('answers hits with what to trust, and asks as a client without a tenant where there are no tokens', async () => {
    const { search, asked } = createSearch();
    const { post } = openApi({ search });

    const { status, json } = await post('/v1/search', { source: 'notes', query: 'a text', min_score: 0.5 });

    expect([status, json]).toEqual([200, answer]);
    expect(asked).toEqual([
      {
        request: { source: 'notes', query: 'a text', limit: 10, mode: 'semantic', minScore: 0.5 },
        caller: { kind: 'client', tenant: undefined, claims: undefined },
      },
    ]);
  });

  test.each([
    [{ query: 'a' }, 'source'],
    [{ source: 'notes', query: 'a', limit: 101 }, 'limit'],
    [{ source: 'notes', query: 'a', limit: 0 }, 'limit'],
    [{ source: 'notes', query: 'a'.repeat(1_000_000) }, 'query'],
    [{ source: 'notes', query: '' }, 'query'],
    [{ source: 'notes', query: 'a', offset: 20 }, 'offset'],
    [{ source: 'notes', query: 'a', tenant: 'b' }, 'tenant'],
    [{ source: 'notes', query: 'a', diversity: 2 }, 'diversity'],
    [{ source: 'notes', query: 'a', filter: 'price = 1' }, 'filter'],
  ])('refuses what names no search, by the field', async (body, param) => {
    const { search, asked } = createSearch();
    const { post } = openApi({ search });

    const { status, json } = await post('/v1/search', body);

    expect([status, json.error.code, json.error.param]).toEqual([400, 'invalid_request', param]);
    expect(asked).toEqual([]);
  });

  test.each([
    [{ limit: 101 }, 'limit: expected a whole number from 1 to 100'],
    [{ limit: '5' }, 'limit: expected a whole number from 1 to 100'],
    [{ diversity: 2 }, 'diversity: expected a number from 0 to 1'],
    [{ query: 'a'.repeat(20_001) }, 'query: expected 1 to 20000 characters'],
    [{ query: ['a'] }, 'query: expected a text'],
    [{ columns: [] }, 'columns: expected 1 to 50 entries'],
    [{ filter: [] }, 'filter: expected an object'],
    [{ rerank: {} }, 'rerank.model: expected a text, but it is missing'],
    [{ mode: 'hybird' }, 'mode: expected one of semantic, keyword, hybrid; did you mean hybrid?'],
    [
      { weights: { semantc: 2 } },
      'weights.semantc: is not a known field; did you mean semantic? (known: semantic, keyword)',
    ],
    [
      { rerank: { model: 'x', candidate: 5 } },
      'rerank.candidate: is not a known field; did you mean candidates? (known: model, candidates)',
    ],
  ])('says what was expected in the field: %#', async (wrong, message) => {
    const { post } = openApi({ search: createSearch().search });

    const { json } = await post('/v1/search', { source: 'notes', query: 'a', ...wrong });

    expect(json.error.message).toBe(message);
  });

  test('tells a conflict, and nothing of what the database said', async () => {
    const conflict = new ServiceRefusal('space_changed', 'Ask for the first page again.');
    const broken = new FreshetError('The database refused: secret.', {
      failureClass: 'stop',
      code: 'sqlstate_42501',
    });
    const answers = [];
    for (const error of [conflict, broken]) {
      const { post, lines } = openApi({ search: createSearch(() => Promise.reject(error)).search });
      const { status, text } = await post('/v1/search', { source: 'notes', query: 'a' });
      answers.push(status);
      expect(text).not.toContain('secret');
      if (error === broken) expect(lines.some(({ event }) => event === 'search-failed')).toBe(true);
    }
    expect(answers).toEqual([409, 503]);
  });
});

describe('POST /v1/vectors/search', () => {
  const SEARCHED = { source: 'notes', query: 'a text' };
  const json = { 'content-type': 'application/json' };

  test.each([
    ['a search', SEARCHED, 'search', {}, 200],
    ['a search without a token', SEARCHED, undefined, {}, 401],
    ['a search by a token that may only write', SEARCHED, 'write', {}, 403],
    ['a wrong field', { ...SEARCHED, limit: 101 }, 'search', {}, 400],
    ['a body over the limit', { ...SEARCHED, query: 'a'.repeat(5000) }, 'search', {}, 413],
    ['a form', SEARCHED, 'search', { headers: { 'content-type': 'text/plain' } }, 415],
    ['another method', undefined, 'search', { method: 'PUT' }, 405],
  ] as const)('answers %s as /v1/search does', async (_, body, scope, init, status) => {
    const { search, asked } = createSearch();
    const { send } = openApi({ search, verifyToken: await check, maxBodyBytes: 4096 });
    const bearer = scope && { authorization: `Bearer ${await tokenOf({ scope, app: { tenant: 'a' } })}` };
    const ask = async (address: string) => {
      const sent = { method: 'POST', headers: json, ...init, ...(body && { body: JSON.stringify(body) }) };
      const answered = await send(address, { ...sent, headers: { ...sent.headers, ...bearer } });
      return { status: answered.status, text: answered.text, headers: [...answered.headers] };
    };

    const [first, second] = [await ask('/v1/search'), await ask('/v1/vectors/search')];

    expect(first.status).toBe(status);
    expect(second).toEqual(first);
    expect(asked).toHaveLength(status === 200 ? 2 : 0);
    expect(asked[1]).toEqual(asked[0]);
    for (const { caller } of asked) expect(caller).toMatchObject({ tenant: 'a' });
  });

  test('counts as a search in the load of the service, in /metrics and against the rate of the tenant', async () => {
    const { post, send } = openApi({
      ...{ search: createSearch().search, verifyToken: await check, requestsPerMinute: 1 },
    });
    const headers = { authorization: `Bearer ${await tokenOf({ scope: 'search', app: { tenant: 'a' } })}` };

    const statuses = [];
    for (const address of ['/v1/vectors/search', '/v1/search', '/v1/vectors/search'])
      statuses.push((await post(address, SEARCHED, { headers })).status);
    const { text } = await send('/metrics');

    expect(statuses).toEqual([200, 429, 429]);
    expect(text).toContain('te_request_count{route="/v1/vectors/search",status="200"} 1');
    expect(text).toContain('embed_last_minute_refused 2');
  });
});

describe('a token', () => {
  test('decides the tenant, by the path of the configuration', async () => {
    const { search, asked } = createSearch();
    const { post } = openApi({ search, verifyToken: await check });
    const claims = { app: { tenant: 'a' }, tenant: 'b', scope: 'search embed' };

    const headers = { authorization: `Bearer ${await tokenOf(claims)}`, 'x-tenant': 'c' };
    expect((await post('/v1/search', { source: 'notes', query: 'a' }, { headers })).status).toBe(200);

    expect(asked[0]?.caller).toMatchObject({ kind: 'client', tenant: 'a', claims: { app: { tenant: 'a' } } });
  });

  test.each<[Record<string, unknown>, number, number]>([
    [{ scope: 'search' }, 200, 403],
    [{ scope: ['embed'] }, 403, 200],
    [{ scope: 'searching' }, 403, 403],
    [{ scope: { search: true } }, 403, 403],
    [{}, 403, 403],
  ])('with the claims %j may search: %i, and embed: %i', async (claims, searches, embeds) => {
    const { post } = openApi({ search: createSearch().search, verifyToken: await check });
    const headers = { authorization: `Bearer ${await tokenOf(claims)}` };

    const statuses = [
      (await post('/v1/search', { source: 'notes', query: 'a' }, { headers })).status,
      (await post('/v1/embed', { model: 'small', texts: ['a'] }, { headers })).status,
    ];

    expect(statuses).toEqual([searches, embeds]);
  });

  test('of a tenant over its requests a minute is told when to come again, and others are let in', async () => {
    const clock = createVirtualClock();
    const { post } = openApi({
      ...{ search: createSearch().search, verifyToken: await check, requestsPerMinute: 2, clock },
    });
    const ask = async (tenant: string) => {
      const headers = { authorization: `Bearer ${await tokenOf({ app: { tenant }, scope: 'search' })}` };
      return post('/v1/search', { source: 'notes', query: 'a' }, { headers });
    };

    const statuses = [];
    for (const tenant of ['a', 'a', 'a', 'b']) statuses.push((await ask(tenant)).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
    expect((await ask('a')).headers.get('retry-after')).toBe('30');
    clock.advance(30_000);
    expect([(await ask('a')).status, (await ask('a')).status]).toEqual([200, 429]);
  });
});
