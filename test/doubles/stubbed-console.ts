import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListTagsCommand,
} from '@aws-sdk/client-lambda';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { runCommandLine } from '../../bin/commands/run-command.ts';
import { createTerminal } from '../../bin/terminal/terminal.ts';
import type { OperateName, OperateReply } from '../../lib/ports/operator.ts';
import { createVirtualClock } from './virtual-clock.ts';

const REGION = 'eu-central-1';
const ACCOUNT = '111122223333';
const queueUrl = (name: string) => `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`;

export const DEPLOYMENT = {
  stage: 'prod',
  region: REGION,
  database: { host: 'db.internal', port: 5432, name: 'app', user: 'freshet', certificateAuthority: 'rds' },
  queueUrlPrefix: queueUrl('freshet-prod'),
  models: ['small'],
  claimsBucket: 'claims',
  keySecrets: {},
  embedVisibilitySeconds: 720,
  resultsVisibilitySeconds: 360,
  maxReceiveCount: 5,
  eventSources: { embed: { small: ['map-fresh', 'map-bulk'] }, write: ['map-results'] },
  scheduleNames: ['freshet-prod-incremental', 'freshet-prod-full'],
  functions: { detect: 'freshet-prod-detect', embed: 'freshet-prod-embed' },
} as const;

const NO_QUERIES = { providerCalls: 0, tokens: 0, costUsd: 0, costUsdToday: 0 };

export const NOTHING_DONE = {
  providerCalls: 0,
  tokens: 0,
  costUsd: 0,
  necessaryUsd: 0,
  paidAndLostCalls: 0,
  paidAndLostCostUsd: 0,
  lastUpdate: null,
};

/** The SDK's own clients with their sending replaced: a stage `prod` that is well, until a test says otherwise. */
export function createStubbedConsole() {
  const settings = { region: REGION, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const clients = {
    sts: new STSClient(settings),
    cloudFormation: new CloudFormationClient(settings),
    lambda: new LambdaClient(settings),
    sqs: new SQSClient(settings),
    scheduler: new SchedulerClient(settings),
    logs: new CloudWatchLogsClient(settings),
  };
  const stubs = {
    sts: mockClient(clients.sts),
    cloudFormation: mockClient(clients.cloudFormation),
    lambda: mockClient(clients.lambda),
    sqs: mockClient(clients.sqs),
    scheduler: mockClient(clients.scheduler),
    logs: mockClient(clients.logs),
  };
  const clock = createVirtualClock();
  const asked: { request: OperateName; [key: string]: unknown }[] = [];
  const answers = new Map<OperateName, (details: Record<string, unknown>) => OperateReply>();
  const letters = new Map<string, number>();
  stubs.sts.on(GetCallerIdentityCommand).resolves({ Account: ACCOUNT });
  stubs.cloudFormation.on(DescribeStacksCommand).callsFake(({ StackName }) => ({
    Stacks: [
      {
        StackName,
        Outputs: [{ OutputKey: 'OperateFunctionName', OutputValue: 'freshet-prod-operate' }],
      },
    ],
  }));
  stubs.lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: { Variables: { FRESHET_DEPLOYMENT: JSON.stringify(DEPLOYMENT) } },
    LoggingConfig: { LogGroup: '/freshet/group' },
  });
  stubs.lambda.on(InvokeCommand).callsFake(({ FunctionName, Payload, InvocationType }) => {
    if (InvocationType === 'Event') return { StatusCode: 202 };
    const event = JSON.parse(Buffer.from(Payload).toString());
    asked.push(event);
    const reply = answers.get(event.request)?.(event);
    if (reply === undefined) throw new Error(`${FunctionName} was asked for ${event.request}`);
    return { Payload: Buffer.from(JSON.stringify(reply)) };
  });
  stubs.lambda.on(GetEventSourceMappingCommand).callsFake(({ UUID }) => ({
    EventSourceMappingArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:event-source-mapping:${UUID}`,
    State: 'Enabled',
  }));
  stubs.lambda.on(ListTagsCommand).resolves({ Tags: {} });
  stubs.scheduler.on(GetScheduleCommand).callsFake(({ Name }) => ({
    ...{ Arn: 'arn', Name, GroupName: 'default', State: 'ENABLED', ScheduleExpression: 'rate(5 minutes)' },
    ...{ FlexibleTimeWindow: { Mode: 'OFF' }, Target: { Arn: 'arn', RoleArn: 'role', Input: '{}' } },
  }));
  stubs.sqs.on(GetQueueAttributesCommand).callsFake(({ QueueUrl }) => {
    const name = String(QueueUrl).split('/').at(-1)!.replace('freshet-prod-', '');
    return {
      Attributes: {
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}-dead`,
        }),
        ApproximateNumberOfMessages: String(letters.get(name) ?? 0),
        ApproximateNumberOfMessagesNotVisible: '0',
      },
    };
  });
  stubs.sqs.on(GetQueueUrlCommand).callsFake(({ QueueName }) => ({ QueueUrl: queueUrl(QueueName) }));
  answers.set('status', () => ({
    answer: {
      ...{ spaces: [], unread: [], paused: [], ledger: NOTHING_DONE, queries: NO_QUERIES },
      ...{ budget: [], flows: [] },
    },
  }));
  const runIn = async (words: string, signal: AbortSignal = new AbortController().signal) => {
    let output = '';
    let errors = '';
    let printed = '';
    const collect = (add: (text: string) => void) => ({
      write: (text: string) => {
        printed += text;
        add(text);
        return true;
      },
    });
    const line = words.split(' ');
    const terminal = createTerminal({
      json: line.includes('--json'),
      output: collect(text => {
        output += text;
      }),
      errors: collect(text => {
        errors += text;
      }),
      now: clock.now,
    });
    const surroundings = { createClients: () => clients, clock };
    const code = await runCommandLine(['aws', ...line], terminal, signal, surroundings);
    return { code, output, errors, printed };
  };
  return {
    stubs,
    clock,
    /** What `operate` was asked, in order. */
    asked,
    /** What it answers. */
    answers,
    /** Messages by queue name; dead letters as `<name>-dead`. */
    letters,
    run: (words: string, signal?: AbortSignal) => runIn(`${words} --stage prod`, signal),
    runIn,
  };
}

export function refusal(name: string, message = 'CANARY'): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 } });
}
