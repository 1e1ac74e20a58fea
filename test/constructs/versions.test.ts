import { CfnParameter, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline } from '../../lib/constructs/embedding-pipeline.ts';
import { LIVE_FUNCTION_NAMES } from '../../lib/constructs/live-functions.ts';
import { configInput, createApp, createStack, noAssets, openAiSecret } from '../factories/pipeline-stack.ts';
import { type DeployedStack, deployTemplate } from '../templates/deploy-template.ts';
import { resourcesOf } from '../templates/resources-of.ts';

/** The construct in somebody's own stack, which knows the place of the database and the subnets late. */
function createOwnStack(): Template {
  const stack = new Stack(createApp(), 'own', { env: { account: '111122223333', region: 'eu-west-1' } });
  const parameter = (name: string) => new CfnParameter(stack, name).valueAsString;
  new EmbeddingPipeline(stack, 'Pipeline', {
    config: configInput(),
    vpc: Vpc.fromVpcAttributes(stack, 'Vpc', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-west-1a'],
      privateSubnetIds: [parameter('Subnet')],
      privateSubnetRouteTableIds: ['rtb-0123456789abcdef0'],
    }),
    database: {
      host: parameter('Host'),
      name: 'app',
      secretArn: parameter('LoginArn'),
      securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-0123456789abcdef0', {
        mutable: false,
      }),
    },
    assets: noAssets,
  });
  return Template.fromStack(stack);
}

const own = createOwnStack();
const PARAMETERS = {
  Host: 'db-1.example.com',
  Subnet: 'subnet-0123456789abcdef0',
  LoginArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:database-AbCdEf',
};
const first = deployTemplate(own, PARAMETERS);

/** The resources of a type whose id matches, with what a deployment made of them. */
const found = (stack: DeployedStack, type: string) =>
  [...stack].flatMap(([id, resource]) => (resource.type === type ? [{ id, ...resource }] : []));
const versionsOf = (stack: DeployedStack) =>
  found(stack, 'AWS::Lambda::Version').map(({ physicalId }) => physicalId);
const aliasTargetsOf = (stack: DeployedStack) =>
  found(stack, 'AWS::Lambda::Alias').map(
    ({ properties }) => (properties as { FunctionVersion: string }).FunctionVersion,
  );
const migrationOf = (stack: DeployedStack) =>
  found(stack, 'Custom::Trigger').map(({ properties }) => (properties as { HandlerArn: string }).HandlerArn);
const functionsOf = (stack: DeployedStack) =>
  found(stack, 'AWS::Lambda::Function')
    .filter(({ id }) => id.startsWith('PipelineFunctions'))
    .map(({ properties }) => JSON.stringify(properties));

describe('a deployment of the same template', () => {
  test.each([
    ['the place of the database', { Host: 'db-2.example.com' }],
    ['its secret', { LoginArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf' }],
    ['a subnet', { Subnet: 'subnet-0fedcba9876543210' }],
  ])(
    'with another value for %s alone publishes every function anew, migrates, and moves every alias',
    (_, changed) => {
      const second = deployTemplate(own, { ...PARAMETERS, ...changed }, first);

      const both = (read: (stack: DeployedStack) => string[]) =>
        read(first).map((value, place) => value !== read(second)[place]);
      expect(both(functionsOf)).toEqual(Array(6).fill(true));
      expect(both(versionsOf)).toEqual(Array(6).fill(true));
      expect(both(aliasTargetsOf)).toEqual(Array(5).fill(true));
      expect(both(migrationOf)).toEqual([true]);
    },
  );

  test('with the same values publishes nothing: Lambda refuses a version of what it has already', () => {
    const second = deployTemplate(own, PARAMETERS, first);

    expect([...second].map(([, { physicalId }]) => physicalId)).toEqual(
      [...first].map(([, { physicalId }]) => physicalId),
    );
  });

  test('changes a function wherever it publishes it, without which Lambda would refuse', () => {
    for (const { id, properties } of found(first, 'AWS::Lambda::Version')) {
      const { Description } = properties as { Description: string };
      const revision = Description.replace('Settings ', '');
      const owner = functionsOf(first).find(text => text.includes(revision));
      expect(owner, id).toBeDefined();
    }
  });

  test('says nothing of a database but where it is, in what nobody reads', () => {
    const contents = found(first, 'AWS::AppConfig::HostedConfigurationVersion').map(
      ({ properties }) => (properties as { Content: string }).Content,
    );

    expect(contents).toHaveLength(6);
    for (const content of contents) expect(content).toContain(PARAMETERS.Host);
  });
});

describe('new code', () => {
  const template = Template.fromStack(
    createStack(
      configInput({ models: ['hash', 'openai'], stage: { providerSecrets: { openai: openAiSecret } } }),
    ),
  );
  const aliases = resourcesOf<{ Name: string }>(template, 'AWS::Lambda::Alias');
  const [trigger] = resourcesOf<{ HandlerArn: { Ref: string } }>(template, 'Custom::Trigger');

  test('takes events through an alias, which waits for the migration of its own version', () => {
    expect(aliases).toHaveLength(LIVE_FUNCTION_NAMES.length);
    for (const { properties, dependsOn } of aliases) {
      expect(properties.Name).toBe('live');
      expect(dependsOn).toContain(trigger!.id);
    }
    expect(trigger!.properties.HandlerArn.Ref).toMatch(/^PipelineFunctionsmigrate\w+CurrentVersion/);
    expect(trigger!.dependsOn.filter(id => id.startsWith('PipelineLive'))).toEqual([]);
  });

  test('is reached by no event source, no schedule and no operator but through its alias', () => {
    const mappings = resourcesOf<{ FunctionName: unknown }>(template, 'AWS::Lambda::EventSourceMapping');
    const schedules = resourcesOf<{ Target: { Arn: unknown } }>(template, 'AWS::Scheduler::Schedule');
    const outputs = Object.entries(template.findOutputs('*')).filter(([id]) => id.endsWith('FunctionName'));
    const targets = [
      ...mappings.map(({ properties }) => properties.FunctionName),
      ...schedules.map(({ properties }) => properties.Target.Arn),
      ...outputs.map(([, { Value }]) => Value as unknown),
    ].map(target => JSON.stringify(target));

    expect(targets).toHaveLength(5 + 4 + 3);
    const ids = aliases.map(({ id }) => id);
    for (const target of targets) {
      expect(ids.some(id => target.includes(`"${id}"`))).toBe(true);
      expect(target).not.toContain('PipelineFunctions');
    }
  });

  test('keeps the event source mappings where they were, so that a deployment does not make new ones', () => {
    const mappings = resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map(({ id }) => id);

    expect(mappings.map(id => id.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
      'PipelineConsumersResultsMapping',
      'PipelineConsumershashbulkMapping',
      'PipelineConsumershashfreshMapping',
      'PipelineConsumersopenaibulkMapping',
      'PipelineConsumersopenaifreshMapping',
    ]);
  });

  test('is asked asynchronously once, whoever asks: a tick that failed is not repeated', () => {
    const configs = resourcesOf<{ Qualifier: unknown; MaximumRetryAttempts: number }>(
      template,
      'AWS::Lambda::EventInvokeConfig',
    );

    expect(configs.map(({ id }) => /^PipelineLive([a-z]+)/.exec(id)?.[1]).sort()).toEqual([
      'detect',
      'guard',
    ]);
    expect(configs.map(({ properties }) => properties.MaximumRetryAttempts)).toEqual([0, 0]);
  });
});
