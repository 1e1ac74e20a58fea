import { describe, expect, test } from 'vitest';
import type { FreshetConfig } from '../../../lib/core/config/config-schema.ts';
import { fillFromEnvironment } from '../../../lib/core/config/environment-table.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { UsageError } from '../../../lib/core/errors.ts';

const source = { name: 'articles', table: 'articles', text: { columns: ['title'] } };
const withModel = (changes: object = {}): FreshetConfig => ({
  sources: [{ ...source, model: 'hash' }],
  ...changes,
});
const withoutModel: FreshetConfig = { sources: [source] };

const fill = (config: FreshetConfig, variables: Record<string, string>) =>
  parseConfig(fillFromEnvironment(config, variables));

describe('a variable fills what the configuration leaves out', () => {
  test('EMBED_PROVIDER and MIS_URL: where models are served', () => {
    const variables = { EMBED_PROVIDER: 'openai', MIS_URL: 'https://models.internal/v1' };

    const { models } = fill({ sources: [{ ...source, model: 'bge-m3' }] }, variables);

    expect(models['bge-m3']).toMatchObject({ provider: 'openai', baseUrl: 'https://models.internal/v1' });
  });

  test('MIS_URL alone: a service that speaks POST /v1/embed', () => {
    const { models } = fill(
      { sources: [{ ...source, model: 'bge-m3' }] },
      { MIS_URL: 'https://models.internal' },
    );

    expect(models['bge-m3']).toMatchObject({ provider: 'http', baseUrl: 'https://models.internal' });
  });

  test('EMBED_MODEL: the model of sources that name none', () => {
    expect(fill(withoutModel, { EMBED_MODEL: 'hash' }).sources[0]?.models).toEqual(['hash']);
  });

  test('EMB_MODELS and EMB_DEFAULT_RT_MODELS: the registry and a profile', () => {
    const variables = {
      EMBED_PROVIDER: 'http',
      MIS_URL: 'https://models.internal',
      EMB_MODELS: 'fast:acme/fast:main:384:256, big:acme/big:main:1024:512',
      EMB_DEFAULT_RT_MODELS: 'fast',
      EMB_DEFAULT_BULK_MODELS: 'fast, big',
    };
    const sources = [
      { ...source, profile: 'rt' },
      { ...source, name: 'archive', profile: 'bulk' },
    ];

    const config = fill({ sources }, variables);

    expect(config.sources.map(({ models }) => models)).toEqual([['fast'], ['fast', 'big']]);
    expect(config.models.big).toMatchObject({ modelId: 'acme/big', dimensions: 1024, maxTokensPerText: 512 });
  });

  test('EMBED_BATCH_SIZE and EMBED_TIMEOUT_SEC: limits', () => {
    const { limits } = fill(withModel(), { EMBED_BATCH_SIZE: '7', EMBED_TIMEOUT_SEC: '8' });

    expect(limits).toMatchObject({ batchSize: 7, timeoutSeconds: 8 });
  });

  test('EMBED_MAX_RETRY: the tries of each model', () => {
    const { models } = fill(withModel(), { EMBED_MAX_RETRY: '0' });

    expect(models.hash?.maxRetries).toBe(0);
  });

  test.each([
    ['1', { fallback: 'static' }],
    ['0', { onOutage: 'dead-letter' }],
  ])('EMBED_FALLBACK_TO_TOY=%s: what an outage does', (value, expected) => {
    const sources = [{ ...source, model: 'text-embedding-3-small' }];

    expect(fill({ sources }, { EMBED_FALLBACK_TO_TOY: value }).sources[0]).toMatchObject(expected);
  });

  test('and none changes anything where it is empty', () => {
    const config = withModel();

    expect(fillFromEnvironment(config, { EMBED_MODEL: ' ', EMBED_BATCH_SIZE: '' })).toBe(config);
  });
});

describe('a variable is an error that names it', () => {
  test.each([
    ['EMBED_PROVIDER', 'opnai', /expected one of .*Did you mean openai/],
    ['MIS_URL', 'canary:secret@host', /expected an http or https URL/],
    ['EMB_MODELS', ',', /expected entries alias:model_id:rev:dim:max_seq/],
    ['EMB_DEFAULT_RT_MODELS', ';', /expected aliases/],
    ['EMB_DEFAULT_BULK_MODELS', ',', /expected aliases/],
    ['EMBED_MODEL', 'two words', /expected the alias/],
    ['EMBED_BATCH_SIZE', '0', /expected a whole number from 1 to 2048/],
    ['EMBED_TIMEOUT_SEC', '1.5', /expected a whole number from 1 to 600/],
    ['EMBED_MAX_RETRY', '11', /expected a whole number from 0 to 10/],
    ['EMBED_FALLBACK_TO_TOY', 'yes', /expected 0 or 1/],
  ])('where its value is wrong: %s=%s', (name, value, expected) => {
    const filling = () => fillFromEnvironment(withModel(), { [name]: value });

    expect(filling).toThrow(UsageError);
    expect(filling).toThrow(new RegExp(`The variable ${name} `));
    expect(filling).toThrow(expected);
    expect(filling).not.toThrow(/canary/);
  });

  test.each<[string, string, object]>([
    ['EMBED_PROVIDER', 'http', { place: { provider: 'openai' } }],
    ['MIS_URL', 'https://a.example', { place: { provider: 'http', baseUrl: 'https://b.example' } }],
    ['EMB_MODELS', 'a:b:c:1:2', { registry: 'a:b:c:1:3' }],
    ['EMB_DEFAULT_RT_MODELS', 'static', { profiles: { rt: 'hash' } }],
    ['EMB_DEFAULT_BULK_MODELS', 'static', { profiles: { bulk: ['hash'] } }],
    ['EMBED_MODEL', 'static', {}],
    ['EMBED_BATCH_SIZE', '7', { limits: { batchSize: 8 } }],
    ['EMBED_TIMEOUT_SEC', '7', { limits: { timeoutSeconds: 8 } }],
    ['EMBED_MAX_RETRY', '1', { models: { hash: { maxRetries: 2 } } }],
    ['EMBED_FALLBACK_TO_TOY', '1', { limits: { onOutage: 'dead-letter' } }],
    ['EMBED_FALLBACK_TO_TOY', '0', { limits: { onOutage: 'stop' } }],
  ])('where the configuration says something else: %s=%s', (name, value, changes) => {
    expect(() => fillFromEnvironment(withModel(changes), { [name]: value })).toThrow(
      new RegExp(`The variable ${name} contradicts`),
    );
  });

  test('and no error where both say the same', () => {
    const config = withModel({ limits: { batchSize: 7 }, profiles: { rt: ['hash'] } });

    expect(
      fill(config, { EMBED_MODEL: 'hash', EMBED_BATCH_SIZE: '7', EMB_DEFAULT_RT_MODELS: 'hash' }),
    ).toEqual(parseConfig(config));
  });

  test.each([undefined, null, 5, {}, { sources: 5 }, { sources: [null] }])(
    'and is left to parseConfig where there is no configuration: %o',
    config => {
      expect(fillFromEnvironment(config, { EMBED_MODEL: 'hash' })).toBe(config);
    },
  );
});
