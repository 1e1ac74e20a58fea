import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { readCommand } from '../../bin/commands/run-command.ts';
import { FUNCTION_SETTINGS, visibilitySeconds } from '../../lib/constructs/function-settings.ts';
import { ALARM_KINDS, type AlarmKindName } from '../../lib/core/alarms.ts';
import { MODEL_PREFIX, servedModel } from '../factories/gpu-endpoint-stack.ts';
import { createObservedStack, webhookSecret } from '../factories/observed-stack.ts';
import { configInput, createStack } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';
import type { AlarmProperties } from '../templates/shown-metrics.ts';

/** The longest description of an alarm that CloudWatch takes. */
const MAX_DESCRIPTION_CHARACTERS = 1_024;

/** Of a stage with a GPU endpoint, beside the others. */
const ENDPOINT_ALARMS = 4;
/** Of a stage with an API, beside the others. */
const SERVICE_ALARMS = 2;

const { stack, template } = createObservedStack({ gpu: true, api: true });
const alarms = resourcesOf<AlarmProperties>(template, 'AWS::CloudWatch::Alarm');
const suppressorId = alarms.find(({ properties }) => properties.MetricName === 'OperatorPauses')?.id;
const ofKind = (kind: AlarmKindName, from = alarms) =>
  from.filter(({ properties }) => properties.AlarmDescription.endsWith(`#${kind}`));
const only = (kind: AlarmKindName, from = alarms) => {
  const found = ofKind(kind, from);
  expect(found, kind).toHaveLength(1);
  return found[0]!.properties;
};

describe('the alarms', () => {
  test('are there for every kind, each with what it means and where it says what to do', () => {
    for (const kind of Object.keys(ALARM_KINDS) as AlarmKindName[]) {
      expect(ofKind(kind).length, kind).toBeGreaterThan(0);
      for (const { properties } of ofKind(kind))
        expect(properties.AlarmDescription).toContain(ALARM_KINDS[kind].meaning);
    }
  });

  test('say in a mail what is wrong and what to type first, within what CloudWatch takes', async () => {
    for (const { id, properties } of alarms) {
      const text = properties.AlarmDescription;
      expect(text.length, id).toBeLessThanOrEqual(MAX_DESCRIPTION_CHARACTERS);
      const [, meaning, command] =
        /^(.+?) First: `(.+?)`\. What to do: docs\/operations\.md#[a-z-]+$/.exec(text) ?? [];
      if (id === suppressorId) continue;
      expect(meaning?.length, text).toBeGreaterThan(20);
      if (!command?.startsWith('npm run freshet -- ')) expect(command, text).toMatch(/^aws [a-z]+ [a-z-]+ /);
      else
        expect(readCommand(command.split(' ').slice(4)), text).toMatchObject({
          kind: 'command',
          values: { stage: 'test' },
        });
      expect(text).not.toMatch(/[<>]/);
    }
  });

  test('name in the first command what they watch, where they watch several', () => {
    const texts = ofKind('function-errors').map(({ properties }) => properties.AlarmDescription);

    expect(texts.join('\n')).toContain(
      'write: A function failed as a whole; its messages come again. First: `npm run freshet -- aws logs --function write --trouble --stage test`. What',
    );
    expect(only('endpoint-latency').AlarmDescription).toContain(
      `--inference-component-name ${servedModel.inferenceComponentName}\`. What`,
    );
  });

  test('go off when a row waits longer than promised, and when nobody tells', () => {
    expect(only('freshness')).toMatchObject({
      Namespace: 'Freshet',
      MetricName: 'OldestStaleRowAgeSeconds',
      Statistic: 'Maximum',
      Threshold: 15 * 60,
      Period: 300,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 3,
      TreatMissingData: 'ignore',
    });
    expect(only('detect-silent')).toMatchObject({
      MetricName: 'OldestStaleRowAgeSeconds',
      Statistic: 'SampleCount',
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
    });
  });

  test('wait for a tick before they miss it, whatever the schedule', () => {
    const freshnessAt = (incremental: string) => {
      const config = configInput({ stage: { schedules: { incremental }, sloMinutes: 1_500 } });
      const found = resourcesOf<AlarmProperties>(
        Template.fromStack(createStack(config)),
        'AWS::CloudWatch::Alarm',
      );
      const { Period, Threshold } = only('freshness', found);
      return [Period, Threshold];
    };

    expect(freshnessAt('rate(1 minute)')).toEqual([300, 90_000]);
    expect(freshnessAt('rate(2 hours)')).toEqual([7_200, 90_000]);
    expect(freshnessAt('cron(0/10 * * * ? *)')).toEqual([600, 90_000]);
    expect(freshnessAt('cron(0 6 * * ? *)')).toEqual([86_400, 90_000]);
  });

  test('go off at the first dead letter of every queue', () => {
    const watched = [...ofKind('dead-letters'), ...ofKind('schedule-dead-letters')];
    const withLetters = resourcesOf<{ RedrivePolicy?: unknown }>(template, 'AWS::SQS::Queue').filter(
      ({ properties }) => properties.RedrivePolicy === undefined,
    );

    expect(watched).toHaveLength(withLetters.length);
    for (const { properties } of watched)
      expect(properties).toMatchObject({
        MetricName: 'ApproximateNumberOfMessagesVisible',
        Statistic: 'Maximum',
        ComparisonOperator: 'GreaterThanThreshold',
        Threshold: 0,
        EvaluationPeriods: 1,
        TreatMissingData: 'notBreaching',
      });
  });

  test('go off when a queue is three visibility timeouts behind', () => {
    expect(
      ofKind('queue-age')
        .map(({ properties }) => properties.Threshold)
        .sort(),
    ).toEqual(
      [visibilitySeconds('embed'), visibilitySeconds('embed'), visibilitySeconds('write')]
        .map(seconds => 3 * seconds)
        .sort(),
    );
  });

  test('go off at errors and throttles of every function, and near the end of its time', () => {
    expect(ofKind('function-errors')).toHaveLength(4);
    expect(ofKind('function-throttles')).toHaveLength(4);
    const durations = ofKind('function-duration').map(({ properties }) => properties);
    expect(durations.map(({ Threshold }) => Threshold).sort()).toEqual(
      (['embed', 'write', 'guard'] as const)
        .map(name => 0.8 * FUNCTION_SETTINGS[name].timeoutSeconds * 1000)
        .sort(),
    );
    expect(durations.map(({ ExtendedStatistic }) => ExtendedStatistic)).toEqual(Array(3).fill('p99'));
  });

  test('go off when a fifth of the calls fail at two ticks of three', () => {
    for (const kind of ['provider-errors', 'provider-throttles'] as const)
      expect(only(kind)).toMatchObject({ Threshold: 20, EvaluationPeriods: 3, DatapointsToAlarm: 2 });
  });

  test('go off when a cap is nearly reached and when it is, and are not there without a cap', () => {
    expect(only('cap-near')).toMatchObject({
      MetricName: 'CapPercent',
      Statistic: 'Maximum',
      Threshold: 80,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      Period: 300,
      TreatMissingData: 'ignore',
    });
    expect(only('cap-reached')).toMatchObject({ MetricName: 'CapPauses', Threshold: 0, Period: 60 });
    const bare = Template.fromStack(createStack(configInput({ stage: { alarms: { budgetUsd: 25 } } })));
    const names = resourcesOf<AlarmProperties>(bare, 'AWS::CloudWatch::Alarm').map(({ properties }) =>
      properties.AlarmDescription.replace(/.*#/s, ''),
    );
    expect(names).toContain('budget');
    expect(names.filter(name => name.startsWith('cap-'))).toEqual([]);
  });

  test('go off when a day costs more than the budget, and are not there without one', () => {
    const budget = only('budget');

    expect(budget.Threshold).toBe(25);
    const stats = (budget.Metrics ?? []).flatMap(({ MetricStat }) => (MetricStat ? [MetricStat] : []));
    expect(stats.map(({ Metric, Period, Stat }) => [Metric.MetricName, Period, Stat])).toEqual(
      Array(3).fill(['CostUsd', 86_400, 'Sum']),
    );
    const bare = resourcesOf<AlarmProperties>(Template.fromStack(createStack()), 'AWS::CloudWatch::Alarm');
    expect(ofKind('budget', bare)).toEqual([]);
    expect(ofKind('webhook-errors', bare)).toEqual([]);
  });

  test('go off when a share of the clients gets no answer or a late one, at two periods of three', () => {
    expect(only('service-errors')).toMatchObject({
      Threshold: 5,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
    });
    expect(JSON.stringify(only('service-errors').Metrics)).toContain('100 * FILL(failed, 0) / requests');
    expect(only('service-latency')).toMatchObject({
      ...{ Namespace: 'AWS/ApiGateway', MetricName: 'Latency', ExtendedStatistic: 'p99', Threshold: 5_000 },
      ...{ EvaluationPeriods: 3, DatapointsToAlarm: 2, TreatMissingData: 'notBreaching' },
    });
    const bare = resourcesOf<AlarmProperties>(Template.fromStack(createStack()), 'AWS::CloudWatch::Alarm');
    expect([...ofKind('service-errors', bare), ...ofKind('service-latency', bare)]).toEqual([]);
  });

  test('keep their state between two walks where orphans are in doubt', () => {
    expect(only('orphan-removal-stopped')).toMatchObject({ Period: 86_400, TreatMissingData: 'ignore' });
  });

  test('watch the endpoint’s errors, latency, GPU memory and overhead; one at zero is no trouble', () => {
    const kinds = ['endpoint-errors', 'endpoint-latency', 'endpoint-memory', 'endpoint-overhead'] as const;
    const watched = kinds.map(kind => only(kind));

    expect(
      watched.map(({ Namespace, MetricName, Statistic, ExtendedStatistic, Threshold }) => [
        `${Namespace} ${MetricName}`,
        Statistic ?? ExtendedStatistic,
        Threshold,
      ]),
    ).toEqual([
      ['AWS/SageMaker Invocation5XXErrors', 'Sum', 0],
      ['AWS/SageMaker ModelLatency', 'p99', 30_000_000],
      ['/aws/sagemaker/InferenceComponents GPUMemoryUtilizationNormalized', 'Maximum', 95],
      ['AWS/SageMaker OverheadLatency', 'Average', 1_000_000],
    ]);
    for (const alarm of watched)
      expect(alarm).toMatchObject({
        Dimensions: [{ Name: 'InferenceComponentName', Value: servedModel.inferenceComponentName }],
        Period: 60,
        EvaluationPeriods: 5,
        DatapointsToAlarm: 3,
        TreatMissingData: 'notBreaching',
      });
  });

  test('tell people of the endpoint by the topic, and wake nobody', () => {
    const [topic] = resourcesOf(template, 'AWS::SNS::Topic');
    const ofEndpoint = alarms.filter(({ properties }) =>
      /docs\/operations\.md#endpoint-/.test(properties.AlarmDescription),
    );

    expect(ofEndpoint).toHaveLength(ENDPOINT_ALARMS);
    for (const { properties } of ofEndpoint) expect(properties.AlarmActions).toEqual([{ Ref: topic?.id }]);
    for (const kind of Object.keys(ALARM_KINDS) as AlarmKindName[])
      if (kind.startsWith('endpoint-')) expect(ALARM_KINDS[kind].severity).toBe('notice');
  });

  test.each([
    ['without an endpoint', undefined, 0],
    ['before a model is published for it', { model: 'e5' }, 0],
    ['once it stands', { model: 'e5', modelPrefix: MODEL_PREFIX }, 4],
  ])('watch what there is of an endpoint: %s', (_, gpu, count) => {
    const config = configInput({ modelSettings: { e5: servedModel }, stage: gpu ? { gpu } : {} });
    const found = resourcesOf<AlarmProperties>(
      Template.fromStack(createStack(config)),
      'AWS::CloudWatch::Alarm',
    );

    expect(found.filter(({ properties }) => /#endpoint-/.test(properties.AlarmDescription))).toHaveLength(
      count,
    );
  });

  test('see guard fall silent', () => {
    expect(only('database-unreachable')).toMatchObject({
      Statistic: 'Minimum',
      EvaluationPeriods: 5,
      TreatMissingData: 'breaching',
    });
  });
});

describe('the page', () => {
  const composites = resourcesOf<{
    AlarmDescription: string;
    AlarmRule: { 'Fn::Join': [string, unknown[]] };
    ActionsSuppressor: { 'Fn::GetAtt': [string, string] };
    AlarmActions: unknown[];
    OKActions: unknown[];
  }>(template, 'AWS::CloudWatch::CompositeAlarm');

  test('is over all that wake somebody, each in one group, and those say nothing themselves', () => {
    const rules = composites.map(({ properties }) => JSON.stringify(properties.AlarmRule));

    expect(composites).toHaveLength(4);
    for (const kind of Object.keys(ALARM_KINDS) as AlarmKindName[])
      for (const { id, properties } of ofKind(kind)) {
        const pages = ALARM_KINDS[kind].severity === 'page';
        expect(rules.filter(rule => rule.includes(`"${id}"`)).length, id).toBe(pages ? 1 : 0);
        expect((properties.AlarmActions ?? []).length, id).toBe(pages ? 0 : 1);
      }
    for (const { properties } of composites) {
      expect(properties.AlarmActions).toHaveLength(1);
      expect(properties.OKActions).toHaveLength(1);
    }
  });

  test('says itself what to type, and where to read on', () => {
    expect(composites.map(({ properties }) => properties.AlarmDescription)).toContain(
      'Freshet test needs somebody now: the database cannot be used; the alarms behind this one say why. First: `npm run freshet -- aws status --stage test`. What to do: docs/operations.md#first',
    );
  });

  test('is silent while an operator has paused everything', () => {
    const suppressors = composites.map(({ properties }) => properties.ActionsSuppressor['Fn::GetAtt'][0]);
    const [suppressor] = suppressors;
    expect(suppressors).toEqual(Array(4).fill(suppressor));

    const found = alarms.find(({ id }) => id === suppressor)?.properties;
    expect(found).toMatchObject({ MetricName: 'OperatorPauses', Threshold: 1 });
    expect(found?.AlarmActions).toBeUndefined();
  });

  test('and every other alarm is silent in a stack that is deployed paused', () => {
    const paused = createObservedStack({ paused: true }).template;

    const all = resourcesOf<AlarmProperties>(paused, 'AWS::CloudWatch::Alarm');
    expect(all.map(({ properties }) => properties.ActionsEnabled)).toEqual(
      Array(alarms.length - ENDPOINT_ALARMS - SERVICE_ALARMS).fill(false),
    );
    paused.resourcePropertiesCountIs('AWS::CloudWatch::CompositeAlarm', { ActionsEnabled: false }, 4);
  });
});

describe('the topic', () => {
  test('is encrypted by a key that CloudWatch may use, and takes nothing by plain HTTP', () => {
    template.hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          Match.objectLike({
            Action: 'sns:Publish',
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Condition: Match.objectLike({ StringEquals: { 'aws:SourceAccount': '111122223333' } }),
          }),
        ]),
      }),
    });
    template.hasResourceProperties('AWS::KMS::Key', {
      EnableKeyRotation: true,
      KeyPolicy: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
            Principal: { Service: 'cloudwatch.amazonaws.com' },
          }),
        ]),
      }),
    });
  });

  test('tells the mail, Slack and the webhook', () => {
    const [slack] = resourcesOf<{ SlackChannelId: string; GuardrailPolicies: unknown[] }>(
      template,
      'AWS::Chatbot::SlackChannelConfiguration',
    );
    const protocols = resourcesOf<{ Protocol: string }>(template, 'AWS::SNS::Subscription');

    expect(protocols.map(({ properties }) => properties.Protocol).sort()).toEqual(['email', 'lambda']);
    expect(slack?.properties.SlackChannelId).toBe('C0123456789');
    expect(slack?.properties.GuardrailPolicies).toHaveLength(1);
  });

  test('leaves the address of the webhook in its secret, which only its function may read', () => {
    const { webhook } = stack.pipeline.alarmTopic;
    const functionId = stack.getLogicalId(webhook!.function.node.defaultChild as never);
    const { properties } = resourcesOf<{ VpcConfig?: unknown; Environment: { Variables: object } }>(
      template,
      'AWS::Lambda::Function',
    ).find(({ id }) => id === functionId)!;

    expect(properties.VpcConfig).toBeUndefined();
    expect(JSON.stringify(properties.Environment)).toContain(webhookSecret);
    const readers = resourcesOf<{ Roles: { Ref: string }[] }>(template, 'AWS::IAM::Policy').filter(
      ({ properties }) => JSON.stringify(properties).includes(webhookSecret),
    );
    expect(readers.map(({ properties }) => properties.Roles[0]?.Ref)).toHaveLength(1);
    expect(readers[0]?.properties.Roles[0]?.Ref).toMatch(/^PipelineAlarmTopicWebhookRole/);
  });
});

test('the stack tells people where the dashboard is and what to type', () => {
  const outputs = template.findOutputs('*') as Record<string, { Value: unknown }>;

  expect(JSON.stringify(outputs.DashboardUrl?.Value)).toContain('#dashboards/dashboard/');
  expect(outputs.AlarmTopicArn).toBeDefined();
  expect(outputs.StatusCommand?.Value).toBe('npm run freshet -- aws status --stage test');
  expect(outputs.LogsCommand?.Value).toBe('npm run freshet -- aws logs --trouble --stage test');
});
