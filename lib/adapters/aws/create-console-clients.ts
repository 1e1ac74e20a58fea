import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { clientSettings } from './client-settings.ts';

/** What `freshet aws` talks to. Undefined values are left to the SDK's own chain: environment, profile, SSO. */
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
/** Longer than `operate` may run: its answer is waited for. */
const INVOCATION_MS = 320_000;

export function createConsoleClients(access: ConsoleAccess): ConsoleClients {
  const quick = clientSettings(access, { requestTimeoutMs: QUICK_MS });
  return {
    sts: new STSClient(quick),
    cloudFormation: new CloudFormationClient(quick),
    // An invocation that is asked twice works twice.
    lambda: new LambdaClient(
      clientSettings({ ...access, maxAttempts: 1 }, { requestTimeoutMs: INVOCATION_MS }),
    ),
    sqs: new SQSClient(quick),
    scheduler: new SchedulerClient(quick),
    logs: new CloudWatchLogsClient(quick),
  };
}
