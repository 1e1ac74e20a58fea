import { describe, expect, test } from 'vitest';
import { describeSecrets } from '../../../lib/constructs/secrets.ts';
import { type PlannedDeployment, requireDeployable } from '../../../lib/core/config/deployable.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { chooseStage } from '../../../lib/core/config/stages.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import type { ModelDefinition } from '../../../lib/core/model.ts';
import { configInput, demoSecret, openAiSecret } from '../../factories/pipeline-stack.ts';

const deployment: PlannedDeployment = {
  stage: 'prod',
  place: ['aws', 'stages', 'prod'],
  region: 'eu-west-1',
  providerSecrets: { openai: openAiSecret },
  maxConcurrency: { fresh: 4, bulk: 8, write: 6 },
  otherSecrets: [[['database', 'secretArn'], demoSecret]],
  secretKeys: [],
  tickSeconds: 300,
  scheduledTicks: 3,
  maxConnections: 200,
  schedules: { incremental: 'rate(5 minutes)', sources: {}, modes: { sources: {} } },
  sloMinutes: 15,
};

type Options = Parameters<typeof configInput>[0];

function refusalOf(
  options: Options,
  changes: Partial<PlannedDeployment> = {},
  model?: Partial<ModelDefinition>,
): string {
  const config = parseConfig(configInput(options));
  const [alias] = config.sources[0]!.models;
  const models = { ...config.models, [alias!]: { ...config.models[alias!]!, ...model } };
  try {
    requireDeployable({ ...config, models }, { ...deployment, ...changes });
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return '';
}

describe('a deployment', () => {
  test('that looks less often than it promises is refused, by both keys', () => {
    const refusal = refusalOf(
      {},
      { schedules: { ...deployment.schedules, incremental: 'rate(1 hour)' }, sloMinutes: 5 },
    );
    expect(refusal).toContain('aws.stages.prod.schedules.incremental looks for edits every 60 minutes');
    expect(refusal).toContain('sloMinutes promises their vectors within 5');
  });

  test('of models that can be reached, opened and indexed is let through', () => {
    expect(refusalOf({ models: ['hash', 'openai'] })).toBe('');
  });

  test('of a model that runs on the machine itself is refused, with the providers to give', () => {
    const refusal = refusalOf({ models: ['hash'] }, {}, { provider: 'local' });

    expect(refusal).toContain('The model hash runs on the machine itself (provider "local")');
    expect(refusal).toContain('give models.hash provider "http" with its baseUrl, or "sagemaker"');
  });

  test('of vectors too wide for a search index is refused, with the size to give', () => {
    const refusal = refusalOf(
      { models: ['text-embedding-3-large'] },
      { providerSecrets: { 'text-embedding-3-large': openAiSecret } },
    );

    expect(refusal).toContain('text-embedding-3-large has 3072 dimensions, and a search index takes 2000');
    expect(refusal).toContain('set sources[0].storage to "halfvec", whose index takes 4000, or give');
    expect(refusal).toContain(
      'models["text-embedding-3-large"] a smaller size, such as { dimensions: 1536 }',
    );
  });

  test('of half floats is refused only where their index takes no more', () => {
    const config = parseConfig(configInput({ models: ['text-embedding-3-large'] }));
    const sources = config.sources.map(source => ({ ...source, storage: 'halfvec' as const }));
    const half = { ...config, sources };
    const planned = { ...deployment, providerSecrets: { 'text-embedding-3-large': openAiSecret } };
    const model = { ...config.models['text-embedding-3-large']!, dimensions: 4001 };

    requireDeployable(half, planned);
    expect(() =>
      requireDeployable({ ...half, models: { 'text-embedding-3-large': model } }, planned),
    ).toThrow('has 4001 dimensions, and a search index takes 4000: give models');
  });

  test('with a secret of another region is refused, whichever secret it is', () => {
    const abroad = demoSecret.replace('eu-west-1', 'us-east-1');
    const options = { models: ['openai'] };

    expect(refusalOf(options, { providerSecrets: { openai: abroad } })).toContain(
      'The secret at aws.stages.prod.providerSecrets.openai is in us-east-1, and the functions in eu-west-1',
    );
    for (const place of ['database.secretArn', 'alarms.webhook.secretArn'])
      expect(refusalOf(options, { otherSecrets: [[place.split('.'), abroad]] })).toContain(
        `The secret at aws.stages.prod.${place} is in us-east-1`,
      );
    expect(refusalOf(options, { providerSecrets: { openai: openAiSecret, 'gpt-4.1': abroad } })).toContain(
      'The secret at aws.stages.prod.providerSecrets["gpt-4.1"] is in us-east-1',
    );
    expect(refusalOf(options, { region: undefined, providerSecrets: { openai: abroad } })).toBe('');
  });

  test('with the key of a secret in another region is refused', () => {
    const keyIn = (region: string) => ({ secretKeyArn: `arn:aws:kms:${region}:111122223333:key/0123` });
    const refusalOfKeys = (region: string) => {
      const openai = { secretArn: openAiSecret, ...keyIn(region) };
      const providerSecrets = { openai, 'gpt-4.1': openai };
      const { secretKeys } = describeSecrets({ database: {}, providerSecrets });
      return refusalOf({ models: ['openai'] }, { secretKeys });
    };

    for (const place of ['.openai', '["gpt-4.1"]'])
      expect(refusalOfKeys('us-east-1')).toContain(
        `The key at aws.stages.prod.providerSecrets${place}.secretKeyArn is in us-east-1, and no secret in ` +
          'eu-west-1 can be under it',
      );
    expect(refusalOfKeys('eu-west-1')).toBe('');
  });

  test('of two models whose names have the same letters and digits is refused, with both', () => {
    const modelSettings = {
      'a-b': { provider: 'hash' as const, modelId: 'one', dimensions: 8 },
      ab: { provider: 'hash' as const, modelId: 'two', dimensions: 8 },
    };

    expect(refusalOf({ models: ['a-b', 'ab'], modelSettings })).toContain(
      'The models a-b and ab have the same letters and digits',
    );
  });

  test.each([
    [172_800, true],
    [201_600, true],
    [259_200, false],
  ])(
    'that looks every %i s is let through where CloudWatch can evaluate its alarms: %s',
    (tickSeconds, may) => {
      const refusal = refusalOf({}, { tickSeconds });

      expect(refusal === '').toBe(may);
      if (!may) expect(refusal).toContain('schedules.incremental looks every 259200 s');
    },
  );

  test('without a key is refused, with where to put it', () => {
    expect(refusalOf({ models: ['openai'] }, { providerSecrets: {} })).toMatch(
      /^Stage prod cannot be deployed:\n {2}The model openai needs a key: .* at aws\.stages\.prod\.providerSecrets\.openai\.$/,
    );
  });

  test('with headers from the environment is refused without a secret, with where it goes', () => {
    const headers = { 'x-api-key': { env: 'ACME_KEY' } };
    const refusal = refusalOf({ models: ['openai'] }, { providerSecrets: {} }, { headers });

    expect(refusal).toMatch(/openai sends headers from the environment \(x-api-key\)/);
    expect(refusal).toContain('a JSON object with a text for each of ACME_KEY');
    expect(refusal).toContain('aws.stages.prod.providerSecrets.openai');
    expect(refusalOf({ models: ['openai'] }, {}, { headers })).toBe('');
  });

  test('with an API is refused with a reranker that reads its key from a variable, and with no other', () => {
    const reranker = { dialect: 'tei' as const, url: 'https://tei.internal/rerank' };
    const api = { environments: 2, claims: undefined };
    const refuse = (changes: Partial<PlannedDeployment>, key?: { readonly env: string }) => {
      const rerankers = { near: { ...reranker, ...(key && { key }) } };
      const config = parseConfig({ ...configInput({}), rerankers });
      const deployed = { ...deployment, ...changes };
      return () => requireDeployable(config, deployed);
    };

    expect(refuse({ api }, { env: 'RERANK_KEY' })).toThrow('rerankers.near.key is read from a variable');
    expect(refuse({ api })).not.toThrow();
    expect(refuse({}, { env: 'RERANK_KEY' })).not.toThrow();
  });

  test('without a key is let through where the endpoint is another one, which may ask for none', () => {
    const openai = { baseUrl: 'https://tei.internal/v1' };

    expect(refusalOf({ models: ['openai'], modelSettings: { openai } }, { providerSecrets: {} })).toBe('');
  });

  test.each(['http://[::1]:8080/v1', 'http://127.9.9.9/v1', 'http://tei.localhost./v1', 'http://0x7f.1/v1'])(
    'of a model at %s, which is the machine itself, is refused',
    baseUrl => {
      expect(refusalOf({ models: ['openai'] }, {}, { baseUrl })).toContain('served on the machine itself');
    },
  );

  test('of a model on the machine itself is refused', () => {
    expect(refusalOf({ models: ['ollama'] })).toContain('served on the machine itself (127.0.0.1)');
  });

  test.each([
    ['mx-central-1', 'is not known in mx-central-1: choose one of us-east-1, us-east-2'],
    [undefined, 'name it at aws.stages.prod.region'],
  ])('of a GPU endpoint in region %s is refused', (region, sentence) => {
    const refusal = refusalOf({}, { region }, { provider: 'sagemaker' });

    expect(refusal).toContain(sentence);
    expect(refusalOf({}, {}, { provider: 'sagemaker' })).toContain('models.hash.endpointName');
    expect(
      refusalOf(
        {},
        { region, providerSecrets: {}, otherSecrets: [] },
        { provider: 'sagemaker', endpointName: 'mine' },
      ),
    ).toBe('');
  });

  test('that can hold as many connections as it may is refused, with the sum', () => {
    const most = 2 * ((3 + 1) * 2 + (4 + 8) + 6 + 1 + 1) + 1;

    expect(refusalOf({}, { maxConnections: most })).toContain(
      '(detect 16 + embed 24 + write 12 + guard 2 + migrate 1 + operate 2; embed has 1 model × (fresh 4 + bulk 8)',
    );
    expect(refusalOf({}, { maxConnections: most })).toContain(
      `can hold ${most} database connections at once, those of the version before`,
    );
    expect(refusalOf({}, { maxConnections: most + 1 })).toBe('');
    expect(refusalOf({}, { maxConnections: most + 1, scheduledTicks: 4 })).toContain(`can hold ${most + 4} `);
  });

  test('is refused with every problem at once', () => {
    const refusal = refusalOf({ models: ['openai', 'ollama'] }, { providerSecrets: {}, maxConnections: 10 });

    expect(refusal.split('\n')).toHaveLength(4);
  });
});

describe('a stage', () => {
  const config = parseConfig(configInput());

  test('is chosen by its name', () => {
    expect(chooseStage(config, 'test').database.host).toBe('db.example.com');
  });

  test('that is not there is refused with the nearest', () => {
    expect(() => chooseStage(config, 'tset')).toThrow(
      '"tset" is no stage of the configuration (known: test). Did you mean -c stage=test?',
    );
    expect(() => chooseStage(config, 'constructor')).toThrow(UsageError);
  });

  test('is asked for where the configuration says nothing of AWS', () => {
    expect(() => chooseStage({ ...config, aws: undefined }, 'dev')).toThrow('it has no section aws');
  });
});
