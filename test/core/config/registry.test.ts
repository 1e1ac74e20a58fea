import { describe, expect, it } from 'vitest';
import { findKnownModel, knownModels } from '../../../lib/core/config/known-models.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { problemsOf } from '../../factories/config-problems.ts';

const source = { name: 'items', table: 'items', text: { columns: ['title'] } };

/** Every model of a configuration that gives none. */
const builtInModels = parseConfig({ sources: [{ ...source, model: 'hash' }] }).models;

const parseModel = (alias: string, settings: object, more: object = {}) =>
  parseConfig({ ...more, models: { [alias]: settings }, sources: [{ ...source, model: alias }] }).models[
    alias
  ];
const modelProblems = (alias: string, settings: object) =>
  problemsOf({ models: { [alias]: settings }, sources: [{ ...source, model: alias }] });

describe('the registry', () => {
  it('knows every model of the list by its short and its full name', () => {
    const names = [
      ...['text-embedding-3-small', 'text-embedding-3-large', 'text-embedding-ada-002'],
      ...['all-MiniLM-L6-v2', 'all-MiniLM-L12-v2', 'all-mpnet-base-v2'],
      ...['paraphrase-multilingual-MiniLM-L12-v2', 'bge-m3', 'multilingual-e5-small', 'multilingual-e5-base'],
      ...['multilingual-e5-large', 'nomic-embed-text', 'mxbai-embed-large'],
    ];

    expect(knownModels.map(({ name }) => name)).toEqual(names);
    for (const { name, fullName } of knownModels) expect(findKnownModel(fullName)?.name).toBe(name);
  });

  it.each([
    ['sentence-transformers/all-MiniLM-L6-v2', 'all-MiniLM-L6-v2'],
    ['nomic-embed-text:v1.5', 'nomic-embed-text'],
    ['nomic-embed-text-v1.5', 'nomic-embed-text'],
    ['BAAI/BGE-M3', 'bge-m3'],
    ['nomic-embed-text-v2-moe', undefined],
    ['BAAI/bge-small-en-v1.5', undefined],
  ])('takes %s for %s', (name, known) => {
    expect(findKnownModel(name)?.name).toBe(known);
  });

  it('builds in what needs no place of its own', () => {
    expect(Object.keys(builtInModels).sort()).toEqual([
      'hash',
      'ollama',
      'openai',
      'static',
      'text-embedding-3-large',
      'text-embedding-3-small',
      'text-embedding-ada-002',
    ]);
    expect(builtInModels.ollama).toMatchObject({
      provider: 'ollama',
      modelId: 'nomic-embed-text',
      baseUrl: 'http://127.0.0.1:11434',
      dimensions: 768,
      documentPrefix: 'search_document: ',
      queryPrefix: 'search_query: ',
      sendDimensions: false,
    });
    expect(builtInModels.openai).toMatchObject({ modelId: 'text-embedding-3-small', sendDimensions: true });
  });

  it('puts known weights at the place that the configuration names, under the name that they have there', () => {
    const revision = 'c9745ed1d9f207416be6d2e6f8de32d1f16199bf';
    expect(
      parseModel('all-MiniLM-L6-v2', { provider: 'sagemaker', endpointName: 'minilm', revision }),
    ).toMatchObject({
      modelId: 'sentence-transformers/all-MiniLM-L6-v2',
      dimensions: 384,
      maxTokensPerText: 256,
      revision,
      endpointName: 'minilm',
    });
    expect(parseModel('all-MiniLM-L6-v2', { provider: 'ollama' })).toMatchObject({
      modelId: 'all-minilm',
      baseUrl: 'http://127.0.0.1:11434',
      revision: 'latest',
    });
    expect(
      parseModel('e5', {
        provider: 'http',
        modelId: 'intfloat/multilingual-e5-base',
        baseUrl: 'https://models.internal',
        sendTextHashes: true,
      }),
    ).toMatchObject({ dimensions: 768, documentPrefix: 'passage: ', queryPrefix: 'query: ' });
  });

  it('pins the commit of weights from the hub where a server of ours loads them, and promises none elsewhere', () => {
    const hosted = knownModels.filter(({ provider }) => provider === undefined);
    const baseUrl = 'https://models.internal';
    const revisionsAt = (place: Parameters<typeof parseModel>[1]) =>
      hosted.map(({ name }) => parseModel(name, place)?.revision);

    expect(hosted).toHaveLength(10);
    for (const { revision } of hosted) expect(revision).toMatch(/^[0-9a-f]{40}$/);
    expect(new Set(hosted.map(({ revision }) => revision)).size).toBe(10);
    const pinned = hosted.map(({ revision }) => revision);
    expect(revisionsAt({ provider: 'http', baseUrl })).toEqual(pinned);
    expect(revisionsAt({ provider: 'openai', baseUrl })).toEqual(pinned);
    expect(revisionsAt({ provider: 'http', baseUrl, revision: 'mine' })).toEqual(Array(10).fill('mine'));
    expect(revisionsAt({ provider: 'ollama' })).toEqual(Array(10).fill('latest'));
    expect(builtInModels.openai?.revision).toBe('latest');
  });

  it('checks the length of vectors only where the server is asked for it or the weights give it', () => {
    const name = 'paraphrase-multilingual-MiniLM-L12-v2';
    const baseUrl = 'http://127.0.0.1:9';
    expect(parseModel(name, { provider: 'http', baseUrl })).toMatchObject({ normalized: true });
    expect(parseModel(name, { provider: 'openai', baseUrl })).toMatchObject({ normalized: false });
  });

  it('serves every model without a provider at the common place', () => {
    const config = parseConfig({
      place: { provider: 'http', baseUrl: 'https://models.internal' },
      registry: 'fast:acme/fast-1:v3:256:512',
      sources: [{ ...source, model: ['bge-m3', 'fast', 'openai'] }],
    });

    expect(config.models['bge-m3']).toMatchObject({ provider: 'http', baseUrl: 'https://models.internal' });
    expect(config.models.fast).toMatchObject({ provider: 'http', modelId: 'acme/fast-1', revision: 'v3' });
    expect(config.models.openai).toMatchObject({ provider: 'openai' });
    expect(config.models.openai).not.toHaveProperty('baseUrl');
  });

  it('asks where weights are served that need a place', () => {
    expect(problemsOf({ sources: [{ ...source, model: 'bge-m3' }] })).toEqual([
      expect.stringMatching(
        /^models\["bge-m3"\]\.provider: is missing: where is bge-m3 served\? For example/,
      ),
    ]);
  });

  it('does not keep the facts of a built-in alias for another model', () => {
    expect(modelProblems('ollama', { modelId: 'acme-embed' })).toEqual([
      'models.ollama.dimensions: is missing; a model that is not built in needs provider, modelId and dimensions',
    ]);
    expect(parseModel('openai', { modelId: 'text-embedding-3-large' })).toMatchObject({
      dimensions: 3072,
      usdPerMillionTokens: 0.13,
    });
  });

  it.each([
    ['bge-m3', { provider: 'sagemaker', revision: 'a' }, 'endpointName: is missing; provider "sagemaker"'],
    ['bge-m3', { provider: 'sagemaker', endpointName: 'a' }, 'revision: is missing; an endpoint can'],
    [
      'bge-m3',
      { provider: 'sagemaker', endpointName: 'a', revision: 'latest' },
      'revision: is "latest", which moves; an endpoint can be given other weights under the same name: pin the commit of the model that it serves, as 5617a9f61b028005a4858fdac845db406aefb181',
    ],
    [
      'bge-m3',
      { provider: 'sagemaker', endpointName: 'a', revision: 'Main' },
      'revision: is "Main", which moves',
    ],
    ['bge-m3', { provider: 'http' }, 'baseUrl: is missing; provider "http" needs it'],
    ['bge-m3', { provider: 'ollama', endpointName: 'a' }, 'endpointName: means nothing to provider "ollama"'],
    ['openai', { inferenceComponentName: 'a' }, 'inferenceComponentName: means nothing to provider "openai"'],
    [
      'openai',
      { sendTextHashes: true },
      'sendTextHashes: means nothing to provider "openai"; it is for "http"',
    ],
    [
      'bge-m3',
      { provider: 'ollama', dimensions: 2048 },
      'dimensions: expected at most 1024, all that bge-m3',
    ],
    ['bge-m3', { provider: 'ollama', dimensions: 512 }, 'dimensions: expected 1024, which bge-m3 gives'],
    ['ollama', { dimensions: 32 }, 'dimensions: expected 64 to 768, which nomic-embed-text gives, got 32'],
    ['openai', { dimensions: 256, sendDimensions: false }, 'sendDimensions: must be true for 256 dimensions'],
    ['text-embedding-ada-002', { sendDimensions: true }, 'sendDimensions: is not possible: the vectors of'],
    [
      'hash',
      { sendDimensions: true },
      'sendDimensions: is not possible: provider "hash" takes no dimensions',
    ],
    [
      'openai',
      { provider: 'bedrock' },
      'provider: expected "openai", "http", "ollama", "sagemaker", "static", "local" or "hash"',
    ],
    ['openai', { maxRetries: 11 }, 'maxRetries: expected a whole number from 0 to 10, got 11'],
    ['openai', { limits: { maxTextsPerCall: 0 } }, 'limits.maxTextsPerCall: expected a whole number from 1'],
  ])('refuses %s with %j', (alias, settings, problem) => {
    expect(modelProblems(alias, settings)).toEqual([
      expect.stringMatching(new RegExp(`^models(\\.${alias}|\\["${alias}"\\])\\.${escapePattern(problem)}`)),
    ]);
  });

  it('asks for shorter vectors where the weights were trained for it', () => {
    expect(parseModel('ollama', { dimensions: 256 })).toMatchObject({
      dimensions: 256,
      sendDimensions: true,
    });
    expect(
      modelProblems('nomic-embed-text', { provider: 'http', baseUrl: 'http://127.0.0.1', dimensions: 256 }),
    ).toEqual([
      'models["nomic-embed-text"].dimensions: expected 768: provider "http" cannot ask for fewer, got 256',
    ]);
  });
});

describe('a model list', () => {
  const place = { provider: 'ollama' };

  it.each([
    ['fast:all-minilm:main:384:256, deep:bge-m3::1024:8192'],
    [['fast:all-minilm:main:384:256', 'deep:bge-m3::1024:8192']],
  ])('is read from %j', registry => {
    const { models } = parseConfig({ place, registry, sources: [{ ...source, model: ['fast', 'deep'] }] });

    expect(models.fast).toMatchObject({
      alias: 'fast',
      modelId: 'all-minilm',
      revision: 'main',
      dimensions: 384,
    });
    expect(models.deep).toMatchObject({ revision: 'latest', dimensions: 1024, maxTokensPerText: 8192 });
  });

  it('may have a tag in the name of a model, and settings of its own under models', () => {
    const { models } = parseConfig({
      registry: ['tagged:nomic-embed-text:v1.5:latest:768:2048'],
      models: { tagged: { provider: 'ollama', baseUrl: 'http://127.0.0.1:9' } },
      sources: [{ ...source, model: 'tagged' }],
    });

    expect(models.tagged).toMatchObject({
      modelId: 'nomic-embed-text:v1.5',
      maxTokensPerText: 2048,
      baseUrl: 'http://127.0.0.1:9',
      documentPrefix: 'search_document: ',
    });
  });

  it('names the entry and the field of each problem', () => {
    const registry = ['a:b:c:384:256', 'short:one', 'x:m:r:many:0', ':m:r:1:1', 'a:b:c:384:256'];

    expect(problemsOf({ place, registry, sources: [{ ...source, model: 'a' }] })).toEqual([
      'registry[1]: "short:one": expected five fields, alias:model_id:rev:dim:max_seq, got 2',
      'registry[2]: "x:m:r:many:0": dim: expected a whole number from 1 to 16000, got "many"',
      'registry[2]: "x:m:r:many:0": max_seq: expected a whole number from 1 to 1000000, got "0"',
      'registry[3]: ":m:r:1:1": alias: is empty',
      'registry[4]: "a:b:c:384:256": alias: "a" is there already',
    ]);
  });
});

describe('profiles, fallbacks and outages', () => {
  const profiles = { rt: 'hash', bulk: ['openai', 'hash'] };

  it('give a source the models of its profile', () => {
    const config = parseConfig({
      profiles,
      sources: [
        { ...source, name: 'chat', profile: 'rt' },
        { ...source, name: 'wiki', profile: 'bulk' },
      ],
    });

    expect(config.sources.map(({ models }) => models)).toEqual([['hash'], ['openai', 'hash']]);
  });

  it.each([
    [{ profile: 'blk' }, 'sources[0].profile: "blk" is no profile; did you mean "bulk"? (known: rt, bulk)'],
    [{ profile: 'rt', model: 'hash' }, 'sources[0].profile: stands beside model; give one of the two'],
    [
      { model: 'hash', fallback: 'hash' },
      'sources[0].fallback: "hash" is a model of the source already; expected another one',
    ],
    [
      { model: 'hash', onOutage: 'drop' },
      'sources[0].onOutage: expected "stop" or "dead-letter", got "drop"',
    ],
    [
      {},
      'sources[0].model: expected the alias of a model, or several of them in an array, but it is missing',
    ],
  ])('refuse %j', (changes, problem) => {
    expect(problemsOf({ profiles, sources: [{ ...source, ...changes }] })).toEqual([problem]);
  });

  it('refuse a profile or a fallback whose model does not exist', () => {
    const problems = problemsOf({
      profiles: { rt: 'hsh' },
      sources: [{ ...source, profile: 'rt', fallback: 'opnai' }],
    });

    expect(problems[0]).toContain('profiles.rt: "hsh" is no model; did you mean "hash"?');
    expect(problems[1]).toContain('sources[0].fallback: "opnai" is no model; did you mean "openai"?');
  });

  it('stop in an outage unless the source, or else the limits, say otherwise', () => {
    const sources = [
      { ...source, name: 'a', model: 'hash' },
      { ...source, name: 'b', model: 'hash', onOutage: 'stop' as const },
    ];
    const outages = (config: object) =>
      parseConfig({ sources, ...config }).sources.map(({ onOutage }) => onOutage);

    expect(outages({})).toEqual([undefined, undefined]);
    expect(outages({ limits: { onOutage: 'dead-letter' } })).toEqual(['dead-letter', undefined]);
  });
});

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
