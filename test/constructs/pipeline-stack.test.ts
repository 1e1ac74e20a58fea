import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { CONSUMERS, FUNCTION_NAMES, FUNCTION_SETTINGS } from '../../lib/constructs/function-settings.ts';
import { configInput, createStack, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

const SECONDS_PER_DAY = 86_400;

interface QueueProperties {
  readonly MessageRetentionPeriod: number;
  readonly VisibilityTimeout?: number;
  readonly SqsManagedSseEnabled: boolean;
  readonly RedrivePolicy?: {
    readonly maxReceiveCount: number;
    readonly deadLetterTargetArn: { 'Fn::GetAtt': string[] };
  };
}

interface MappingProperties {
  readonly Enabled: boolean;
  readonly BatchSize: number;
  readonly MaximumBatchingWindowInSeconds: number;
  readonly EventSourceArn: { readonly 'Fn::GetAtt': readonly [string, string] };
  readonly FunctionName: unknown;
  readonly FunctionResponseTypes: readonly string[];
  readonly ScalingConfig: { readonly MaximumConcurrency: number };
}

interface FunctionProperties {
  readonly Timeout: number;
  readonly Runtime: string;
  readonly Architectures?: readonly string[];
  readonly LoggingConfig?: { readonly LogFormat: string; readonly LogGroup: { readonly Ref: string } };
  readonly TracingConfig?: { readonly Mode: string };
  readonly VpcConfig?: { readonly SubnetIds: readonly string[] };
  readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
}

interface ScheduleProperties {
  readonly State: string;
  readonly ScheduleExpression: string;
  readonly ScheduleExpressionTimezone: string;
  readonly Target: {
    readonly Input: string;
    readonly RetryPolicy: { readonly MaximumRetryAttempts: number };
    readonly DeadLetterConfig: unknown;
  };
}

const input = configInput({
  models: ['hash', 'openai'],
  stage: { providerSecrets: { openai: openAiSecret } },
});
const template = Template.fromStack(createStack(input));
const queues = new Map(
  resourcesOf<QueueProperties>(template, 'AWS::SQS::Queue').map(({ id, properties }) => [id, properties]),
);
const mappings = resourcesOf<MappingProperties>(template, 'AWS::Lambda::EventSourceMapping').map(
  ({ properties }) => properties,
);
const functions = resourcesOf<FunctionProperties>(template, 'AWS::Lambda::Function');
const ours = functions.filter(({ id }) => id.startsWith('PipelineFunctions'));

describe('the queues', () => {
  test('are a fresh and a bulk one per model, results, and a dead-letter queue for each and for the schedules', () => {
    const sources = [...queues.values()].filter(queue => queue.RedrivePolicy !== undefined);

    expect(sources).toHaveLength(2 * 2 + 1);
    expect(queues.size).toBe(2 * sources.length + 1);
  });

  test('stay invisible six times as long as their function may run, and its batching window on top', () => {
    expect(mappings).toHaveLength(5);
    for (const mapping of mappings) {
      const queue = queues.get(mapping.EventSourceArn['Fn::GetAtt'][0]);
      const [, name] = /"PipelineLive([a-z]+)/.exec(JSON.stringify(mapping.FunctionName)) ?? [];
      const { properties } = ours.find(({ id }) => id.startsWith(`PipelineFunctions${name}`))!;
      expect(queue?.VisibilityTimeout).toBeGreaterThanOrEqual(
        6 * properties.Timeout + mapping.MaximumBatchingWindowInSeconds,
      );
    }
  });

  test('count at least five receives, and keep dead letters for longer than they kept the message', () => {
    const sources = [...queues.values()].filter(queue => queue.RedrivePolicy !== undefined);

    expect(sources).toHaveLength(5);
    for (const { RedrivePolicy, MessageRetentionPeriod } of sources) {
      const deadLetters = queues.get(RedrivePolicy!.deadLetterTargetArn['Fn::GetAtt'][0]!);
      expect(RedrivePolicy!.maxReceiveCount).toBeGreaterThanOrEqual(5);
      expect(deadLetters?.MessageRetentionPeriod).toBeGreaterThan(MessageRetentionPeriod);
    }
  });

  test('are encrypted, and refuse plain HTTP as the bucket does', () => {
    const denied = Match.objectLike({
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      }),
    });

    template.resourcePropertiesCountIs('AWS::SQS::QueuePolicy', denied, queues.size);
    template.resourcePropertiesCountIs('AWS::S3::BucketPolicy', denied, 1);
    expect([...queues.values()].every(queue => queue.SqsManagedSseEnabled)).toBe(true);
  });
});

describe('the claims bucket', () => {
  test('is private, and outlives every message that can name an object', () => {
    const [bucket] = resourcesOf<{
      LifecycleConfiguration: { Rules: { ExpirationInDays: number; Status: string }[] };
      PublicAccessBlockConfiguration: Record<string, boolean>;
    }>(template, 'AWS::S3::Bucket');
    const longest = Math.max(...[...queues.values()].map(queue => queue.MessageRetentionPeriod));

    expect(bucket?.properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    const [rule] = bucket!.properties.LifecycleConfiguration.Rules;
    expect(rule?.Status).toBe('Enabled');
    expect(rule!.ExpirationInDays * SECONDS_PER_DAY).toBeGreaterThan(longest);
  });
});

describe('the event source mappings', () => {
  test('report each message on its own, and are open', () => {
    expect(mappings.map(mapping => mapping.FunctionResponseTypes)).toEqual(
      Array(5).fill(['ReportBatchItemFailures']),
    );
    expect(mappings.map(mapping => mapping.Enabled)).toEqual(Array(5).fill(true));
  });

  test.each([
    ['by default', undefined, { fresh: 4, bulk: 8, write: 6 }],
    ['as the stage says', { fresh: 3, bulk: 5, write: 2 }, { fresh: 3, bulk: 5, write: 2 }],
  ])('bound how many environments each queue starts, %s', (_, maxConcurrency, { fresh, bulk, write }) => {
    const given = configInput({ ...(maxConcurrency && { stage: { maxConcurrency } }) });
    const found = resourcesOf<MappingProperties>(
      Template.fromStack(createStack(given)),
      'AWS::Lambda::EventSourceMapping',
    ).map(({ properties }) => [
      properties.EventSourceArn['Fn::GetAtt'][0].replace(/^PipelineQueues|Queue[0-9A-F]{8}$/g, ''),
      properties.ScalingConfig.MaximumConcurrency,
    ]);

    expect(Object.fromEntries(found)).toEqual({ hashfresh: fresh, hashbulk: bulk, Results: write });
  });

  test('take one message of ids at a time, and ten results', () => {
    expect(mappings.map(mapping => mapping.BatchSize).sort()).toEqual([1, 1, 1, 1, 10]);
    expect(CONSUMERS.embed.batchSize).toBe(1);
  });
});

describe('the functions', () => {
  test('run on Node 24 and arm64, traced, in the private subnets', () => {
    expect(ours).toHaveLength(FUNCTION_NAMES.length);
    for (const { properties } of ours) {
      expect(properties.Runtime).toBe('nodejs24.x');
      expect(properties.Architectures).toEqual(['arm64']);
      expect(properties.TracingConfig?.Mode).toBe('Active');
      expect(properties.VpcConfig?.SubnetIds).toHaveLength(2);
    }
  });

  test('log JSON into groups that do not keep it for ever', () => {
    expect(ours.length).toBeGreaterThan(0);
    const groups = resourcesOf<{ RetentionInDays?: number }>(template, 'AWS::Logs::LogGroup');

    for (const { properties } of ours) {
      expect(properties.LoggingConfig?.LogFormat).toBe('JSON');
      expect(groups.map(({ id }) => id)).toContain(properties.LoggingConfig?.LogGroup.Ref);
    }
    expect(groups).toHaveLength(functions.length);
    expect(groups.map(({ properties }) => properties.RetentionInDays)).toEqual(functions.map(() => 30));
  });

  test('are told where everything is, and only guard and operate of the mappings', () => {
    expect(ours.length).toBeGreaterThan(0);
    for (const { id, properties } of ours) {
      const settings = JSON.stringify(properties.Environment?.Variables.FRESHET_DEPLOYMENT);
      expect(settings, id).toContain('claimsBucket');
      expect(settings.includes('eventSources'), id).toBe(/^PipelineFunctions(guard|operate)/.test(id));
      expect(settings.includes('scheduleNames'), id).toBe(id.startsWith('PipelineFunctionsoperate'));
    }
  });

  test('start without options of Node, such as one that reads source maps at each cold start', () => {
    for (const { id, properties } of ours)
      expect(Object.keys(properties.Environment?.Variables ?? {}).sort(), id).toEqual([
        'FRESHET_DEPLOYMENT',
        'FRESHET_REVISION',
      ]);
  });

  test('end before the next tick of their schedule', () => {
    expect(FUNCTION_SETTINGS.detect.timeoutSeconds).toBeLessThan(5 * 60);
    expect(FUNCTION_SETTINGS.guard.timeoutSeconds).toBeLessThan(60);
  });
});

describe('the schedules', () => {
  const schedulesOf = (from: Template) => resourcesOf<ScheduleProperties>(from, 'AWS::Scheduler::Schedule');

  test('tick for edits, for all rows, for what is left of all rows, and for guard', () => {
    const config = configInput({
      stage: {
        schedules: { incremental: 'rate(1 minute)', full: 'cron(30 2 * * ? *)', timeZone: 'Europe/Berlin' },
      },
    });
    const schedules = schedulesOf(Template.fromStack(createStack(config)));

    expect(
      schedules.map(({ properties: { ScheduleExpression, Target } }) => [ScheduleExpression, Target.Input]),
    ).toEqual(
      expect.arrayContaining([
        ['rate(1 minute)', '{"pass":"incremental"}'],
        ['cron(30 2 * * ? *)', '{"pass":"reconcile"}'],
        ['rate(5 minutes)', '{"pass":"reconcile","resume":true}'],
        ['rate(1 minute)', '{"action":"check"}'],
      ]),
    );
    expect(schedules.map(({ properties }) => properties.ScheduleExpressionTimezone)).toEqual(
      Array(4).fill('Europe/Berlin'),
    );
  });

  test('do not repeat a tick, keep a lost one, and begin after the migration', () => {
    const schedules = schedulesOf(template);
    const [trigger] = resourcesOf(template, 'Custom::Trigger');

    expect(schedules).toHaveLength(4);
    for (const { properties, dependsOn } of schedules) {
      expect(properties.State).toBe('ENABLED');
      expect(properties.Target.RetryPolicy.MaximumRetryAttempts).toBe(0);
      expect(properties.Target.DeadLetterConfig).toBeDefined();
      expect(dependsOn).toContain(trigger?.id);
    }
  });

  test('and the mappings are off in a paused stack', () => {
    const paused = Template.fromStack(createStack(input, { paused: true }));

    expect(schedulesOf(paused).map(({ properties }) => properties.State)).toEqual(Array(4).fill('DISABLED'));
    paused.resourcePropertiesCountIs('AWS::Lambda::EventSourceMapping', { Enabled: false }, 5);
  });
});

describe('the network', () => {
  test('lets the functions out to the database, AWS and the ports of the models, and nobody in', () => {
    const config = configInput({
      models: ['inhouse'],
      modelSettings: {
        inhouse: { provider: 'openai', modelId: 'm', dimensions: 8, baseUrl: 'http://tei.internal:8080/v1' },
      },
    });
    const network = Template.fromStack(createStack(config));
    const [group] = resourcesOf<{
      SecurityGroupEgress: { FromPort: number; CidrIp: string }[];
      SecurityGroupIngress?: unknown;
    }>(network, 'AWS::EC2::SecurityGroup');

    expect(group?.properties.SecurityGroupEgress.map(({ FromPort }) => FromPort)).toEqual([443, 8080]);
    expect(group?.properties.SecurityGroupIngress).toBeUndefined();
    network.hasResourceProperties('AWS::EC2::SecurityGroupEgress', { FromPort: 5432, ToPort: 5432 });
    network.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      GroupId: 'sg-0123456789abcdef0',
      FromPort: 5432,
      ToPort: 5432,
    });
  });

  test('has an endpoint for S3 where the configuration asks for one', () => {
    const vpc = { ...input.aws!.stages.test!.vpc, s3Endpoint: true };
    const privateRouteTableIds = ['rtb-0123456789abcdef0', 'rtb-0123456789abcdef1'];
    const config = configInput({ stage: { vpc: { ...vpc, privateRouteTableIds } } });

    Template.fromStack(createStack(config)).hasResourceProperties('AWS::EC2::VPCEndpoint', {
      RouteTableIds: privateRouteTableIds,
      VpcEndpointType: 'Gateway',
    });
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
  });
});

describe('the stack', () => {
  test('carries its tags', () => {
    const stack = createStack(configInput({ stage: { tags: { team: 'search' } } }));

    expect(stack.tags.tagValues()).toEqual({ app: 'freshet', stage: 'test', team: 'search' });
  });

  test('tells people the queues, the bucket and the commands', () => {
    const outputs = Object.keys(template.findOutputs('*'));

    expect(outputs).toEqual(
      expect.arrayContaining([
        'QueueUrlopenaifresh',
        'RedriveCommandresults',
        'ClaimsBucketName',
        'PauseCommand',
      ]),
    );
  });

  test('holds no secret: only where secrets lie', () => {
    const config = { ...input, database: { url: 'postgres://app:hunter2@db.example.com/app' } };
    const text = JSON.stringify(Template.fromStack(createStack(config)).toJSON());

    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('postgres://');
    expect(text).toContain(openAiSecret);
  });
});
