import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatChecks } from '../../bin/terminal/formats.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { checkModels } from '../../lib/wiring/models.ts';
import { searchAsOperator } from '../../lib/wiring/open-search.ts';
import { type LoopbackServer, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { openTestWorkspace } from './open-test-workspace.ts';

let server: LoopbackServer;
let opened: Awaited<ReturnType<typeof openTestWorkspace>>;

beforeEach(async () => {
  server = await startLoopbackOpenAiServer();
});
afterEach(async () => {
  await opened.close();
  await server.close();
});

const notes = { name: 'notes', table: 'notes', text: { columns: ['body'] } };
const pages = { name: 'pages', table: 'pages', text: { columns: ['body'] } };

async function open(config: FreshetConfig): Promise<void> {
  opened = await openTestWorkspace(config);
  const run = (statement: string) => sql.raw(statement).execute(opened.database.kysely);
  for (const table of ['notes', 'pages']) {
    await run(
      `CREATE TABLE public.${table} (id int PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT now())`,
    );
    await run(`INSERT INTO public.${table} SELECT i, '${table} number ' || i FROM generate_series(1, 30) i`);
  }
}

const spacesOf = (result: { spaces: readonly { source: string; model: string; fresh: number }[] }) =>
  result.spaces.map(({ source, model, fresh }) => `${source} ${model} ${fresh}`);

describe('with the static provider', () => {
  it('finds rows by meaning, counts those without a known word as excluded, and refuses such a search', async () => {
    await open({ sources: [{ ...notes, model: 'static' }] });
    const run = (statement: string) => sql.raw(statement).execute(opened.database.kysely);
    await run(`UPDATE public.notes SET body = 'a feeling of great joy' WHERE id = 7`);
    await run(`UPDATE public.notes SET body = chr(44032 + id) || ' 텍스트' WHERE id > 20`);

    const first = await opened.run();
    const found = await opened.search('happiness');
    const second = await opened.run();
    await run(`UPDATE public.notes SET body = 'grief', updated_at = clock_timestamp() WHERE id = 30`);
    const third = await opened.run();

    expect(first).toMatchObject({ embedded: 20, excluded: 10, failed: 0, providerCalls: 1 });
    expect(first.spaces[0]).toMatchObject({ eligible: 30, fresh: 20, excluded: 10, coveragePercent: 100 });
    expect(found.hits[0]).toMatchObject({ id: '7' });
    expect(second).toMatchObject({ embedded: 0, excluded: 0, touched: 0, providerCalls: 0 });
    expect(third).toMatchObject({ embedded: 1, excluded: 0 });
    await expect(opened.search('행복')).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining('The model static knows no word of what you search for'),
      remedy: expect.stringContaining('another model'),
    });
  });

  it('records and compares its golden vectors', async () => {
    await open({ sources: [{ ...notes, model: 'static' }] });

    expect(await checkModels(opened.workspace)).toMatchObject([{ golden: 'recorded' }]);
    expect(await checkModels(opened.workspace)).toMatchObject([{ golden: 'compared', cosine: 1 }]);
  });
});

describe('with the openai provider', () => {
  const small = { provider: 'openai', modelId: 'text-embedding-3-small' } as const;

  it("finds a row by its own text at more than 0.99, and replaces an edited row's vector", async () => {
    await open({
      models: { mine: { ...small, baseUrl: server.baseUrl } },
      sources: [{ ...notes, model: 'mine' }],
    });

    await opened.run();
    const before = await opened.search('notes number 7');
    await sql`UPDATE public.notes SET body = 'something else', updated_at = clock_timestamp() WHERE id = 7`.execute(
      opened.database.kysely,
    );
    const second = await opened.run();
    const after = await opened.search('notes number 7');
    const edited = await opened.search('something else');
    const third = await opened.run();

    expect(before.hits[0]).toMatchObject({ id: '7' });
    expect(before.hits[0]?.similarity).toBeGreaterThan(0.99);
    expect(before.hits[1]?.similarity).toBeLessThan(0.5);
    expect(second).toMatchObject({ embedded: 1, providerCalls: 1 });
    expect(after.hits[0]?.similarity).toBeLessThan(0.5);
    expect(edited.hits[0]).toMatchObject({ id: '7' });
    expect(edited.hits[0]?.similarity).toBeGreaterThan(0.99);
    expect(third).toMatchObject({ embedded: 0, touched: 0, providerCalls: 0 });
  });

  it('opens the provider of searches once for an open workspace', async () => {
    const headers = { 'x-team': { env: 'TEAM' } };
    await open({
      models: { mine: { ...small, headers, baseUrl: server.baseUrl } },
      sources: [{ ...notes, model: 'mine' }],
    });
    let opening = 0;
    const variables = {
      get TEAM() {
        opening += 1;
        return 'search';
      },
    };
    const workspace = { ...opened.workspace, environment: { ...opened.workspace.environment, variables } };
    await opened.runIn(workspace);
    const before = opening;

    for (const query of ['notes number 7', 'notes number 8', 'notes number 9'])
      await searchAsOperator(workspace, { query, limit: 1 });

    expect(opening - before).toBe(1);
  });

  it('searches with no vector of another model', async () => {
    await open({
      models: { mine: { ...small, baseUrl: server.baseUrl } },
      sources: [{ ...notes, model: 'mine' }],
    });
    await opened.run();
    const embedding = vectorForText('notes number 7', 1536).toString('base64');
    const body = JSON.stringify({ model: 'text-embedding-ada-002', data: [{ index: 0, embedding }] });
    server.setBehaviour(() => ({ kind: 'raw', body }));

    await expect(opened.search('notes number 7')).rejects.toMatchObject({ code: 'wrong_model' });
  });

  it('embeds searches by the model and the fields that are theirs', async () => {
    const asked = { extraBody: { input_type: 'document' }, queryExtraBody: { input_type: 'query' } };
    const acme = { provider: 'openai', modelId: 'acme-large', dimensions: 8, sendDimensions: true } as const;
    await open({
      models: { mine: { ...acme, ...asked, queryModelId: 'acme-lite', baseUrl: server.baseUrl } },
      sources: [{ ...notes, model: 'mine' }],
    });

    await opened.run();
    const { hits } = await opened.search('notes number 7');

    expect(hits[0]).toMatchObject({ id: '7' });
    const sent = server.calls.map(({ body }) => `${body.model} ${body.input_type}`);
    expect(sent.at(-1)).toBe('acme-lite query');
    expect(new Set(sent.slice(0, -1))).toEqual(new Set(['acme-large document']));
  });

  it('embeds searches with the prefix of the model, and rows with theirs', async () => {
    const e5 = { provider: 'openai', modelId: 'intfloat/multilingual-e5-small' } as const;
    server.setBehaviour(() => ({ kind: 'vectors', vector: (text: string) => vectorForText(text, 384) }));
    await open({ models: { e5: { ...e5, baseUrl: server.baseUrl } }, sources: [{ ...notes, model: 'e5' }] });

    await opened.run();
    await opened.search('a search');

    const texts = server.calls.flatMap(call => call.texts);
    expect(texts).toHaveLength(31);
    expect(texts.slice(0, -1).every(text => text.startsWith('passage: notes'))).toBe(true);
    expect(texts.at(-1)).toBe('query: a search');
  });
});

describe('one configuration', () => {
  const models = {
    tiny: { provider: 'hash', modelId: 'feature-hashing', dimensions: 16 },
    wide: { provider: 'hash', modelId: 'feature-hashing', dimensions: 64 },
  } as const;

  it('fills a space for each of several models of a source', async () => {
    await open({ models, sources: [{ ...notes, model: ['tiny', 'wide'] }] });

    const result = await opened.run();

    expect(spacesOf(result)).toEqual(['notes tiny 30', 'notes wide 30']);
    expect((await opened.search('notes number 3')).model).toBe('tiny');
    expect(await opened.run()).toMatchObject({ embedded: 0, providerCalls: 0 });
  });

  it('gives several sources one model, each in a space of its own', async () => {
    await open({
      models,
      sources: [
        { ...notes, model: 'tiny' },
        { ...pages, model: 'tiny' },
      ],
    });

    expect(spacesOf(await opened.run())).toEqual(['notes tiny 30', 'pages tiny 30']);
    expect((await opened.search('pages number 3', 'pages')).hits[0]).toMatchObject({ id: '3' });
  });

  it('gives each source its own model, by alias or by profile', async () => {
    await open({
      models,
      profiles: { rt: 'tiny', bulk: 'wide' },
      sources: [
        { ...notes, profile: 'rt' },
        { ...pages, profile: 'bulk' },
      ],
    });

    expect(spacesOf(await opened.run())).toEqual(['notes tiny 30', 'pages wide 30']);
  });

  it('takes its models from a list', async () => {
    await open({
      place: { provider: 'openai', baseUrl: server.baseUrl },
      registry: 'fast:acme/fast:v1:1536:512',
      sources: [{ ...notes, model: 'fast' }],
    });

    expect(spacesOf(await opened.run())).toEqual(['notes fast 30']);
    expect(server.calls[0]?.body).toMatchObject({ model: 'acme/fast' });
  });

  it('fills the space of a fallback only in an outage of the model, and leaves the view to that model', async () => {
    await open({
      models: {
        mine: { provider: 'openai', modelId: 'text-embedding-3-small', baseUrl: server.baseUrl },
        ...models,
      },
      sources: [{ ...notes, model: 'mine', fallback: 'tiny' }],
    });

    expect(spacesOf(await opened.run())).toEqual(['notes mine 30', 'notes tiny 0']);
    await sql`UPDATE public.notes SET body = body || '!', updated_at = clock_timestamp()`.execute(
      opened.database.kysely,
    );
    server.setBehaviour(() => ({
      kind: 'status',
      status: 429,
      body: { error: { message: '', type: 'insufficient_quota', code: 'insufficient_quota', param: null } },
    }));
    await expect(opened.run()).rejects.toThrow('insufficient_quota');

    const spaces = await sql<{ model: string; status: string }>`
      SELECT model_alias AS model, status FROM freshet.spaces ORDER BY space_id`.execute(
      opened.database.kysely,
    );
    const filled = await sql<{ count: number }>`SELECT count(*)::int FROM freshet.vectors_2`.execute(
      opened.database.kysely,
    );
    const shown = await sql<{
      model: string;
    }>`SELECT DISTINCT embedding_model AS model FROM embeddings.notes`.execute(opened.database.kysely);
    expect(spaces.rows).toEqual([
      { model: 'mine', status: 'active' },
      { model: 'tiny', status: 'building' },
    ]);
    expect(filled.rows).toEqual([{ count: 30 }]);
    expect(shown.rows).toEqual([{ model: 'mine' }]);
  });
});

it('checks several models at once: one that answers, one that does not, and one that runs in the process', async () => {
  const small = { provider: 'openai', modelId: 'text-embedding-3-small', baseUrl: server.baseUrl } as const;
  await open({
    models: {
      good: small,
      wrong: { ...small, dimensions: 512 },
      tiny: { provider: 'hash', modelId: 'feature-hashing', dimensions: 16 },
    },
    sources: [{ ...notes, model: ['good', 'wrong', 'tiny'] }],
  });
  server.setBehaviour(() => ({ kind: 'vectors', vector: text => vectorForText(text, 1536) }));

  const checks = await checkModels(opened.workspace);
  const again = await checkModels(opened.workspace, new Set(['good', 'tiny']));

  const resultsOf = (found: typeof checks) =>
    found.map(({ alias, golden, problem }) => [alias, golden, problem?.code]);
  expect(resultsOf(checks)).toEqual([
    ['good', 'recorded', undefined],
    ['tiny', 'recorded', undefined],
    ['wrong', 'failed', 'wrong_dimensions'],
  ]);
  expect(resultsOf(again)).toEqual([
    ['good', 'compared', undefined],
    ['tiny', 'compared', undefined],
  ]);
  expect(checks[2]?.problem?.line).toBe('models.wrong.dimensions, in freshet.config.ts');
  const [good] = checks;
  const printed = formatChecks([{ ...good!, latencyMs: 1_234.4 }, checks[2]!]);
  expect(printed[0]).toMatch(/ ms /);
  expect(printed[2]).toMatch(/^good .* 1234 /);
  expect(printed.join('\n')).toContain('The line is models.wrong.dimensions, in freshet.config.ts.');
});
