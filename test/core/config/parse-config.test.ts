import { describe, expect, it } from 'vitest';
import demo from '../../../examples/demo/freshet.config.ts';
import openai from '../../../examples/openai/freshet.config.ts';
import wiki from '../../../examples/wiki/freshet.config.ts';
import type { FreshetConfig } from '../../../lib/core/config/config-schema.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import { problemsOf } from '../../factories/config-problems.ts';

const source = { name: 'ai_items', table: 'public.ai_items', text: { columns: ['title'] }, model: 'hash' };

describe('parseConfig', () => {
  it('fills in the defaults of a minimal configuration', () => {
    const config = parseConfig({ sources: [source] });

    expect(config.sources).toEqual([
      {
        name: 'ai_items',
        table: 'public.ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title'] },
        models: ['hash'],
        overLimit: 'truncate',
      },
    ]);
    expect(config.database).toEqual({ embeddedDirectory: '.freshet/database', viewSchema: 'embeddings' });
    expect(config.limits).toMatchObject({ batchSize: 100, timeoutSeconds: 60, pauseMs: 0 });
  });

  it.each([
    ['demo', demo],
    ['openai', openai],
    ['wiki', wiki],
  ])('accepts the example %s', (_name, config: FreshetConfig) => {
    expect(problemsOf(config)).toEqual([]);
  });

  it('takes the usual storage for none, and another by its name', () => {
    const storages = ['vector', 'halfvec'] as const;
    const parsed = storages.map(storage => parseConfig({ sources: [{ ...source, storage }] }).sources[0]!);

    expect(parsed.map(({ storage }) => storage)).toEqual([undefined, 'halfvec']);
    expect(parsed[0]).toEqual(parseConfig({ sources: [source] }).sources[0]);
  });

  it.each(['id', ['id'], ['tenant', 'id', 'made_at', 'part']])('takes the key %j', key => {
    expect(parseConfig({ sources: [{ ...source, key }] }).sources[0]?.key).toEqual(key);
  });

  it.each([
    [{ key: [] }, 'sources[0].key: expected the name of a column, or up to 4 of them in an array'],
    [{ key: ['a', 'b', 'c', 'd', 'e'] }, 'sources[0].key: expected the name of a column, or up to 4'],
    [{ key: ['a', 'a'] }, 'sources[0].key: expected each column once'],
    [{ key: 7 }, 'sources[0].key: expected the name of a column, or up to 4 of them in an array'],
    [{ storage: 'half' }, 'sources[0].storage: expected "vector" or "halfvec"'],
    [{ updatedAtUnit: 'hours' }, 'sources[0].updatedAtUnit: expected "seconds", "milliseconds" or'],
  ])('refuses %j of a source', (changes, problem) => {
    expect(problemsOf({ sources: [{ ...source, ...changes }] }).join()).toContain(problem);
  });

  it('names a misspelt key by its path with the nearest valid key, and not also as missing', () => {
    const problems = problemsOf({ sources: [{ ...source, text: { colums: ['title'] } }] });

    expect(problems).toEqual([
      'sources[0].text.colums: is not a known key; did you mean "columns"? (known: columns, template)',
    ]);
  });

  it('lists every problem of a configuration at once', () => {
    const problems = problemsOf({
      sources: [{ ...source, table: 'a.b.c' }],
      limit: {},
      models: { mine: { dimensions: 0 } },
    });

    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).toContain('limit: is not a known key; did you mean "limits"?');
    expect(problems.join('\n')).toContain('sources[0].table: expected "schema.table", "table", or');
  });

  it.each([[0], [16_001], [1.5], ['1536'], [null]])(
    'refuses %j dimensions and says what is possible',
    dimensions => {
      const problems = problemsOf({ sources: [source], models: { openai: { dimensions } } });

      expect(problems).toEqual([
        `models.openai.dimensions: expected a whole number from 1 to 16000, got ${JSON.stringify(dimensions)}`,
      ]);
    },
  );

  it('refuses two sources of one name', () => {
    expect(problemsOf({ sources: [source, source] })).toEqual([
      'sources[1].name: "ai_items" is the name of sources[0] already; each source needs its own',
    ]);
  });

  it('refuses two sources whose functions in SQL would have one name', () => {
    const start = 'n'.repeat(56);
    const named = (name: string) => ({ ...source, name });

    expect(problemsOf({ sources: [named(`${start}one`), named(`${start}two`)] })).toEqual([
      `sources[1].name: begins as the name of sources[0] does: both would have the function "search_${start}"; ` +
        'let the first 56 bytes differ',
    ]);
    expect(problemsOf({ sources: [named(`${start.slice(1)}one`), named(`${start.slice(1)}two`)] })).toEqual(
      [],
    );
  });

  it('names the nearest model for an unknown alias', () => {
    expect(problemsOf({ sources: [{ ...source, model: ['hash', 'opnai'] }] })[0]).toContain(
      'sources[0].model: "opnai" is no model; did you mean "openai"?',
    );
  });

  it('refuses a placeholder that is no text column', () => {
    const text = { columns: ['title'], template: '{titel}!' };

    expect(problemsOf({ sources: [{ ...source, text }] })[0]).toContain('did you mean {title}?');
  });

  it('never repeats a connection string', () => {
    const problems = problemsOf({ sources: [source], database: { url: 'mysql://user:secret@host/db' } });

    expect(problems).toEqual([
      'database.url: expected a URL such as postgres://user@host:5432/database, got another text',
    ]);
  });

  it.each<[string, object]>([
    ['database', { database: 'postgres://user:canary@host/db' }],
    ['service.tokens', { service: { tokens: 'canary' } }],
    [
      'rerankers.shop.key',
      { rerankers: { shop: { dialect: 'tei', url: 'https://r.example', key: 'canary' } } },
    ],
  ])('never repeats a secret that stands in place of the object %s', (place, section) => {
    const [problem] = problemsOf({ sources: [source], ...section });

    expect(problem).toMatch(RegExp(`^${place}: expected `));
    expect(problem).not.toContain('canary');
  });

  it('completes a built-in model with what the configuration changes', () => {
    const config = parseConfig({
      sources: [source],
      models: { ollama: { baseUrl: 'http://gpu.internal:11434/v1' } },
    });

    expect(config.models.ollama).toMatchObject({
      modelId: 'nomic-embed-text',
      dimensions: 768,
      baseUrl: 'http://gpu.internal:11434/v1',
    });
  });

  it('asks provider, name and dimensions of a model that is not built in', () => {
    expect(problemsOf({ sources: [source], models: { mine: { modelId: 'm' } } })).toEqual([
      'models.mine.provider: is missing; a model that is not built in needs provider, modelId and dimensions',
      'models.mine.dimensions: is missing; a model that is not built in needs provider, modelId and dimensions',
    ]);
  });

  it.each([[undefined], [null], [[]], ['text'], [{ sources: [] }], [{ sources: {} }], [{ sources: [1] }]])(
    'refuses %j',
    input => {
      expect(() => parseConfig(input)).toThrow(UsageError);
    },
  );
});

describe('what a model sends beside its texts', () => {
  const problemsOfModel = (model: object) =>
    problemsOf({
      models: { m: { modelId: 'm', dimensions: 8, ...model } },
      sources: [{ ...source, model: 'm' }],
    });

  it('is taken as it stands, the names of headers in lower case', () => {
    const extra = { extraBody: { input_type: 'document' }, queryExtraBody: { input_type: 'query' } };
    const places = { baseUrl: 'http://ollama:11434', allowHttp: true, queryModelId: 'lite' };
    const model = { provider: 'openai', modelId: 'm', dimensions: 8, encodingFormat: 'omit' } as const;
    const config = parseConfig({
      models: { m: { ...model, ...extra, ...places, headers: { 'X-Api-Key': { env: 'ACME_KEY' } } } },
      sources: [{ ...source, model: 'm' }],
    });

    expect(config.models.m).toMatchObject({
      ...{ ...model, ...extra, ...places },
      headers: { 'x-api-key': { env: 'ACME_KEY' } },
    });
  });

  it.each([
    ['openai', 'extraBody', 'encoding_format', 'the key encodingFormat sets it'],
    ['openai', 'extraBody', 'dimensions', 'the key sendDimensions sets it'],
    ['openai', 'extraBody', 'input', 'leave it out'],
    ['openai', 'queryExtraBody', 'model', 'the key queryModelId sets it'],
    ['http', 'extraBody', 'normalize', 'the key normalized sets it'],
    ['ollama', 'queryExtraBody', 'truncate', 'leave it out'],
    ['sagemaker', 'extraBody', 'inputs', 'leave it out'],
  ])('of provider %s has no field in %s that is ours: %s', (provider, key, name, remedy) => {
    const place = { baseUrl: 'https://a.example', endpointName: 'e', revision: '1' };
    const { baseUrl, endpointName, revision } = place;
    const needed = provider === 'sagemaker' ? { endpointName, revision } : { baseUrl };

    expect(problemsOfModel({ provider, ...needed, [key]: { [name]: 1 } })).toEqual([
      `models.m.${key}.${name}: is a field that Freshet sends itself; ${remedy}`,
    ]);
  });

  it.each([
    [{ extraBody: 'canary' }, /^models\.m\.extraBody: expected an object of JSON/],
    [{ extraBody: { a: Number.NaN } }, /^models\.m\.extraBody\.a: expected a value of JSON/],
    [{ extraBody: { a: [() => 1] } }, /^models\.m\.extraBody\.a: expected a value of JSON/],
    [
      { encodingFormat: 'int8' },
      /^models\.m\.encodingFormat: expected "base64", "float" or "omit", got "int8"/,
    ],
    [
      { headers: { authorization: { env: 'A' } } },
      /headers\.authorization: is made of the key in OPENAI_API_KEY/,
    ],
    [{ headers: { Host: { env: 'A' } } }, /headers\.host: is set by each request itself/],
  ])('is refused with its key: %o', (model, expected) => {
    expect(problemsOfModel({ provider: 'openai', ...model })[0]).toMatch(expected);
  });

  it.each([
    { headers: { 'x-api-key': 'canary-secret' } },
    { headers: 'canary-secret' },
    { headers: { 'x-api-key': { env: 'canary-secret' } } },
    { headers: { 'x-api-key': { value: 'canary-secret' } } },
  ])('holds no secret, and a secret that stands there is not repeated: %o', model => {
    const [problem = ''] = problemsOfModel({ provider: 'openai', ...model });

    expect(problem).toMatch(/^models\.m\.headers.*(env|variable)/);
    expect(problem).not.toContain('canary');
  });

  it('means nothing to a provider that does not send it', () => {
    expect(problemsOfModel({ provider: 'hash', extraBody: { a: 1 }, allowHttp: true })).toEqual([
      'models.m.allowHttp: means nothing to provider "hash"; it is for "openai", "http", "ollama"',
      'models.m.extraBody: means nothing to provider "hash"; it is for "openai", "http", "ollama", "sagemaker"',
    ]);
    expect(problemsOfModel({ provider: 'ollama', encodingFormat: 'float' })).toEqual([
      'models.m.encodingFormat: means nothing to provider "ollama"; it is for "openai"',
    ]);
  });
});
