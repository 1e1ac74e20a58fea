import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
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
import { configInput, createApp, noAssets } from '../factories/pipeline-stack.ts';
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
    FunctionName: { Ref: string };
    ScalingConfig: { MaximumConcurrency: number };
  }>(pipeline, 'AWS::Lambda::EventSourceMapping').map(({ properties }) => properties);
  const scheduled = resourcesOf<{ Target: { Arn: { 'Fn::GetAtt': [string, string] } } }>(
    pipeline,
    'AWS::Scheduler::Schedule',
  ).map(({ properties }) => properties.Target.Arn['Fn::GetAtt'][0]);
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
      .filter(({ FunctionName }) => FunctionName.Ref === idOf(name))
      .reduce((sum, { ScalingConfig }) => sum + ScalingConfig.MaximumConcurrency, 0);

  const connections = (Object.keys(environments) as FunctionName[]).reduce(
    (sum, name) => sum + environments[name] * LAMBDA_CONNECTIONS[name],
    0,
  );

  expect(environments).toEqual({ detect: 4, embed: 12, write: 6, guard: 1, migrate: 1, operate: 1 });
  expect(example.database.maxConnections).toBe(DEFAULT_MAX_CONNECTIONS - SAMPLE_CONNECTIONS);
  const limited = (maxConnections: number) => () =>
    new EmbeddingPipeline(stack, `limited-to-${maxConnections}`, {
      config,
      vpc: example.vpc,
      database: { ...example.database, maxConnections },
      assets: noAssets,
    });
  expect(limited(connections)).toThrow(`can hold ${connections} database connections at once`);
  expect(limited(connections + 1)).not.toThrow();
});

test('ticks that come faster than they end are counted as often as they overlap', () => {
  const often = () =>
    new EmbeddingPipeline(stack, 'often', {
      config,
      vpc: example.vpc,
      database: { ...example.database, maxConnections: 10 },
      schedules: { incremental: 'rate(1 minute)' },
      assets: noAssets,
    });

  expect(often).toThrow('detect 14 + embed 12 + write 6 + guard 1 + migrate 1 + operate 1');
});
