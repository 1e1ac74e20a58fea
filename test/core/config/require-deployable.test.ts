import { describe, expect, test } from 'vitest';
import { type PlannedDeployment, requireDeployable } from '../../../lib/core/config/deployable.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { chooseStage } from '../../../lib/core/config/stages.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import type { ModelDefinition } from '../../../lib/core/model.ts';
import { configInput, openAiSecret } from '../../factories/pipeline-stack.ts';

const deployment: PlannedDeployment = {
  stage: 'prod',
  region: 'eu-west-1',
  providerSecrets: { openai: openAiSecret },
  maxConcurrency: { fresh: 4, bulk: 8, write: 6 },
  scheduledTicks: 3,
  maxConnections: 60,
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
  test('of models that can be reached, opened and indexed is let through', () => {
    expect(refusalOf({ models: ['hash', 'openai'] })).toBe('');
  });

  test('of vectors too wide for a search index is refused, with the size to give', () => {
    const refusal = refusalOf(
      { models: ['text-embedding-3-large'] },
      { providerSecrets: { 'text-embedding-3-large': openAiSecret } },
    );

    expect(refusal).toContain('text-embedding-3-large has 3072 dimensions, and a search index takes 2000');
    expect(refusal).toContain(
      'models["text-embedding-3-large"] a smaller size, such as { dimensions: 1536 }',
    );
  });

  test('without a key is refused, with where to put it', () => {
    expect(refusalOf({ models: ['openai'] }, { providerSecrets: {} })).toMatch(
      /^Stage prod cannot be deployed:\n {2}The model openai needs a key: .* at aws\.stages\.prod\.providerSecrets\.openai\.$/,
    );
  });

  test('without a key is let through where the endpoint is another one, which may ask for none', () => {
    const openai = { baseUrl: 'https://tei.internal/v1' };

    expect(refusalOf({ models: ['openai'], modelSettings: { openai } }, { providerSecrets: {} })).toBe('');
  });

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
    expect(refusalOf({}, { region }, { provider: 'sagemaker', endpointName: 'mine' })).toBe('');
  });

  test('that can hold as many connections as it may is refused, with the sum', () => {
    const most = (3 + 1) * 2 + (4 + 8) + 6 + 1 + 1 + 1;

    expect(refusalOf({}, { maxConnections: most })).toContain(
      `can hold ${most} database connections at once (detect 8 + embed 12 + write 6 + guard 1 + migrate 1 + operate 1; embed has 1 model × (fresh 4 + bulk 8), write 6), and database.maxConnections is ${most}`,
    );
    expect(refusalOf({}, { maxConnections: most + 1 })).toBe('');
    expect(refusalOf({}, { maxConnections: most + 1, scheduledTicks: 4 })).toContain(`can hold ${most + 2} `);
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
