import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline } from '../../lib/constructs/embedding-pipeline.ts';
import { ExampleDatabaseStack } from '../../lib/constructs/example-stack.ts';
import { FUNCTION_NAMES } from '../../lib/constructs/function-settings.ts';
import { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import { DEFAULT_STAGE_SETTINGS } from '../../lib/core/config/aws-schema.ts';
import {
  DEFAULT_MAX_CONNECTIONS,
  type FunctionName,
  LAMBDA_CONNECTIONS,
  SAMPLE_CONNECTIONS,
} from '../../lib/core/config/deployment-settings.ts';
import { configInput, createApp, createStack, noAssets, stageInput } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const app = createApp();
const config = configInput();
const example = new ExampleDatabaseStack(app, 'example', { config, stageName: 'try', assets: noAssets });
const stack = new PipelineStack(app, 'pipeline', {
  config,
  stageName: 'try',
  stage: DEFAULT_STAGE_SETTINGS,
  dependencies: example,
  assets: noAssets,
});
const templates = [Template.fromStack(example), Template.fromStack(stack)];

interface FunctionProperties {
  readonly Description?: string;
  readonly VpcConfig?: unknown;
}

/** Of every function that stands where the database can be reached, its name and its logical id. */
const inTheNetwork = templates.flatMap(template =>
  resourcesOf<FunctionProperties>(template, 'AWS::Lambda::Function')
    .filter(({ properties }) => properties.VpcConfig !== undefined)
    .map(({ id, properties }) => ({ id, name: /^Freshet (\w+):/.exec(properties.Description ?? '')?.[1] })),
);
const aliases = resourcesOf<{ FunctionName: { Ref: string } }>(templates[1]!, 'AWS::Lambda::Alias');
/** The function whose alias takes the events of such a target. */
const functionOf = (target: unknown) =>
  aliases.find(({ id }) => JSON.stringify(target).includes(`"${id}"`))?.properties.FunctionName.Ref;
const idOf = (name: FunctionName) => inTheNetwork.find(found => found.name === name)?.id;

test('every function that can reach the database is counted with the connections that it holds', () => {
  expect(inTheNetwork.map(({ name }) => name).sort()).toEqual(
    [...Object.keys(LAMBDA_CONNECTIONS), 'sample'].sort(),
  );
  expect([...FUNCTION_NAMES].sort()).toEqual(Object.keys(LAMBDA_CONNECTIONS).sort());
});

test('what the template starts at once stays below the limit that synthesis judges by, whoever starts it', () => {
  const pipeline = templates[1]!;
  const embedAndWrite = resourcesOf<{
    FunctionName: unknown;
    ScalingConfig: { MaximumConcurrency: number };
  }>(pipeline, 'AWS::Lambda::EventSourceMapping').map(({ properties }) => properties);
  const scheduled = resourcesOf<{ Target: { Arn: unknown } }>(pipeline, 'AWS::Scheduler::Schedule').map(
    ({ properties }) => functionOf(properties.Target.Arn),
  );
  const environments: Record<FunctionName, number> = {
    detect: scheduled.filter(id => id === idOf('detect')).length + 1,
    embed: 0,
    write: 0,
    guard: scheduled.filter(id => id === idOf('guard')).length,
    migrate: 1,
    operate: 1,
  };
  for (const name of ['embed', 'write'] as const)
    environments[name] = embedAndWrite
      .filter(({ FunctionName }) => functionOf(FunctionName) === idOf(name))
      .reduce((sum, { ScalingConfig }) => sum + ScalingConfig.MaximumConcurrency, 0);

  // The version before a deployment holds its own for a while; its migration is over.
  const connections = (Object.keys(environments) as FunctionName[]).reduce(
    (sum, name) => sum + environments[name] * LAMBDA_CONNECTIONS[name] * (name === 'migrate' ? 1 : 2),
    0,
  );

  expect(environments).toEqual({ detect: 4, embed: 12, write: 6, guard: 1, migrate: 1, operate: 1 });
  expect(example.database.maxConnections).toBe(DEFAULT_MAX_CONNECTIONS - SAMPLE_CONNECTIONS);
  const limited = (maxConnections: number) => () =>
    new EmbeddingPipeline(stack, `limited-to-${maxConnections}`, {
      config,
      stage: `limited-${maxConnections}`,
      vpc: example.vpc,
      database: { ...example.database, maxConnections },
      assets: noAssets,
    });
  expect(limited(connections)).toThrow(`can hold ${connections} database connections at once`);
  expect(limited(connections - 1)).toThrow(`set database.maxConnections to ${connections + 1} or more`);
  expect(limited(connections + 1)).not.toThrow();
});

test('ticks that come faster than they end are counted as often as they overlap', () => {
  const often = () =>
    new EmbeddingPipeline(stack, 'often', {
      config,
      stage: 'often',
      vpc: example.vpc,
      database: { ...example.database, maxConnections: 10 },
      schedules: { incremental: 'rate(1 minute)' },
      assets: noAssets,
    });

  expect(often).toThrow('detect 32 + embed 24 + write 12 + guard 2 + migrate 1 + operate 2');
});

describe('twelve models', () => {
  const aliases = Array.from({ length: 12 }, (_, index) => `sentence-transformer-${index}`);
  const secretOf = (alias: string) =>
    `arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/${alias}-AbCdEf`;
  const twelve = (maxConcurrency: object, maxConnections: number) => () =>
    createStack(
      configInput({
        models: aliases,
        modelSettings: Object.fromEntries(
          aliases.map(alias => [alias, { provider: 'openai' as const, modelId: alias, dimensions: 384 }]),
        ),
        stage: {
          database: { ...stageInput.database, maxConnections },
          providerSecrets: Object.fromEntries(aliases.map(alias => [alias, secretOf(alias)])),
          maxConcurrency,
        },
      }),
    );

  test('fit into one stage at 2 and 2, with the connections that synth says', () => {
    expect(twelve({ fresh: 2, bulk: 2 }, 60)).toThrow('set database.maxConnections to 130 or more');
    expect(twelve({ fresh: 2, bulk: 2 }, 129)).toThrow('set database.maxConnections to 130 or more');

    const template = Template.fromStack(twelve({ fresh: 2, bulk: 2 }, 130)());

    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 25);
    expect(Object.keys(template.toJSON().Resources).length).toBeLessThan(500);
    expect(Object.keys(template.toJSON().Outputs).length).toBeLessThan(200);
  });

  test('share one bound on embed, and no mapping has less than Lambda takes', () => {
    expect(twelve({ embed: 47 }, 1000)).toThrow('12 models take 48 at least');

    const bounds = resourcesOf<{ ScalingConfig: { MaximumConcurrency: number } }>(
      Template.fromStack(twelve({ embed: 75, write: 3 }, 1000)()),
      'AWS::Lambda::EventSourceMapping',
    ).map(({ properties }) => properties.ScalingConfig.MaximumConcurrency);

    expect(bounds.filter(bound => bound === 2)).toHaveLength(12);
    expect(bounds.filter(bound => bound === 4)).toHaveLength(12);
    expect(bounds.filter(bound => bound === 3)).toHaveLength(1);
  });
});

test('a bound on embed stands alone, and not beside those of each model', () => {
  const maxConcurrency = { embed: 12, fresh: 4 };

  expect(() => createStack(configInput({ stage: { maxConcurrency } }))).toThrow(
    'embed bounds the queues of all models together',
  );
});
