import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import {
  GetScheduleCommand,
  SchedulerClient,
  UpdateScheduleCommand,
  type UpdateScheduleCommandInput,
} from '@aws-sdk/client-scheduler';
import { SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { allowMissing, callAwsForPerson, errorName } from './call-aws.ts';
import { clientSettings } from './client-settings.ts';

/**
 * The region and profile of `freshet aws`.
 * Undefined values are left to the SDK's own chain: environment, profile, SSO.
 */
export interface ConsoleAccess {
  readonly region: string | undefined;
  readonly profile: string | undefined;
}

export interface ConsoleClients {
  readonly sts: STSClient;
  readonly cloudFormation: CloudFormationClient;
  readonly lambda: LambdaClient;
  readonly sqs: SQSClient;
  readonly scheduler: SchedulerClient;
  readonly logs: CloudWatchLogsClient;
}

const QUICK_MS = 10_000;
/** Time limit of an invocation: longer than `operate` may run, whose answer is waited for. */
const INVOCATION_MS = 320_000;

/** Creates the clients of `freshet aws`, each with a time limit that fits its service. */
export function createConsoleClients(access: ConsoleAccess): ConsoleClients {
  const quick = clientSettings(access, { requestTimeoutMs: QUICK_MS });
  return {
    sts: new STSClient(quick),
    cloudFormation: new CloudFormationClient(quick),
    // The SDK must not repeat an invocation: the function would do its work twice.
    lambda: new LambdaClient(
      clientSettings({ ...access, maxAttempts: 1 }, { requestTimeoutMs: INVOCATION_MS }),
    ),
    sqs: new SQSClient(quick),
    scheduler: new SchedulerClient(quick),
    logs: new CloudWatchLogsClient(quick),
  };
}

/**
 * Reads the outputs of a stack; undefined where no stack has that name.
 * CloudFormation answers `ValidationError` then, which means nothing else for a well-formed name.
 */
export async function readOutputs(
  client: CloudFormationClient,
  stackName: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  return callAwsForPerson('cloudformation:DescribeStacks', async () => {
    const found = await allowMissing(
      () => client.send(new DescribeStacksCommand({ StackName: stackName })),
      error => errorName(error) === 'ValidationError',
    );
    if (found === undefined) return undefined;
    const outputs = found.Stacks?.[0]?.Outputs ?? [];
    return new Map(outputs.map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']));
  });
}

interface LogEvent {
  readonly eventId: string;
  readonly atMs: number;
  readonly message: string;
}

/**
 * Reads a log group's events from `sinceMs` on, page by page, oldest first within a page.
 * `filter` is a filter pattern of CloudWatch Logs.
 */
export async function* readLogEvents(
  client: CloudWatchLogsClient,
  request: { readonly logGroup: string; readonly sinceMs: number; readonly filter?: string | undefined },
): AsyncGenerator<LogEvent> {
  let nextToken: string | undefined;
  do {
    const command = new FilterLogEventsCommand({
      logGroupName: request.logGroup,
      startTime: request.sinceMs,
      ...(request.filter === undefined ? {} : { filterPattern: request.filter }),
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    const page = await callAwsForPerson('logs:FilterLogEvents', () => client.send(command));
    for (const { eventId, timestamp, message } of page.events ?? [])
      if (message !== undefined) yield { eventId: eventId ?? '', atMs: timestamp ?? 0, message };
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
}

type ScheduleState = 'enabled' | 'disabled';

/**
 * Reads whether a schedule is enabled.
 * `schedule` is `name`, or `group/name` outside the default group.
 */
export async function readSchedule(client: SchedulerClient, schedule: string): Promise<ScheduleState> {
  const { State } = await readWholeSchedule(client, schedule);
  return State === 'DISABLED' ? 'disabled' : 'enabled';
}

/**
 * Enables or disables a schedule. Resolves with whether anything changed.
 * An update replaces the whole schedule, so that all its other settings are sent again.
 */
export async function switchSchedule(
  client: SchedulerClient,
  schedule: string,
  state: ScheduleState,
): Promise<boolean> {
  const {
    $metadata: _m,
    Arn: _a,
    CreationDate: _c,
    LastModificationDate: _l,
    ...known
  } = await readWholeSchedule(client, schedule);
  const State = state === 'enabled' ? 'ENABLED' : 'DISABLED';
  if (known.State === State) return false;
  const input = { ...known, State } as UpdateScheduleCommandInput;
  await callAwsForPerson('scheduler:UpdateSchedule', () => client.send(new UpdateScheduleCommand(input)));
  return true;
}

function readWholeSchedule(client: SchedulerClient, schedule: string) {
  const [name, group] = schedule.split('/').toReversed();
  const input = { Name: name, ...(group === undefined ? {} : { GroupName: group }) };
  return callAwsForPerson('scheduler:GetSchedule', () => client.send(new GetScheduleCommand(input)));
}

/** Finds the account and the region that the commands after it will touch. */
export async function findIdentity(client: STSClient): Promise<{ account: string; region: string }> {
  return callAwsForPerson('sts:GetCallerIdentity', async () => {
    const region = await client.config.region();
    const { Account } = await client.send(new GetCallerIdentityCommand({}));
    return { account: Account ?? 'unknown', region };
  });
}

/**
 * Invokes a function and waits for its answer.
 * The error of a function that threw carries the function's own sentence; our sentences contain no
 * text of a row.
 * @throws FreshetError `function_failed`, of class `unknown`, where the function threw
 */
export async function invokeFunction(
  client: LambdaClient,
  functionName: string,
  event: object,
): Promise<unknown> {
  const { FunctionError, Payload } = await sendEvent(client, functionName, event, 'RequestResponse');
  const answer: unknown = parseJson(Buffer.from(Payload ?? []).toString('utf8'));
  if (FunctionError === undefined) return answer;
  const { errorMessage } = (answer ?? {}) as { errorMessage?: unknown };
  throw new FreshetError(
    `The function ${functionName} failed: ${typeof errorMessage === 'string' ? errorMessage : FunctionError}`,
    { failureClass: 'unknown', code: 'function_failed' },
  );
}

/**
 * Starts a function and does not wait for its end.
 * The function's own alarms tell how it ended.
 */
export async function startFunction(
  client: LambdaClient,
  functionName: string,
  event: object,
): Promise<void> {
  await sendEvent(client, functionName, event, 'Event');
}

function sendEvent(
  client: LambdaClient,
  functionName: string,
  event: object,
  InvocationType: 'RequestResponse' | 'Event',
) {
  const Payload = Buffer.from(JSON.stringify(event));
  return callAwsForPerson('lambda:InvokeFunction', () =>
    client.send(new InvokeCommand({ FunctionName: functionName, InvocationType, Payload })),
  );
}

/** Reads the name of a deployed function's log group. */
export async function readLogGroup(client: LambdaClient, functionName: string): Promise<string> {
  const { LoggingConfig } = await readConfiguration(client, functionName);
  return LoggingConfig?.LogGroup ?? `/aws/lambda/${functionName}`;
}

/** Reads a variable of a deployed function's environment. */
export async function readVariable(
  client: LambdaClient,
  functionName: string,
  variable: string,
): Promise<string | undefined> {
  const { Environment } = await readConfiguration(client, functionName);
  return Environment?.Variables?.[variable];
}

function readConfiguration(client: LambdaClient, functionName: string) {
  const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
  return callAwsForPerson('lambda:GetFunctionConfiguration', () => client.send(command));
}

/**
 * Enables or disables an event source mapping on behalf of a person.
 * The guard's tag is not set, so that the guard leaves the mapping alone. The change takes about a
 * minute.
 */
export async function switchEventSource(client: LambdaClient, id: string, enabled: boolean): Promise<void> {
  await callAwsForPerson('lambda:UpdateEventSourceMapping', () =>
    client.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled: enabled })),
  );
}

/** Reads Lambda's word for the state: `Enabled`, `Disabled`, or a state between them. */
export async function readEventSourceState(client: LambdaClient, id: string): Promise<string> {
  const { State } = await callAwsForPerson('lambda:GetEventSourceMapping', () =>
    client.send(new GetEventSourceMappingCommand({ UUID: id })),
  );
  return State ?? 'unknown';
}
