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
import { wireDetect } from '../../lib/wiring/lambda-detect.ts';
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
/** A dollar for each token. */
const priced: FreshetConfig = {
  ...config,
  models: { small: { ...model(4), usdPerMillionTokens: 1e6 }, wide: model(2000) },
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
const withDocuments: FreshetConfig = { ...config, documents: { model: 'small' } };
const documentsDirectory = mkdtempSync(path.join(tmpdir(), 'freshet-api-documents-'));
writeFileSync(path.join(documentsDirectory, 'freshet.config.json'), JSON.stringify(withDocuments));
const pricedDirectory = mkdtempSync(path.join(tmpdir(), 'freshet-api-priced-'));
writeFileSync(path.join(pricedDirectory, 'freshet.config.json'), JSON.stringify(priced));
afterAll(() => {
  for (const each of [directory, documentsDirectory, pricedDirectory]) rmSync(each, { recursive: true });
});

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
    /** The address with its braces, as the API chose it, and what stood in them. */
    readonly route?: string;
    readonly pathParameters?: Readonly<Record<string, string>>;
  } = {},
): APIGatewayProxyEventV2 {
  const [method = '', rawPath = ''] = request.split(' ');
  const { body, claims = { sub: 'app', scope: 'embed search' }, headers, pathParameters } = options;
  const routeKey = options.route === undefined ? request : `${method} ${options.route}`;
  const jwt = Object.keys(claims).length === 0 ? undefined : { jwt: { claims, scopes: null } };
  return {
    version: '2.0',
    ...{ routeKey, rawPath, rawQueryString: '', isBase64Encoded: false },
    ...(pathParameters && { pathParameters }),
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
      ...{ domainName: 'abc.execute-api.eu-west-1.amazonaws.com', routeKey, timeEpoch: 0, time: '' },
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
  const lambda = new LambdaClient({ region: settings.region });
  const starts = mockClient(lambda);
  beforeEach(() => starts.reset());
  const nudge = async (written: WrittenSettings, body: object = { source: 'notes' }) => {
    const variables = { FRESHET_DEPLOYMENT: JSON.stringify(written) };
    const invoke = createHandler((await wireApi({ ...around(), variables, lambda })).ports);
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
      ...['/v1/embed', '/v1/embeddings', '/v1/search', '/v1/vectors/search', '/v1/models'],
      ...['/health', '/ready', '/openapi.json'],
    ]);
    expect(json.paths['/health'].get.security).toEqual([{ bearer: [] }]);
  });

  test('runs no search as a job, and says what to ask', async () => {
    const answer = await ask(makeEvent('POST /v1/jobs/search', { body: { source: 'notes', query: 'a' } }));

    expect(answer).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } });
    expect(answer.json.error.message).toContain('POST /v1/search');
    expect((await ask(makeEvent('POST /v1/jobs/search', { body: {}, claims: {} }))).status).toBe(401);
    expect(opened).toBe(0);
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
    ['/v1/vectors/search', { source: 'notes', query: canary }],
    ['/v1/search', { source: 'notes', query: canary, filter: { type: 'eq', key: canary, value: canary } }],
  ];

  const answers = [];
  for (const [path, body] of bodies)
    answers.push(await ask(makeEvent(`POST ${path}`, { body, claims }), invoke));

  expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 413, 503, 503, 503]);
  for (const { json } of answers.slice(1)) expect(JSON.stringify(json)).not.toContain(canary);
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.join('\n')).not.toContain(canary);
});

describe('what a request cost', () => {
  const query = (text: string) =>
    makeEvent('POST /v1/embed', { body: { model: 'small', texts: [text], input_type: 'query' } });
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await openTestDatabase();
  });
  afterAll(() => database.close());
  /** The function before a database that is there from the second opening on, or from the first. */
  const openPriced = (isAway: () => boolean) => {
    const dependencies = { ...around(database), directory: pricedDirectory };
    const { openDatabase: open } = dependencies;
    return createLambda({
      ...dependencies,
      openDatabase: async () => (isAway() ? around().openDatabase!() : open!()),
    });
  };
  const readEntries = async () =>
    (
      await sql<{ calls: number; cost: number }>`
        SELECT calls::int AS calls, cost_usd AS cost FROM freshet.query_ledger ORDER BY recorded_at`.execute(
        database.kysely,
      )
    ).rows;

  test('is in the database before it is answered, and once', async () => {
    await sql`DELETE FROM freshet.query_ledger`.execute(database.kysely);
    const invoke = openPriced(() => false);

    expect((await ask(query('a red dog'), invoke)).status).toBe(200);
    const [entry] = await readEntries();
    expect(entry).toMatchObject({ calls: 1 });
    expect(entry!.cost).toBeGreaterThan(0);
    // The vector is in memory now, and nothing was bought.
    expect((await ask(query('a red dog'), invoke)).status).toBe(200);

    expect(await readEntries()).toHaveLength(1);
    expect(opened).toBe(1);
  });

  test('keeps no answer back where the database is away, and is entered with the next one', async () => {
    await sql`DELETE FROM freshet.query_ledger`.execute(database.kysely);
    let isAway = true;
    const invoke = openPriced(() => isAway);

    expect((await ask(query('a red dog'), invoke)).status).toBe(200);
    expect(await readEntries()).toEqual([]);
    expect(lines.join('\n')).toContain('queries-not-recorded');
    isAway = false;
    expect((await ask(query('a blue cat'), invoke)).status).toBe(200);

    expect((await readEntries()).map(({ calls }) => calls)).toEqual([1, 1]);
  });

  test('is not lost with a connection that no longer answers', async () => {
    await sql`DELETE FROM freshet.query_ledger`.execute(database.kysely);
    let isBroken = false;
    let isGone = false;
    const fail = () => {
      throw new FreshetError('The connection is gone.', { failureClass: 'transient', code: 'ECONNRESET' });
    };
    const breakable = new Proxy(database.kysely, {
      get(kysely, name) {
        if (isBroken && name === 'getExecutor') return fail;
        if (isGone && name === 'connection') return () => ({ execute: async () => fail() });
        const value = Reflect.get(kysely, name);
        return typeof value === 'function' ? value.bind(kysely) : value;
      },
    });
    const dependencies = { ...around(database), directory: pricedDirectory };
    const invoke = createLambda({
      ...dependencies,
      openDatabase: async () => {
        const first = await dependencies.openDatabase!();
        return opened === 1 ? { ...first, kysely: breakable } : first;
      },
    });

    await ask(query('a red dog'), invoke);
    isBroken = true;
    await ask(query('a blue cat'), invoke);
    isGone = true;
    await ask(query('a green bird'), invoke);

    expect((await readEntries()).reduce((sum, { calls }) => sum + calls, 0)).toBe(3);
    expect(opened).toBe(2);
  });
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

describe('texts that clients give to the function', () => {
  const claims = { scope: 'write', tenant: 'a' };
  const item = { asset_id: 'book', segment_id: 'p:1', text: 'a red dog' };
  const segmentRoute = '/v1/vectors/{asset_id}/{segment_id}';
  let database: SqlDatabase;
  let invoke: Invoke;
  beforeAll(async () => {
    database = await openTestDatabase();
    await sql`CREATE TABLE public.notes (id bigint PRIMARY KEY, title text, tenant text,
      updated_at timestamptz NOT NULL DEFAULT now())`.execute(database.kysely);
    await ensureSpaces(database, parseConfig(withDocuments));
  });
  afterAll(() => database.close());
  beforeEach(() => {
    invoke = createLambda({ ...around(database), directory: documentsDirectory });
  });
  const submit = (body: object, by: Readonly<Record<string, string>> = claims) =>
    ask(makeEvent('POST /v1/vectors/embed', { body, claims: by }), invoke);
  const findJob = (id: string, by = claims) =>
    ask(
      makeEvent(`GET /v1/jobs/${id}`, {
        ...{ claims: by, route: '/v1/jobs/{job_id}', pathParameters: { job_id: id } },
      }),
      invoke,
    );
  const erase = (rawPath: string, route: string, pathParameters: Readonly<Record<string, string>>) =>
    ask(makeEvent(`DELETE ${rawPath}`, { claims, route, pathParameters }), invoke);
  const count = async () =>
    (
      await sql<{ count: number }>`SELECT count(*)::int AS count FROM freshet.documents`.execute(
        database.kysely,
      )
    ).rows[0]!.count;

  test('become jobs of the tenant that the authorizer verified, and are erased by her alone', async () => {
    const submitted = await submit(item);
    const batch = await ask(
      makeEvent('POST /v1/vectors/embed/batch', {
        body: { items: [{ ...item, segment_id: 'p:2' }] },
        claims,
      }),
      invoke,
    );
    const { job_id } = submitted.json;

    expect([submitted.status, batch.status, await count()]).toEqual([202, 202, 2]);
    expect(await findJob(job_id)).toMatchObject({ status: 200, json: { status: 'pending', model: 'small' } });
    expect((await findJob(job_id, { ...claims, tenant: 'b' })).status).toBe(404);
    expect((await submit(item, { scope: 'embed', tenant: 'a' })).status).toBe(403);
    expect((await submit(item, { scope: 'write' })).status).toBe(403);

    const erased = await erase('/v1/vectors/book', '/v1/vectors/{asset_id}', { asset_id: 'book' });
    expect(erased).toMatchObject({ status: 202, json: { status: 'pending', segment_id: null } });
    expect(erased.json.remains[0].what).toBe('result_objects');
    expect(await count()).toBe(0);
  });

  test('start detect at once, twice a second at most, and are taken where that fails or hangs', async () => {
    const lambda = new LambdaClient({ region: settings.region });
    const starts = mockClient(lambda);
    const stage = JSON.stringify({ ...settings, detectFunction: 'stage-detect:live' });
    const near = { ...around(database), directory: documentsDirectory };
    const variables = { FRESHET_DEPLOYMENT: stage };
    const open = async () => createHandler((await wireApi({ ...near, variables, lambda })).ports);
    const send = async (to: Invoke, segment: string) =>
      (await ask(makeEvent('POST /v1/vectors/embed', { body: { ...item, segment_id: segment }, claims }), to))
        .status;

    const first = await open();
    const statuses = [await send(first, 'n:1'), await send(first, 'n:2'), await send(first, 'n:3')];
    const calls = starts.commandCalls(InvokeCommand).map(({ args }) => args[0].input);
    starts
      .on(InvokeCommand)
      .rejects(Object.assign(new Error('canary'), { name: 'TooManyRequestsException' }));
    statuses.push(await send(await open(), 'n:4'));
    starts.on(InvokeCommand).callsFake(() => new Promise(() => undefined));
    statuses.push(await send(await open(), 'n:5'));
    starts.reset();
    statuses.push(await send(invoke, 'n:6'));

    expect(statuses).toEqual([202, 202, 202, 202, 202, 202]);
    expect(calls.length).toBeGreaterThanOrEqual(1);
    expect(calls[0]).toMatchObject({ FunctionName: 'stage-detect:live', InvocationType: 'Event' });
    expect(JSON.parse(Buffer.from(calls[0]!.Payload as Uint8Array).toString())).toEqual({
      ...{ pass: 'incremental', nudged: true },
    });
    expect(lines.join()).toMatch(/nudge-lost/);
    expect(lines.join()).not.toMatch(/canary/);
    expect(starts.commandCalls(InvokeCommand)).toEqual([]);
    await sql`DELETE FROM freshet.documents`.execute(database.kysely);
  });

  test('are listed in its document, which has their addresses only with the section', async () => {
    const listed = await ask(makeEvent('GET /openapi.json', { claims }), invoke);

    expect(Object.keys(listed.json.paths)).toContain(segmentRoute);
    expect((await ask(makeEvent('POST /v1/vectors/embed', { body: item, claims }))).status).toBe(404);
  });

  test.each(['a/b', 'a?b', 'a#b', 'a%2Fb', 'a b', 'a\tb', '..', 'a\\b'])(
    'are refused with the id %j, which no address brings here as it was sent',
    async id => {
      for (const body of [
        { ...item, asset_id: id },
        { ...item, segment_id: id },
      ]) {
        const { status, json } = await submit(body);
        expect([status, json.error.code]).toEqual([400, 'invalid_request']);
        expect(json.error.param).toMatch(/_id$/);
      }
    },
  );

  test('are kept where the API made another address of the one that was asked for', async () => {
    await submit({ ...item, segment_id: 'p' });
    const asset = '/v1/vectors/{asset_id}';

    for (const answer of [
      await erase('/v1/vectors/book/p', asset, { asset_id: 'book/p' }),
      await erase('/v1/vectors/book', segmentRoute, { asset_id: 'book?1', segment_id: 'p' }),
      await erase('/v1/vectors/book', asset, { asset_id: 'book?1' }),
      await erase('/v1/vectors/book', asset, {}),
    ])
      expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_request']);

    expect(await count()).toBe(1);
    expect(
      (await erase('/v1/vectors/book/p', segmentRoute, { asset_id: 'book', segment_id: 'p' })).status,
    ).toBe(202);
  });

  test('have their receipts completed by the ticks of the stage', async () => {
    await submit(item);
    const { json } = await erase('/v1/vectors/book', '/v1/vectors/{asset_id}', { asset_id: 'book' });
    await sql`UPDATE freshet.erasures SET requested_at = requested_at - interval '1 minute',
      erased_at = erased_at - interval '1 minute'`.execute(database.kysely);
    const ask = async () =>
      (
        await sql<{ done: boolean }>`SELECT completed_at IS NOT NULL AS done FROM freshet.erasures
          WHERE receipt_id = ${json.receipt_id}::uuid`.execute(database.kysely)
      ).rows[0]?.done;
    const { ports, close } = await wireDetect({ ...around(database), directory: documentsDirectory });

    for (let tick = 0; tick < 20 && !(await ask()); tick += 1) {
      await ports.sweepDocuments?.();
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    await close();

    expect(await ask()).toBe(true);
  });

  test('wait where the database is away: 503, and the log says why', async () => {
    const away = createLambda({ ...around(), directory: documentsDirectory });

    const { status, json, headers } = await ask(
      makeEvent('POST /v1/vectors/embed', { body: item, claims }),
      away,
    );

    expect([status, json.error.code, headers?.['retry-after']]).toEqual([503, 'not_ready', '5']);
    expect(lines.join('\n')).toContain('The database does not answer.');
  });
});
