import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, test } from 'vitest';
import { ExampleDatabaseStack } from '../../lib/constructs/example-stack.ts';
import { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import { DEFAULT_STAGE_SETTINGS } from '../../lib/core/config/aws-schema.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { chooseExampleStage } from '../../lib/core/config/stages.ts';
import { makeContext } from '../factories/lambda-event.ts';
import { configInput, createApp, noAssets, stageInput } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const config = configInput();

function createExample(
  props: Partial<ConstructorParameters<typeof ExampleDatabaseStack>[2]> = {},
  app = createApp(),
): ExampleDatabaseStack {
  return new ExampleDatabaseStack(app, 'example', { config, stageName: 'try', assets: noAssets, ...props });
}

const template = Template.fromStack(createExample());

describe('the example database', () => {
  test('is encrypted, takes IAM logins, pauses when nobody is connected, and lets RDS rotate its password', () => {
    template.hasResource('AWS::RDS::DBCluster', {
      Properties: {
        StorageEncrypted: true,
        EnableIAMDatabaseAuthentication: true,
        ManageMasterUserPassword: true,
        MasterUserPassword: Match.absent(),
        ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 2, SecondsUntilAutoPause: 300 },
        DeletionProtection: false,
      },
      DeletionPolicy: 'Delete',
    });
    template.hasResourceProperties('AWS::RDS::DBInstance', { PubliclyAccessible: false });
  });

  test('is reached by its sample function alone, and reaches nothing', () => {
    const groups = resourcesOf<{
      GroupDescription: string;
      SecurityGroupIngress?: unknown;
      SecurityGroupEgress: { CidrIp: string }[];
    }>(template, 'AWS::EC2::SecurityGroup');
    const database = groups.find(({ properties }) =>
      properties.GroupDescription.startsWith('The example database'),
    )!;

    expect(database.properties.SecurityGroupIngress).toBeUndefined();
    expect(database.properties.SecurityGroupEgress.map(({ CidrIp }) => CidrIp)).toEqual([
      '255.255.255.255/32',
    ]);
    const rules = resourcesOf<{ FromPort: number }>(template, 'AWS::EC2::SecurityGroupIngress');
    expect(rules.map(({ properties }) => properties.FromPort)).toEqual([5432]);
  });

  test('brings one NAT gateway, the endpoint for S3, and a log of rejected traffic', () => {
    template.resourceCountIs('AWS::EC2::NatGateway', 1);
    template.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' });
    template.hasResourceProperties('AWS::EC2::FlowLog', { TrafficType: 'REJECT' });
  });

  test('lets the sample function read two secrets, and nothing else', () => {
    const policies = resourcesOf<{
      Roles: { Ref: string }[];
      PolicyDocument: { Statement: { Effect: string; Action: string | string[]; Resource: unknown }[] };
    }>(template, 'AWS::IAM::Policy').filter(({ properties }) =>
      properties.Roles[0]!.Ref.startsWith('SampleLoadRole'),
    );
    const allowed = policies
      .flatMap(({ properties }) => properties.PolicyDocument.Statement)
      .filter(({ Effect, Action }) => Effect === 'Allow' && !/^(logs|ec2|xray):/.test([Action].flat()[0]!));

    expect(allowed).toEqual([
      {
        Effect: 'Allow',
        Action: 'secretsmanager:GetSecretValue',
        Resource: [
          { 'Fn::GetAtt': [expect.stringMatching(/^Cluster/), 'MasterUserSecret.SecretArn'] },
          { Ref: expect.stringMatching(/^PipelineLogin/) },
        ],
      },
    ]);
  });

  test('keeps no password in the template', () => {
    expect(JSON.stringify(template.toJSON())).not.toMatch(/resolve:secretsmanager|"MasterUserPassword"/);
  });

  test('is loaded before a pipeline beside it migrates, and passes AwsSolutions with a reason for each exception', () => {
    const app = createApp();
    const example = createExample({}, app);
    const pipeline = new PipelineStack(app, 'pipeline', {
      config,
      stageName: 'try',
      stage: DEFAULT_STAGE_SETTINGS,
      dependencies: example,
      assets: noAssets,
    });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const { directory } = app.synth();

    expect(pipeline.dependencies).toContain(example);
    const report = JSON.parse(readFileSync(path.join(directory, 'validation-report.json'), 'utf8'));
    const nag = report.pluginReports.find(
      ({ pluginName }: { pluginName: string }) => pluginName === 'AwsSolutions',
    );
    const acknowledged = (
      nag.suppressedViolations as {
        ruleName: string;
        reason: string;
        violatingConstructs: { constructPath: string }[];
      }[]
    ).flatMap(({ ruleName, reason, violatingConstructs }) => {
      expect(reason).toMatch(/\w+ \w+ .+\.$/);
      return violatingConstructs
        .filter(({ constructPath }) => constructPath.startsWith('example/'))
        .map(({ constructPath }) => `${ruleName} ${constructPath}`);
    });
    expect(nag.violations).toEqual([]);
    expect(acknowledged.sort()).toEqual([
      'AwsSolutions-IAM5[Resource::*] example/Sample/Load/Role/DefaultPolicy/Resource',
      'AwsSolutions-RDS10 example/Cluster/Resource',
      'AwsSolutions-SMG4 example/PipelineLogin/Resource',
    ]);
  });
});

describe('the bundle of sample', () => {
  test('lies in the asset with the rows and the configuration, and runs', async () => {
    const app = createApp();
    const stack = new ExampleDatabaseStack(app, 'example', { config, stageName: 'try' });
    const assembly = app.synth();
    const [sample] = resourcesOf<{ Description?: string; Code: { S3Key: string } }>(
      Template.fromStack(stack),
      'AWS::Lambda::Function',
    ).filter(({ properties }) => properties.Description?.startsWith('Freshet sample') === true);
    const folder = path.join(
      assembly.directory,
      `asset.${path.basename(sample!.properties.Code.S3Key, '.zip')}`,
    );
    const entry: typeof import('../../functions/sample/handler.ts') = createRequire(import.meta.url)(
      path.join(folder, 'index.mjs'),
    );
    const lambda = entry.createLambda({ variables: {}, directory: folder, writeLine: () => {} });

    expect(JSON.parse(readFileSync(path.join(folder, 'ai-items.data.json'), 'utf8'))).toHaveLength(2000);
    expect(readFileSync(path.join(folder, 'freshet.config.json'), 'utf8')).toContain('ai_items');
    await expect(lambda({}, makeContext())).rejects.toThrow(
      'FRESHET_SAMPLE is not what this version expects',
    );
  });
});

describe('a stage on the example database', () => {
  test('has the outputs that the smoke test goes by', () => {
    const app = createApp();
    const example = createExample({}, app);
    const stage = DEFAULT_STAGE_SETTINGS;
    const pipeline = new PipelineStack(app, 'pipeline', {
      config,
      stageName: 'try',
      stage,
      dependencies: example,
      assets: noAssets,
    });
    const outputs = [Template.fromStack(example), Template.fromStack(pipeline)].flatMap(deployed =>
      Object.keys(deployed.findOutputs('*')),
    );

    expect(outputs).toEqual(
      expect.arrayContaining([
        'SampleFunctionName',
        'DetectFunctionName',
        'ClaimsBucketName',
        'QueueUrlhashfresh',
        'DeadLetterQueueUrlhashfresh',
        'EventSourceIdhashfresh',
      ]),
    );
  });

  test('takes everything but place and database from the stage of its name', () => {
    const named = configInput({
      stage: { schedules: { incremental: 'rate(1 minute)' }, logRetentionDays: 7 },
    });
    const settings = chooseExampleStage(parseConfig(named), 'test');

    expect(settings).toMatchObject({ logRetentionDays: 7, schedules: { incremental: 'rate(1 minute)' } });
    expect(settings).not.toHaveProperty('vpc');
    expect(settings).not.toHaveProperty('database');
  });

  test('needs no stage at all', () => {
    expect(chooseExampleStage(parseConfig(config), 'try')).toEqual(DEFAULT_STAGE_SETTINGS);
  });

  test('has a name that a stack can have', () => {
    expect(() => chooseExampleStage(parseConfig(config), 'My Stage')).toThrow(
      '-c stage=My Stage: expected the name of a stage: lower-case letters',
    );
  });

  test.each(['public.articles', 'other.ai_items', 'articles'])('refuses a source in %s', table => {
    const other = {
      ...config,
      sources: [{ ...config.sources[0]!, table }],
      aws: { stages: { test: stageInput } },
    };

    expect(() => chooseExampleStage(parseConfig(other), 'test')).toThrow(
      /the table public\.ai_items and no other/,
    );
  });
});
