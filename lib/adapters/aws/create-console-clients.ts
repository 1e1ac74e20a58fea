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

export function createConsoleClients({ region, profile }: ConsoleAccess): ConsoleClients {
  const settings = (requestTimeoutMs: number) => {
    const { region: _, ...timeouts } = clientSettings({ region: '' }, { requestTimeoutMs });
    return {
      ...timeouts,
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
    };
  };
  const quick = settings(QUICK_MS);
  return {
    sts: new STSClient(quick),
    cloudFormation: new CloudFormationClient(quick),
    // An invocation that is asked twice works twice.
    lambda: new LambdaClient({ ...settings(INVOCATION_MS), maxAttempts: 1 }),
    sqs: new SQSClient(quick),
    scheduler: new SchedulerClient(quick),
    logs: new CloudWatchLogsClient(quick),
  };
}
