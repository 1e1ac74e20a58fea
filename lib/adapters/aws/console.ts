import { type CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { type CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetScheduleCommand,
  type SchedulerClient,
  UpdateScheduleCommand,
  type UpdateScheduleCommandInput,
} from '@aws-sdk/client-scheduler';
import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { askAws, errorName } from './ask-aws.ts';

/**
 * Reads the outputs of a stack; undefined where no stack has that name.
 * CloudFormation answers `ValidationError` then, which means nothing else for a well-formed name.
 */
export async function readOutputs(
  client: CloudFormationClient,
  stackName: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  return askAws('cloudformation:DescribeStacks', async () => {
    try {
      const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
      const outputs = Stacks?.[0]?.Outputs ?? [];
      return new Map(outputs.map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']));
    } catch (error) {
      if (errorName(error) === 'ValidationError') return undefined;
      throw error;
    }
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
    const page = await askAws('logs:FilterLogEvents', () => client.send(command));
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
  const { State } = await describe(client, schedule);
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
  } = await describe(client, schedule);
  const State = state === 'enabled' ? 'ENABLED' : 'DISABLED';
  if (known.State === State) return false;
  const input = { ...known, State } as UpdateScheduleCommandInput;
  await askAws('scheduler:UpdateSchedule', () => client.send(new UpdateScheduleCommand(input)));
  return true;
}

function describe(client: SchedulerClient, schedule: string) {
  const [name, group] = schedule.split('/').toReversed();
  const input = { Name: name, ...(group === undefined ? {} : { GroupName: group }) };
  return askAws('scheduler:GetSchedule', () => client.send(new GetScheduleCommand(input)));
}

/** Finds the account and the region that the commands after it will touch. */
export async function findIdentity(client: STSClient): Promise<{ account: string; region: string }> {
  return askAws('sts:GetCallerIdentity', async () => {
    const region = await client.config.region();
    const { Account } = await client.send(new GetCallerIdentityCommand({}));
    return { account: Account ?? 'unknown', region };
  });
}

const ACTION = 'lambda:InvokeFunction';

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
  const { FunctionError, Payload } = await askAws(ACTION, () =>
    client.send(
      new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(event)) }),
    ),
  );
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
  const Payload = Buffer.from(JSON.stringify(event));
  await askAws(ACTION, () =>
    client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload })),
  );
}

/** Reads the name of a deployed function's log group. */
export async function readLogGroup(client: LambdaClient, functionName: string): Promise<string> {
  return askAws('lambda:GetFunctionConfiguration', async () => {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
    const { LoggingConfig } = await client.send(command);
    return LoggingConfig?.LogGroup ?? `/aws/lambda/${functionName}`;
  });
}

/** Reads a variable of a deployed function's environment. */
export async function readVariable(
  client: LambdaClient,
  functionName: string,
  variable: string,
): Promise<string | undefined> {
  return askAws('lambda:GetFunctionConfiguration', async () => {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
    const { Environment } = await client.send(command);
    return Environment?.Variables?.[variable];
  });
}
