import { type App, CfnOutput, Stack, Tags, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline, type EmbeddingPipelineProps } from '../../lib/constructs/embedding-pipeline.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { observedConfig } from '../factories/observed-stack.ts';
import { configInput, createApp, demoSecret, noAssets, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const env = { account: '111122223333', region: 'eu-west-1' };

function createOwnStack(app: App = createApp(), name = 'shop') {
  const stack = new Stack(app, name, { env });
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['eu-west-1a'],
    privateSubnetIds: ['subnet-0123456789abcdef0'],
    privateSubnetRouteTableIds: ['rtb-0123456789abcdef0'],
  });
  const create = (id: string, props: Partial<EmbeddingPipelineProps> = {}) =>
    new EmbeddingPipeline(stack, id, {
      config: configInput(),
      vpc,
      database: { host: 'db.example.com', name: 'app', secretArn: demoSecret },
      assets: noAssets,
      ...props,
    });
  return { stack, create };
}

/** The strings of a template, each with what the deployment fills in left out. */
const textsOf = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(textsOf)
      : [];

describe('two pipelines in one stack of one’s own', () => {
  const { stack, create } = createOwnStack();
  const { alarms } = parseConfig(observedConfig()).aws!.stages.test!;
  create('Blog', { stage: 'blog', alarms });
  create('Store', { stage: 'store', alarms });
  const template = Template.fromStack(stack);
  const named = (type: string, key: string) =>
    resourcesOf<Record<string, unknown>>(template, type).flatMap(({ properties }) =>
      properties[key] === undefined ? [] : [JSON.stringify(properties[key])],
    );

  test('have names that do not collide', () => {
    const names = {
      alarms: named('AWS::CloudWatch::Alarm', 'AlarmName'),
      pages: named('AWS::CloudWatch::CompositeAlarm', 'AlarmName'),
      queues: named('AWS::SQS::Queue', 'QueueName'),
      applications: named('AWS::AppConfig::Application', 'Name'),
      channels: named('AWS::Chatbot::SlackChannelConfiguration', 'ConfigurationName'),
      dashboards: named('AWS::CloudWatch::Dashboard', 'DashboardName'),
    };

    for (const [kind, found] of Object.entries(names)) expect(new Set(found).size, kind).toBe(found.length);
    expect(names.queues).toHaveLength(6);
    expect(names.channels).toHaveLength(2);
    expect(names.alarms).toContain('"shop.blog.freshness"');
  });

  test('have outputs each, whose commands name the stack and the stage', () => {
    const outputs: Record<string, { Value: unknown }> = template.toJSON().Outputs;
    const operate = Object.keys(outputs).filter(key =>
      /^(Blog|Store)OperateFunctionName[0-9A-F]{8}$/.test(key),
    );

    expect(operate).toHaveLength(2);
    const status = Object.entries(outputs).filter(([key]) => key.includes('StatusCommand'));
    expect(status.map(([, { Value }]) => Value).sort()).toEqual([
      'npm run freshet -- aws status --stack shop --stage blog',
      'npm run freshet -- aws status --stack shop --stage store',
    ]);
  });

  test('say in each alarm a command that finds them', () => {
    const descriptions = [
      ...resourcesOf<{ AlarmDescription: string }>(template, 'AWS::CloudWatch::Alarm'),
      ...resourcesOf<{ AlarmDescription: string }>(template, 'AWS::CloudWatch::CompositeAlarm'),
    ].map(({ properties }) => properties.AlarmDescription);
    const commands = descriptions.filter(text => text.includes('freshet -- aws'));

    expect(commands.length).toBeGreaterThan(20);
    expect(commands.filter(text => !/--stack shop --stage (blog|store)`/.test(text))).toEqual([]);
    expect(textsOf(template.toJSON()).filter(text => /freshet-(blog|store) /.test(text))).toEqual([]);
  });
});

test('two pipelines tell one topic and one address, which SNS is told once', () => {
  const { stack, create } = createOwnStack();
  const topic = new Topic(stack, 'Operations');
  const alarms = { topic, email: ['ops@example.com', 'ops@example.com'] };
  create('Blog', { stage: 'blog', alarms });
  create('Store', { stage: 'store', alarms });

  const subscriptions = resourcesOf<{ Endpoint: string }>(
    Template.fromStack(stack),
    'AWS::SNS::Subscription',
  );
  expect(subscriptions.map(({ properties }) => properties.Endpoint)).toEqual(['ops@example.com']);
});

test('the same stage twice is refused, in one stack and in two of one account and region', () => {
  const app = createApp();
  const shop = createOwnStack(app, 'shop');
  const office = createOwnStack(app, 'office');
  shop.create('Blog', { stage: 'blog' });

  expect(() => shop.create('Again', { stage: 'blog' })).toThrow(
    'shop/Blog and shop/Again are both stage blog',
  );
  expect(() => office.create('Blog', { stage: 'blog' })).toThrow(
    'shop/Blog and office/Blog are both stage blog',
  );
  expect(() => office.create('Wiki', { stage: 'wiki' })).not.toThrow();
});

test('endpoints of one network are made once', () => {
  const { create } = createOwnStack();
  create('Blog', { stage: 'blog', endpoints: true });

  expect(() => create('Store', { stage: 'store', endpoints: true })).toThrow(
    'shop/Blog and shop/Store both make endpoints in the same network',
  );
});

describe('what a team brings along', () => {
  const { stack, create } = createOwnStack();
  const keys = {
    queues: new Key(stack, 'QueueKey'),
    claims: new Key(stack, 'ClaimsKey'),
    logs: new Key(stack, 'LogKey'),
    environment: new Key(stack, 'EnvironmentKey'),
  };
  const topic = new Topic(stack, 'OwnTopic', { enforceSSL: true, masterKey: keys.queues });
  const pipeline = create('Blog', {
    stage: 'blog',
    config: configInput({ models: ['openai'] }),
    providerSecrets: { openai: openAiSecret },
    encryptionKeys: keys,
    alarms: { topic },
    logRetention: RetentionDays.ONE_YEAR,
    removeClaims: true,
  });
  PermissionsBoundary.of(pipeline).apply(
    ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', 'arn:aws:iam::111122223333:policy/boundary'),
  );
  Tags.of(pipeline).add('team', 'search');
  const template = Template.fromStack(stack);
  const idOf = (key: Key) => stack.getLogicalId(key.node.defaultChild as never);
  const ours = <Properties>(type: string) =>
    resourcesOf<Properties>(template, type).filter(({ id }) => id.startsWith('Blog'));

  test('encrypts queues, claims, logs and environments by its keys', () => {
    const holds = (type: string, key: Key) =>
      ours<object>(type).map(({ properties }) => JSON.stringify(properties).includes(`"${idOf(key)}"`));

    expect(new Set(holds('AWS::SQS::Queue', keys.queues))).toEqual(new Set([true]));
    expect(holds('AWS::S3::Bucket', keys.claims)).toEqual([true]);
    expect(new Set(holds('AWS::Logs::LogGroup', keys.logs))).toEqual(new Set([true]));
    expect(holds('AWS::Lambda::Function', keys.environment)).toEqual(Array(6).fill(true));
  });

  test('gives to each role the use of a key that its work takes, and no more', () => {
    const uses = Object.fromEntries(
      ours<{ PolicyDocument: { Statement: { Action: string | string[]; Resource: object }[] } }>(
        'AWS::IAM::Policy',
      ).flatMap(({ id, properties }) => {
        const [, name] = /^Blog((?:Functions|Schedules)\w+?)Role/.exec(id) ?? [];
        const found = properties.PolicyDocument.Statement.filter(({ Action }) =>
          [Action].flat().some(action => action.startsWith('kms:')),
        ).map(({ Action, Resource }) => {
          const [key] = Object.entries(keys).find(([, one]) => JSON.stringify(Resource).includes(idOf(one)))!;
          return `${key}: ${[Action].flat().join(' ')}`;
        });
        return name === undefined ? [] : [[name, found.sort()] as const];
      }),
    );
    const write = 'kms:Decrypt kms:GenerateDataKey';

    expect(uses).toEqual({
      Functionsdetect: ['environment: kms:Decrypt', `queues: ${write}`],
      Functionsembed: [`claims: ${write}`, 'environment: kms:Decrypt', `queues: ${write}`],
      Functionswrite: ['claims: kms:Decrypt', 'environment: kms:Decrypt', 'queues: kms:Decrypt'],
      Functionsguard: ['environment: kms:Decrypt', `queues: ${write}`],
      Functionsmigrate: ['environment: kms:Decrypt'],
      Functionsoperate: ['environment: kms:Decrypt', `queues: ${write}`],
      Schedulesincremental: [`queues: ${write}`],
      Schedulesfull: [`queues: ${write}`],
      Schedulescontinue: [`queues: ${write}`],
      Schedulesguard: [`queues: ${write}`],
    });
  });

  test('tells its topic, and makes none', () => {
    template.resourceCountIs('AWS::SNS::Topic', 1);
    const actions = ours<{ AlarmActions: { Ref: string }[] }>('AWS::CloudWatch::CompositeAlarm').flatMap(
      ({ properties }) => properties.AlarmActions.map(({ Ref }) => Ref),
    );

    expect(new Set(actions)).toEqual(new Set([stack.getLogicalId(topic.node.defaultChild as never)]));
  });

  test('keeps logs as long as it says, empties the claims, bounds each role, has its tags', () => {
    const groups = ours<{ RetentionInDays: number }>('AWS::Logs::LogGroup');
    const roles = ours<{ PermissionsBoundary?: string }>('AWS::IAM::Role');

    expect(new Set(groups.map(({ properties }) => properties.RetentionInDays))).toEqual(new Set([365]));
    template.resourceCountIs('Custom::S3AutoDeleteObjects', 1);
    expect(roles.length).toBeGreaterThanOrEqual(10);
    expect(new Set(roles.map(({ properties }) => properties.PermissionsBoundary))).toEqual(
      new Set(['arn:aws:iam::111122223333:policy/boundary']),
    );
    for (const type of ['AWS::Lambda::Function', 'AWS::SQS::Queue', 'AWS::S3::Bucket'])
      for (const { properties } of ours<{ Tags?: unknown }>(type))
        expect(JSON.stringify(properties.Tags)).toContain('{"Key":"team","Value":"search"}');
  });
});

describe('a source with a schedule of its own', () => {
  const sources = [
    ...configInput().sources,
    { name: 'news', table: 'public.news', text: { columns: ['title'] }, model: 'hash' },
  ];
  const config = { ...configInput(), sources };

  test('is looked at by that schedule, and by no other one for edits', () => {
    const { stack, create } = createOwnStack();
    const { sourceSchedules } = create('Blog', {
      config,
      schedules: { sources: { news: 'rate(2 minutes)' } },
      maxConcurrency: { embed: 4 },
    });
    const inputs = resourcesOf<{ ScheduleExpression: string; Target: { Input: string } }>(
      Template.fromStack(stack),
      'AWS::Scheduler::Schedule',
    ).map(({ properties }) => [properties.ScheduleExpression, JSON.parse(properties.Target.Input)]);

    expect(Object.keys(sourceSchedules)).toEqual(['news']);
    expect(inputs.filter(([, event]) => event.pass === 'incremental')).toEqual([
      ['rate(5 minutes)', { pass: 'incremental', sources: ['ai_items'] }],
      ['rate(2 minutes)', { pass: 'incremental', sources: ['news'] }],
    ]);
  });

  test('takes the mode that is named for it, as the other schedules do theirs', () => {
    const { stack, create } = createOwnStack();
    create('Blog', {
      config: { ...config, modes: { gentle: { batchSize: 10 } } },
      schedules: {
        sources: { news: 'rate(2 minutes)' },
        modes: { full: 'maintenance', sources: { news: 'gentle' } },
      },
      maxConcurrency: { embed: 4 },
    });
    const inputs = resourcesOf<{ Target: { Input: string } }>(
      Template.fromStack(stack),
      'AWS::Scheduler::Schedule',
    ).map(({ properties }) => JSON.parse(properties.Target.Input));

    expect(inputs.filter(({ pass }) => pass !== undefined)).toEqual([
      { pass: 'incremental', sources: ['ai_items'] },
      { pass: 'reconcile', mode: 'maintenance' },
      { pass: 'reconcile', resume: true, mode: 'maintenance' },
      { pass: 'incremental', sources: ['news'], mode: 'gentle' },
    ]);
  });

  test.each([
    [{ full: 'maintenanc' }, '.modes.full: "maintenanc" is no mode of a run. Did you mean maintenance?'],
    [{ sources: { ai_items: 'bootstrap' } }, '.modes.sources.ai_items is of a source that has no schedule'],
    [{ sources: { news: 'x' } }, '.modes.sources.news: "x" is no mode of a run.'],
  ])('is refused with the modes %j', (modes, expected) => {
    const { create } = createOwnStack();
    const schedules = { sources: { news: 'rate(2 minutes)' }, modes };

    expect(() => create('Blog', { config, schedules, maxConcurrency: { embed: 4 } })).toThrow(expected);
  });

  test.each([
    ['is no source', { nws: 'rate(1 minute)' }, 'schedules.sources.nws is no source; did you mean "news"?'],
    ['is slower than promised', { news: 'rate(1 hour)' }, 'schedules.sources.news looks for edits every 60'],
    [
      'leaves none to the others',
      { news: 'rate(1 minute)', ai_items: 'rate(1 minute)' },
      'names every source',
    ],
  ])('is refused where it %s', (_, own, expected) => {
    const { create } = createOwnStack();

    expect(() => create('Blog', { config, schedules: { sources: own } })).toThrow(expected);
  });
});

test('AwsSolutions finds nothing in a stack of one’s own', () => {
  const app = createApp();
  const { stack, create } = createOwnStack(app);
  create('Blog', { stage: 'blog' });
  create('Store', { stage: 'store' });
  new CfnOutput(stack, 'Own', { value: 'own' });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

  expect(() => app.synth()).not.toThrow();
});
