import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { clientSettings } from './ask-aws.ts';

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
