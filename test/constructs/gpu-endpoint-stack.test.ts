import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, test } from 'vitest';
import { createGpuStack, MODEL_PREFIX, servedModel } from '../factories/gpu-endpoint-stack.ts';
import { createApp } from '../factories/pipeline-stack.ts';
import { parseCommand } from '../pages/typed-commands.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const templateOf = (options?: Parameters<typeof createGpuStack>[0]) =>
  Template.fromStack(createGpuStack(options));

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

describe('the endpoint', () => {
  const template = templateOf();

  test('runs the image of its region, with weights from the content-addressed prefix and no network', () => {
    template.hasResourceProperties('AWS::SageMaker::Model', {
      EnableNetworkIsolation: true,
      PrimaryContainer: {
        Image: '141502667606.dkr.ecr.eu-west-1.amazonaws.com/tei:2.0.1-tei1.9.4-gpu-py310-cu129-ubuntu24.04',
        Environment: {
          HF_MODEL_ID: '/opt/ml/model',
          MAX_CLIENT_BATCH_SIZE: '256',
          MAX_BATCH_TOKENS: '65536',
          MAX_CONCURRENT_REQUESTS: '4096',
          PAYLOAD_LIMIT: '6000000',
          AUTO_TRUNCATE: 'false',
        },
        ModelDataSource: {
          S3DataSource: {
            S3Uri: {
              'Fn::Join': [
                '',
                ['s3://', { Ref: Match.stringLikeRegexp('^ModelsBucket') }, `/${MODEL_PREFIX}`],
              ],
            },
            S3DataType: 'S3Prefix',
            CompressionType: 'None',
          },
        },
      },
    });
  });

  test('never sets TASK, which would answer with similarities', () => {
    const [model] = resourcesOf<{ PrimaryContainer: { Environment: object } }>(
      template,
      'AWS::SageMaker::Model',
    );

    expect(Object.keys(model!.properties.PrimaryContainer.Environment)).not.toContain('TASK');
  });

  test('takes as many texts in a call as the model of the configuration sends', () => {
    const wide = templateOf({ model: { ...servedModel, limits: { maxTextsPerCall: 512 } } });

    wide.hasResourceProperties('AWS::SageMaker::Model', {
      PrimaryContainer: { Environment: Match.objectLike({ MAX_CLIENT_BATCH_SIZE: '512' }) },
    });
  });

  test('lets its instances go down to none', () => {
    template.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      EnableNetworkIsolation: true,
      ExecutionRoleArn: Match.anyValue(),
      ProductionVariants: [
        Match.objectLike({
          InstanceType: 'ml.g5.xlarge',
          InitialInstanceCount: 1,
          InferenceAmiVersion: 'al2-ami-sagemaker-inference-gpu-3-1',
          ManagedInstanceScaling: { Status: 'ENABLED', MinInstanceCount: 0, MaxInstanceCount: 1 },
          RoutingConfig: { RoutingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
          ModelName: Match.absent(),
        }),
      ],
    });
  });

  test('hosts the model as a component with a GPU of its own, under the names of the configuration', () => {
    template.hasResourceProperties('AWS::SageMaker::Endpoint', { EndpointName: 'embeddings' });
    template.hasResourceProperties('AWS::SageMaker::InferenceComponent', {
      InferenceComponentName: 'embeddings-e5',
      VariantName: 'AllTraffic',
      Specification: {
        ModelName: Match.anyValue(),
        ComputeResourceRequirements: { NumberOfAcceleratorDevicesRequired: 1, MinMemoryRequiredInMb: 8192 },
      },
      RuntimeConfig: { CopyCount: 1 },
    });
    template.hasOutput('EndpointName', { Value: 'embeddings' });
    template.hasOutput('InferenceComponentName', { Value: 'embeddings-e5' });
  });
});

describe('its scaling', () => {
  const template = templateOf({ gpu: { maxCopies: 3, callsPerCopy: 8 } });

  test('follows the calls in flight from zero copies to the most', () => {
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      ServiceNamespace: 'sagemaker',
      ScalableDimension: 'sagemaker:inference-component:DesiredCopyCount',
      ResourceId: 'inference-component/embeddings-e5',
      MinCapacity: 0,
      MaxCapacity: 3,
    });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      PolicyType: 'TargetTrackingScaling',
      TargetTrackingScalingPolicyConfiguration: Match.objectLike({
        TargetValue: 8,
        PredefinedMetricSpecification: {
          PredefinedMetricType: 'SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution',
        },
      }),
    });
  });

  test('leaves zero by the call that found no copy', () => {
    const [policy] = resourcesOf<{ PolicyType: string }>(
      template,
      'AWS::ApplicationAutoScaling::ScalingPolicy',
    ).filter(({ properties }) => properties.PolicyType === 'StepScaling');

    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Namespace: 'AWS/SageMaker',
      MetricName: 'NoCapacityInvocationFailures',
      Dimensions: [{ Name: 'InferenceComponentName', Value: 'embeddings-e5' }],
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      AlarmActions: [{ Ref: policy?.id }],
    });
  });

  test('needs no waking where a copy always runs', () => {
    const always = templateOf({ gpu: { minCopies: 1, maxCopies: 2 } });

    always.resourceCountIs('AWS::ApplicationAutoScaling::ScalingPolicy', 1);
    always.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [
        Match.objectLike({ ManagedInstanceScaling: Match.objectLike({ MinInstanceCount: 1 }) }),
      ],
    });
  });
});

test('its stack has one alarm, which wakes the endpoint and nobody else', () => {
  const template = templateOf();
  const alarms = resourcesOf<{ MetricName: string; AlarmActions: { Ref: string }[] }>(
    template,
    'AWS::CloudWatch::Alarm',
  );
  const policies = resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy').map(({ id }) => id);

  expect(alarms.map(({ properties }) => properties.MetricName)).toEqual(['NoCapacityInvocationFailures']);
  expect(alarms[0]!.properties.AlarmActions.map(({ Ref }) => policies.includes(Ref))).toEqual([true]);
  template.resourceCountIs('AWS::SNS::Topic', 0);
});

test('the role reads one model, pulls one image, and writes nothing but logs and metrics', () => {
  const [policy] = resourcesOf<{ PolicyDocument: { Statement: Statement[] } }>(
    templateOf(),
    'AWS::IAM::Policy',
  );
  const rights = policy!.properties.PolicyDocument.Statement.map(({ Action, Resource, Condition }) => [
    [Action].flat().join(' '),
    JSON.stringify(Resource).replace(/ModelsBucket[0-9A-F]+/g, 'ModelsBucket'),
    Condition !== undefined,
  ]);

  expect(rights).toEqual([
    ['s3:GetObject', `{"Fn::Join":["",[{"Fn::GetAtt":["ModelsBucket","Arn"]},"/${MODEL_PREFIX}*"]]}`, false],
    ['s3:ListBucket', '{"Fn::GetAtt":["ModelsBucket","Arn"]}', true],
    [
      'ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer',
      '"arn:aws:ecr:eu-west-1:141502667606:repository/tei"',
      false,
    ],
    ['ecr:GetAuthorizationToken', '"*"', false],
    [
      'logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents',
      '"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/sagemaker/*"',
      false,
    ],
    ['cloudwatch:PutMetricData', '"*"', true],
  ]);
});

test('before a model is published there is a bucket, and the command that fills it', async () => {
  const template = templateOf({ gpu: { modelPrefix: undefined as never } });

  template.resourceCountIs('AWS::SageMaker::Model', 0);
  template.resourceCountIs('AWS::S3::Bucket', 1);
  template.hasResource('AWS::S3::Bucket', { DeletionPolicy: 'Retain' });
  const [join] = Object.values(template.findOutputs('PublishCommand')) as [
    { Value: { 'Fn::Join': [string, unknown[]] } },
  ];
  const command = join.Value['Fn::Join'][1]
    .map(part => (typeof part === 'string' ? part : 'bucket'))
    .join('');
  expect(await parseCommand(command)).toEqual({
    values: { alias: 'e5', from: './e5', bucket: 'bucket', apply: true },
    positionals: ['publish'],
  });
});

test('a bucket that exists is used as it is', () => {
  const template = templateOf({ gpu: { modelBucket: 'weights-of-ours' } });

  template.resourceCountIs('AWS::S3::Bucket', 0);
  template.hasResourceProperties('AWS::SageMaker::Model', {
    PrimaryContainer: Match.objectLike({
      ModelDataSource: { S3DataSource: Match.objectLike({ S3Uri: `s3://weights-of-ours/${MODEL_PREFIX}` }) },
    }),
  });
});

test.each([
  [
    { stage: { region: 'eu-west-3', gpu: { model: 'e5' } } },
    'SageMaker in eu-west-3 does not scale to zero: set aws.stages.test.gpu.minCopies to 1',
  ],
  [
    { stage: { region: 'eu-south-1' } },
    'The embedding image is not known in eu-south-1: choose one of us-east-1',
  ],
  [
    { stage: { region: undefined as never } },
    'aws.stages.test.region is missing, and the image depends on it',
  ],
  [{ gpu: { model: 'e6' } }, 'aws.stages.test.gpu.model: "e6" is no model'],
  [
    { gpu: { model: 'hash' } },
    'the model hash has provider "hash": give it "sagemaker" at models.hash.provider',
  ],
  [{ gpu: { minCopies: 3, maxCopies: 2 } }, 'aws.stages.test.gpu.maxCopies is 2, less than minCopies 3'],
  [
    { model: { ...servedModel, endpointName: 'no_underscores' } },
    'models.e5.endpointName is what the stack will be asked to make',
  ],
  [
    { model: { ...servedModel, inferenceComponentName: undefined as never } },
    'models.e5.inferenceComponentName is what the stack will be asked to make',
  ],
])('what would deploy and not start is refused with its remedy: %j', (options, sentence) => {
  expect(() => createGpuStack(options)).toThrow(sentence);
});

test('an endpoint that always runs a copy may stand where zero is refused', () => {
  expect(() => createGpuStack({ stage: { region: 'eu-west-3' }, gpu: { minCopies: 1 } })).not.toThrow();
});

describe('AwsSolutions finds nothing but what is acknowledged here, each with its reason', () => {
  const logs = (account: string) =>
    `AwsSolutions-IAM5[Resource::arn:aws:logs:eu-west-1:${account}:log-group:/aws/sagemaker/*]`;
  const ownBucket = 'AwsSolutions-IAM5[Resource::<ModelsBucket.Arn>/models/<digest>/*]';

  test.each([
    ['in an account', {}, [ownBucket, logs('111122223333'), 'AwsSolutions-S1']],
    [
      'in any account',
      { stage: { account: undefined as never } },
      [ownBucket, logs('<AWS::AccountId>'), 'AwsSolutions-S1'],
    ],
    [
      'with a bucket that exists',
      { gpu: { modelBucket: 'weights-of-ours' } },
      ['AwsSolutions-IAM5[Resource::arn:aws:s3:::weights-of-ours/models/<digest>/*]', logs('111122223333')],
    ],
  ])('%s', (_, options, expected) => {
    const app = createApp();
    createGpuStack({ ...options, app });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

    const { directory } = app.synth();

    const report = JSON.parse(readFileSync(path.join(directory, 'validation-report.json'), 'utf8'));
    const nag = report.pluginReports.find(
      (plugin: { pluginName: string }) => plugin.pluginName === 'AwsSolutions',
    );
    expect(nag.violations).toEqual([]);
    const acknowledged = (nag.suppressedViolations as { ruleName: string; reason?: string }[]).map(
      ({ ruleName, reason }) => {
        expect(reason).toMatch(/\w+ \w+ .+\.$/);
        return ruleName.replace(/[0-9A-F]{8}\./, '.').replace(/[0-9a-f]{64}/, '<digest>');
      },
    );
    expect(new Set(acknowledged)).toEqual(new Set(['AwsSolutions-IAM5[Resource::*]', ...expected]));
  });
});
