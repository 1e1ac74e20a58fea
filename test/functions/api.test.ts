import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { Hono } from 'hono';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHandler, createLambda } from '../../functions/api/handler.ts';
import { answerGatewayEvents } from '../../lib/adapters/api/gateway.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import type { WrittenSettings } from '../../lib/core/config/deployment-settings.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { wireApi } from '../../lib/wiring/lambda-api.ts';
import { writeNotes } from '../database/open-searched.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { makeContext } from '../factories/lambda-event.ts';

const model = (dimensions: number) => ({ provider: 'hash' as const, modelId: 'hash', dimensions });
const config: FreshetConfig = {
  models: { small: model(4), wide: model(2000) },
  sources: [
    {
      name: 'notes',
      table: 'public.notes',
      text: { columns: ['title'] },
      model: ['small', 'wide'],
      search: { columns: ['title'], tenant: 'tenant' },
    },
  ],
};
const settings: WrittenSettings = {
  stage: 'test',
  region: 'eu-west-1',
  database: { host: 'db.example.com', port: 5432, name: 'app', certificateAuthority: 'rds' },
  queueUrlPrefix: 'https://sqs.eu-west-1.amazonaws.com/111122223333/freshet-test',
  models: ['small', 'wide'],
  claimsBucket: 'claims',
  keySecrets: {},
  embedVisibilitySeconds: 720,
  resultsVisibilitySeconds: 361,
  maxReceiveCount: 5,
  claims: { tenant: 'tenant', scopes: 'scope' },
};

const directory = mkdtempSync(path.join(tmpdir(), 'freshet-api-'));
writeFileSync(path.join(directory, 'freshet.config.json'), JSON.stringify(config));
afterAll(() => rmSync(directory, { recursive: true }));

let opened = 0;
let lines: string[] = [];
beforeEach(() => {
  opened = 0;
  lines = [];
});

/** What Lambda gives the function; the database is refused unless there is one. */
function around(database?: SqlDatabase): LambdaDependencies {
  return {
    variables: { FRESHET_DEPLOYMENT: JSON.stringify(settings) },
    directory,
    writeLine: line => void lines.push(line),
    openDatabase: async () => {
      opened += 1;
      if (database === undefined)
        throw new FreshetError('The database does not answer.', {
          failureClass: 'transient',
          code: 'ECONNREFUSED',
        });
      return { ...database, close: async () => undefined };
    },
  };
}
const openFunction = async () => (await wireApi(around())).ports;

/** An event of an HTTP API, format 2.0; `claims` are what its authorizer verified. */
function makeEvent(
  request: string,
  options: {
    readonly body?: unknown;
    readonly claims?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): APIGatewayProxyEventV2 {
  const [method = '', rawPath = ''] = request.split(' ');
  const { body, claims = { sub: 'app', scope: 'embed search' }, headers } = options;
  const jwt = Object.keys(claims).length === 0 ? undefined : { jwt: { claims, scopes: null } };
  return {
    version: '2.0',
    ...{ routeKey: request, rawPath, rawQueryString: '', isBase64Encoded: false },
    headers: {
      'content-type': 'application/json',
      host: 'abc.execute-api.eu-west-1.amazonaws.com',
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    requestContext: {
      ...{
        accountId: '111122223333',
        apiId: 'abc',
        domainPrefix: 'abc',
        requestId: 'request',
        stage: '$default',
      },
      ...{ domainName: 'abc.execute-api.eu-west-1.amazonaws.com', routeKey: request, timeEpoch: 0, time: '' },
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
      ...(jwt && { authorizer: jwt }),
    },
  } as APIGatewayProxyEventV2;
}

const handler = createHandler(await openFunction());
type Invoke = (event: APIGatewayProxyEventV2, context: Context) => Promise<unknown>;
async function ask(event: APIGatewayProxyEventV2, invoke: Invoke = handler) {
  const result = (await invoke(event, makeContext())) as APIGatewayProxyStructuredResultV2;
  return { status: result.statusCode, json: JSON.parse(result.body ?? ''), headers: result.headers };
}
const embed = (options: Parameters<typeof makeEvent>[1]) => ask(makeEvent('POST /v1/embed', options));
const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);

describe('a nudge', () => {
  const starts = mockClient(LambdaClient);
  beforeEach(() => starts.reset());
  const nudge = async (written: WrittenSettings, body: object = { source: 'notes' }) => {
    const variables = { FRESHET_DEPLOYMENT: JSON.stringify(written) };
    const invoke = createHandler((await wireApi({ ...around(), variables })).ports);
    return () => ask(makeEvent('POST /v1/nudge', { body }), invoke);
  };
  const stage = { ...settings, detectFunction: 'stage-detect:live' };

  test('starts detect without waiting for its end, twice a second at most, and opens no database', async () => {
    const send = await nudge(stage);
    const answers = [];
    for (let count = 0; count < 20; count += 1) answers.push(await send());

    expect(answers.map(({ status, json }) => [status, json])).toEqual(
      Array(20).fill([200, { accepted: true }]),
    );
    const calls = starts.commandCalls(InvokeCommand).map(({ args }) => args[0].input);
    expect(calls.length).toBeGreaterThanOrEqual(2);
    expect(calls.length).toBeLessThan(20);
    expect(calls[0]).toMatchObject({ FunctionName: 'stage-detect:live', InvocationType: 'Event' });
    expect(JSON.parse(Buffer.from(calls[0]!.Payload as Uint8Array).toString())).toEqual({
      ...{ pass: 'incremental', nudged: true },
    });
    expect(opened).toBe(0);
  });

  test('is refused where it cannot be passed on, where it names no source, and on a paused stage', async () => {
    starts
      .on(InvokeCommand)
      .rejects(Object.assign(new Error('canary'), { name: 'TooManyRequestsException' }));

    const lost = await (await nudge(stage))();
    const unknown = await (await nudge(stage, { source: 'note' }))();
    const paused = await (await nudge(settings))();

    expect([lost.status, unknown.status, paused.status]).toEqual([503, 400, 404]);
    expect(lines.join()).toMatch(/nudge-lost/);
    expect(lines.join() + JSON.stringify(lost.json)).not.toMatch(/canary/);
  });
});

describe('the function of the service', () => {
  test('answers both shapes of embeddings, and what it is, without opening the database', async () => {
    const own = await embed({ body: { model: 'small', texts: ['a red dog'], input_type: 'query' } });
    const openai = await ask(
      makeEvent('POST /v1/embeddings', { body: { model: 'small', input: ['a red dog'] } }),
    );
    const models = await ask(makeEvent('GET /v1/models'));

    expect(own).toMatchObject({ status: 200, json: { dim: 4, model: 'small' } });
    expect(openai.json.data[0].embedding).toEqual(own.json.vectors[0]);
    expect(models.json.data.map(({ id }: { id: string }) => id)).toEqual(['small', 'wide']);
    for (const path of ['/health', '/ready']) expect((await ask(makeEvent(`GET ${path}`))).status).toBe(200);
    expect(opened).toBe(0);
  });

  test('has neither numbers nor a page nor nudges, and its document names none of them', async () => {
    for (const path of ['/metrics', '/'])
      expect(await ask(makeEvent(`GET ${path}`))).toMatchObject({
        status: 404,
        json: { error: { code: 'not_found' } },
      });
    expect((await ask(makeEvent('POST /v1/nudge', { body: {} }))).status).toBe(404);

    const { json } = await ask(makeEvent('GET /openapi.json'));

    expect(Object.keys(json.paths)).toEqual([
      ...['/v1/embed', '/v1/embeddings', '/v1/search', '/v1/models'],
      ...['/health', '/ready', '/openapi.json'],
    ]);
    expect(json.paths['/health'].get.security).toEqual([{ bearer: [] }]);
  });

  test('takes claims from the authorizer alone: a token in a header says nothing', async () => {
    const payload = Buffer.from(JSON.stringify({ tenant: 'a', scope: 'embed search' })).toString('base64url');
    const forged = {
      authorization: `Bearer eyJhbGciOiJub25lIn0.${payload}.`,
      'x-amzn-oidc-data': payload,
      'x-tenant': 'a',
    };
    const body = { model: 'small', texts: ['a'] };

    expect(await embed({ body, headers: forged, claims: {} })).toMatchObject({
      status: 401,
      json: { error: { code: 'unauthorized' } },
    });
    expect(await embed({ body, headers: forged, claims: { scope: 'search' } })).toMatchObject({
      status: 403,
      json: { error: { code: 'forbidden' } },
    });
    expect(lines.join('\n')).toContain('"check":"missing"');
  });

  test.each([
    ['a list of words, as the API writes it', { scope: '[embed search]' }, 200],
    ['a list without the word', { scope: '[search admin]' }, 403],
    ['a word', { scope: 'embed' }, 200],
    ['no scope', { sub: 'app' }, 403],
    ['a list of tenants, which names none', { scope: 'embed', tenant: '[a b]' }, 401],
    ['an object of tenants, which names none', { scope: 'embed', tenant: 'map[id:a]' }, 401],
  ])('reads %s', async (_, claims, status) => {
    expect((await embed({ body: { model: 'small', texts: ['a'] }, claims })).status).toBe(status);
  });

  test('refuses vectors that one answer cannot hold, before they are made, and says how many it can', async () => {
    const fits = await embed({ body: { model: 'wide', texts: texts(125) } });
    const tooMany = await embed({ body: { model: 'wide', texts: texts(126) } });
    const asOpenAi = await ask(
      makeEvent('POST /v1/embeddings', {
        body: { model: 'wide', input: texts(126), encoding_format: 'base64' },
      }),
    );

    expect(fits.status).toBe(200);
    // Lambda lets out 6,291,556 bytes of the answer as JSON.
    expect(JSON.stringify(JSON.stringify(fits.json)).length).toBeLessThan(6_150_000);
    for (const { status, json } of [tooMany, asOpenAi])
      expect([status, json.error.code, json.error.message]).toEqual([
        413,
        'batch_too_large',
        'The request has 126 texts; of model "wide" at most 125 fit into one answer here.',
      ]);
  });

  test.each([
    [6_000_000, 200],
    [6_200_000, 413],
  ])('answers with %i bytes: %i', async (bytes, status) => {
    const app = new Hono().get('/v1/models', context => context.json('a'.repeat(bytes)));

    const answered = await ask(makeEvent('GET /v1/models'), answerGatewayEvents(app));

    expect(answered.status).toBe(status);
    if (status === 413) expect(answered.json.error).toMatchObject({ code: 'batch_too_large' });
  });

  test('counts the calls of the provider and their cost, as one event of metrics for each request', async () => {
    const metered = createHandler(await openFunction());
    await ask(makeEvent('POST /v1/embed', { body: { model: 'small', texts: ['a', 'b'] } }), metered);

    const [event] = lines.map(line => JSON.parse(line)).filter(line => '_aws' in line);
    expect(event).toMatchObject({ component: 'api', ProviderCalls: 1, TextsSent: 2, CostUsd: 0 });
  });

  test('answers 504 where the time of the function runs out, with what it counted', async () => {
    const ports = await openFunction();
    const hanging = createHandler({ ...ports, answer: () => new Promise(() => undefined) });

    const result = (await hanging(
      makeEvent('GET /health'),
      makeContext(() => 1050),
    )) as APIGatewayProxyStructuredResultV2;

    expect(result.statusCode).toBe(504);
    expect(JSON.parse(result.body ?? '')).toMatchObject({ error: { code: 'deadline', param: null } });
    expect(lines.join('\n')).toContain('"EarlyTimeouts":1');
  });

  test('answers 503 where the database is away, and says nothing of it to the client', async () => {
    const asked = { source: 'notes', query: 'a dog' };

    const { status, json, headers } = await ask(
      makeEvent('POST /v1/search', { body: asked, claims: { scope: 'search', tenant: 'a' } }),
    );

    expect([status, json.error.code, headers?.['retry-after']]).toEqual([503, 'not_ready', '5']);
    expect(lines.join('\n')).toContain('The database does not answer.');
    expect(json.error.message).not.toContain('database');
    expect(opened).toBe(1);
    const unknown = await ask(makeEvent('POST /v1/search', { body: { ...asked, source: 'nots' } }));
    expect([unknown.status, unknown.json.error.message]).toEqual([404, expect.stringContaining('"notes"')]);
    expect(opened).toBe(1);
  });
});

test('no text of a request stands in what the function writes or refuses', async () => {
  const canary = 'Kanarienvogel-7';
  const invoke = createHandler(await openFunction());
  const claims = { scope: 'embed search', tenant: canary };
  const bodies: readonly (readonly [string, object])[] = [
    ['/v1/embed', { model: 'small', texts: [canary] }],
    ['/v1/embed', { model: canary, texts: [canary] }],
    ['/v1/embed', { model: 'small', texts: [canary, ''] }],
    ['/v1/embeddings', { model: 'wide', input: Array(126).fill(canary) }],
    ['/v1/search', { source: 'notes', query: canary }],
    ['/v1/search', { source: 'notes', query: canary, filter: { type: 'eq', key: canary, value: canary } }],
  ];

  const answers = [];
  for (const [path, body] of bodies)
    answers.push(await ask(makeEvent(`POST ${path}`, { body, claims }), invoke));

  expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 413, 503, 503]);
  for (const { json } of answers.slice(1)) expect(JSON.stringify(json)).not.toContain(canary);
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.join('\n')).not.toContain(canary);
});

describe('the search of the function', () => {
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
    await sql`CREATE SCHEMA app`.execute(database.kysely);
    await sql`CREATE TYPE app.mood AS ENUM ('calm', 'wild')`.execute(database.kysely);
    await sql`CREATE TABLE public.notes (id bigint PRIMARY KEY, title text, tenant text, price integer,
      mood app.mood, updated_at timestamptz NOT NULL DEFAULT now())`.execute(database.kysely);
    const spaces = await ensureSpaces(database, parseConfig(config));
    const notes = ['a', 'b', 'a'].map((tenant, id) => ({ id, tenant, vector: [1, id, 0, 0] }));
    await writeNotes(database, spaces.find(({ status }) => status === 'active')!, notes);
  });
  afterAll(() => database.close());

  test('finds the rows of the tenant that the authorizer verified, over one database for all requests', async () => {
    const invoke = createLambda(around(database));
    const search = (claims: Readonly<Record<string, string>>, headers = {}) =>
      ask(makeEvent('POST /v1/search', { body: { source: 'notes', query: 'dog' }, claims, headers }), invoke);
    const ids = (found: Awaited<ReturnType<typeof search>>) =>
      found.json.hits.map(({ id }: { id: string }) => id).sort();

    const found = await search({ scope: 'search', tenant: 'a' }, { 'x-tenant': 'b' });
    const others = await search({ scope: 'search', tenant: 'b' });
    const nobody = await search({ scope: 'search' });

    expect([found.status, ids(found), ids(others)]).toEqual([200, ['0', '2'], ['1']]);
    expect(found.json.model).toMatchObject({ alias: 'small', dimensions: 4 });
    expect(nobody.status).toBe(403);
    expect(opened).toBe(1);
  });
});
