import { randomUUID } from 'node:crypto';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { beforeAll, describe, expect, test } from 'vitest';
import { clientSettings } from '../../lib/adapters/aws/client-settings.ts';
import { everyTemplate, type WrittenTemplate } from '../templates/every-template.ts';
import { fitTemplate } from './fit-template.ts';
import { MOTO_ACCESS } from './moto-access.ts';

/**
 * The types of our templates that moto 5.1 cannot create.
 *
 * The tests of `test/constructs` show these on the template alone. When moto learns one, the list
 * fails, and the type leaves it.
 */
const LACKING: readonly string[] = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Authorizer',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::AppConfig::Application',
  'AWS::AppConfig::ConfigurationProfile',
  'AWS::AppConfig::HostedConfigurationVersion',
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::Chatbot::SlackChannelConfiguration',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::EC2::SecurityGroupEgress',
  'AWS::Lambda::Alias',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::RDS::DBCluster',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::SageMaker::InferenceComponent',
  'AWS::Scheduler::Schedule',
  'AWS::SecretsManager::Secret',
];

/**
 * The types that moto knows and that cannot be had of it.
 * The creation of a trigger invokes a function, which moto does in Docker. An instance of Aurora
 * is refused, because its cluster is lacking, and so is every instance type of SageMaker that has
 * a GPU of today.
 */
const NOT_TRIED: readonly string[] = [
  'AWS::RDS::DBInstance',
  'AWS::SageMaker::Endpoint',
  'AWS::SageMaker::EndpointConfig',
  'Custom::Trigger',
];

/** Part of the stacks' names, for a server that holds those of an earlier run. */
const run = randomUUID().slice(0, 8);

const client = new CloudFormationClient(clientSettings(MOTO_ACCESS, { requestTimeoutMs: 60_000 }));
const templates = everyTemplate();

async function createStack(StackName: string, body: WrittenTemplate['body']) {
  await client.send(
    new CreateStackCommand({
      StackName,
      TemplateBody: JSON.stringify(body),
      Capabilities: ['CAPABILITY_IAM'],
    }),
  );
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName }));
  const made = new Map<string, string>();
  for await (const page of paginateListStackResources({ client }, { StackName }))
    for (const { LogicalResourceId = '', ResourceType = '' } of page.StackResourceSummaries ?? [])
      made.set(LogicalResourceId, ResourceType);
  return {
    status: Stacks[0]?.StackStatus,
    outputs: Object.fromEntries(
      (Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']),
    ),
    made,
  };
}

/** What an account has before a stage is deployed: the bootstrap, and a network. */
async function createAccount(): Promise<Readonly<Record<string, string>>> {
  const subnet = (CidrBlock: string) => ({
    Type: 'AWS::EC2::Subnet',
    Properties: { VpcId: { Ref: 'Vpc' }, CidrBlock },
  });
  const { outputs } = await createStack(`account-${run}`, {
    Resources: {
      Bootstrap: {
        Type: 'AWS::SSM::Parameter',
        Properties: { Name: '/cdk-bootstrap/hnb659fds/version', Type: 'String', Value: '30' },
      },
      Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.0.0.0/16' } },
      First: subnet('10.0.0.0/24'),
      Second: subnet('10.0.1.0/24'),
      Database: {
        Type: 'AWS::EC2::SecurityGroup',
        Properties: { GroupDescription: 'the database', VpcId: { Ref: 'Vpc' } },
      },
    },
    Outputs: {
      vpc: { Value: { Ref: 'Vpc' } },
      first: { Value: { Ref: 'First' } },
      second: { Value: { Ref: 'Second' } },
      database: { Value: { 'Fn::GetAtt': ['Database', 'GroupId'] } },
    },
  });
  return {
    'vpc-0123456789abcdef0': outputs.vpc!,
    'subnet-0123456789abcdef0': outputs.first!,
    'subnet-0123456789abcdef1': outputs.second!,
    'sg-0123456789abcdef0': outputs.database!,
    // Where there are no aliases, a function has no qualifier.
    ':live': '',
  };
}

/** Whether moto passes over a resource of this type, whatever its properties. */
async function isLacking(Type: string): Promise<boolean> {
  const name = `probe-${randomUUID()}`;
  try {
    const { made } = await createStack(name, { Resources: { Probe: { Type, Properties: {} } } });
    return !made.has('Probe');
  } catch {
    // It was created, and asked for what it needs.
    return false;
  }
}

describe('every template, in the CloudFormation of moto', { concurrent: false }, () => {
  let places: Readonly<Record<string, string>> = {};
  const outputs: Record<string, string> = {};

  beforeAll(async () => {
    places = await createAccount();
  });

  test('moto lacks these types and no others', async () => {
    const types = new Set(
      templates.flatMap(({ body }) => Object.values(body.Resources).map(({ Type }) => Type)),
    );
    const lacking: string[] = [];
    for (const type of types) if (!NOT_TRIED.includes(type) && (await isLacking(type))) lacking.push(type);

    expect(lacking.sort()).toEqual(LACKING);
  });

  for (const { name, body } of templates)
    test(`${name} is created with all that moto knows`, async () => {
      const fitted = fitTemplate(body, { without: new Set([...LACKING, ...NOT_TRIED]), places, outputs });

      const stack = await createStack(`${name}-${run}`, fitted);

      expect(stack.status).toBe('CREATE_COMPLETE');
      expect([...stack.made.keys()].sort()).toEqual(Object.keys(fitted.Resources).sort());
      expect(Object.keys(stack.outputs).sort()).toEqual(Object.keys(body.Outputs ?? {}).sort());
      for (const [key, value] of Object.entries(stack.outputs)) outputs[`${name}.${key}`] = value;
    });
});
