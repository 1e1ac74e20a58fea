import { type CfnResource, Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { EventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import { Trigger } from 'aws-cdk-lib/triggers';
import { Construct, type IConstruct } from 'constructs';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import { UsageError } from '../core/errors.ts';
import {
  ENVIRONMENT_BYTES,
  FUNCTION_NAMES,
  type FunctionName,
  MAX_RECEIVE_COUNT,
  visibilitySeconds,
} from './function-settings.ts';
import type { PipelineDatabase } from './network.ts';
import type { PipelineQueues } from './queues.ts';

export interface DeploymentParts {
  readonly stage: string;
  readonly database: PipelineDatabase;
  readonly queues: PipelineQueues;
  readonly claims: Bucket;
  readonly keySecrets: Readonly<Record<string, string>>;
}

interface EventSources {
  readonly embed: ReadonlyMap<string, readonly EventSourceMapping[]>;
  readonly write: readonly EventSourceMapping[];
}

/**
 * Bytes that a value can take which only the deployment knows.
 * The longest of these values is a queue's URL: the domain, an account and a name of at most 80
 * characters.
 */
const LONGEST_TOKEN_BYTES = 160;

/**
 * Bytes of a name or id that only the deployment knows.
 * Functions, schedules and event source mappings have names and ids whose length AWS bounds.
 */
const LONGEST_NAME_BYTES = 64;
const HELD_BY_NAME: readonly (keyof DeploymentSettings)[] = ['eventSources', 'functions', 'scheduleNames'];

/** Bytes kept for `NODE_OPTIONS` and what Lambda or a layer adds. */
const RESERVED_BYTES = 256;

export function describeDeployment(scope: Construct, parts: DeploymentParts): DeploymentSettings {
  const { host, port = 5432, name, secretArn, iam, certificateAuthority = 'rds' } = parts.database;
  return {
    stage: parts.stage,
    region: Stack.of(scope).region,
    database: {
      host,
      port,
      name,
      certificateAuthority,
      ...(secretArn !== undefined && { secretArn }),
      ...(secretArn === undefined && iam !== undefined && { user: iam.user }),
    },
    queues: Object.fromEntries(
      [...parts.queues.embed].map(([alias, { fresh, bulk }]) => [
        alias,
        { fresh: fresh.queue.queueUrl, bulk: bulk.queue.queueUrl },
      ]),
    ),
    resultsQueueUrl: parts.queues.results.queue.queueUrl,
    claimsBucket: parts.claims.bucketName,
    keySecrets: Object.fromEntries(
      Object.entries(parts.keySecrets).filter(([alias]) => parts.queues.embed.has(alias)),
    ),
    embedVisibilitySeconds: visibilitySeconds('embed'),
    resultsVisibilitySeconds: visibilitySeconds('write'),
    maxReceiveCount: MAX_RECEIVE_COUNT,
  };
}

/**
 * Tells each function where everything is.
 * Only `guard` and `operate` learn the event source mappings, because the mappings depend on the
 * functions that they feed.
 * @throws UsageError where the settings do not fit the environment of a function.
 */
export function setDeployment(
  functions: Readonly<Record<FunctionName, LambdaFunction>>,
  deployment: DeploymentSettings,
  eventSources: EventSources,
  detectSchedules: readonly Schedule[],
): void {
  const ids = (mappings: readonly EventSourceMapping[]) =>
    mappings.map(mapping => mapping.eventSourceMappingId);
  const forGuard: DeploymentSettings = {
    ...deployment,
    eventSources: {
      embed: Object.fromEntries([...eventSources.embed].map(([alias, mappings]) => [alias, ids(mappings)])),
      write: ids(eventSources.write),
    },
  };
  const others = FUNCTION_NAMES.filter(name => name !== 'operate');
  const forOperate: DeploymentSettings = {
    ...forGuard,
    functions: Object.fromEntries(others.map(name => [name, functions[name].functionName])),
    scheduleNames: detectSchedules.map(schedule => schedule.scheduleName),
  };
  for (const name of FUNCTION_NAMES) {
    const settings = name === 'guard' ? forGuard : name === 'operate' ? forOperate : deployment;
    requireRoom(functions[name], settings);
    functions[name].addEnvironment('FRESHET_DEPLOYMENT', Stack.of(functions[name]).toJsonString(settings));
  }
}

function requireRoom(scope: Construct, settings: DeploymentSettings): void {
  const bytes = countBytes(settings) + RESERVED_BYTES;
  if (bytes <= ENVIRONMENT_BYTES) return;
  throw new UsageError(
    `${scope.node.path}: the settings of ${Object.keys(settings.queues).length} models can take ${bytes} bytes, and the environment of a function holds ${ENVIRONMENT_BYTES}: deploy the sources in two stages, with fewer models each.`,
  );
}

/** The length of the settings as JSON, once the deployment has put its values in. */
function countBytes(settings: DeploymentSettings): number {
  const write = (value: unknown, longestBytes: number) =>
    JSON.stringify(value, (_, leaf) =>
      typeof leaf === 'string' && Token.isUnresolved(leaf) ? 'x'.repeat(longestBytes) : leaf,
    );
  const held = Object.entries(settings).map(([key, value]) => {
    const byName = (HELD_BY_NAME as readonly string[]).includes(key);
    return write({ [key]: value }, byName ? LONGEST_NAME_BYTES : LONGEST_TOKEN_BYTES);
  });
  return Buffer.byteLength(held.join());
}

export interface DeploymentTriggerProps {
  readonly run: LambdaFunction;
  /** Timeout of the function, in seconds. */
  readonly timeoutSeconds: number;
  readonly logRetention: RetentionDays;
  /** What the function needs to reach the database. */
  readonly after: readonly Construct[];
  /** What must not begin before the function has ended. */
  readonly before: readonly Construct[];
}

/** The id under which the CDK keeps, once per stack, the function that starts triggers. */
const PROVIDER = 'AWSCDK.TriggerCustomResourceProviderCustomResourceProvider';

/**
 * Runs a function during the deployment. What the function refuses fails the deployment.
 * The function runs whenever its code, the configuration or its settings changed.
 */
export class DeploymentTrigger extends Construct {
  constructor(scope: Construct, id: string, props: DeploymentTriggerProps) {
    super(scope, id);
    const trigger = new Trigger(this, 'Trigger', {
      handler: props.run,
      timeout: Duration.seconds(props.timeoutSeconds + 10),
      executeAfter: [...props.after],
      executeBefore: [...props.before],
    });
    const provider = Stack.of(this).node.findChild(PROVIDER);
    trigger.executeAfter(logGroupOf(provider, props.logRetention));
  }
}

/** Gives the provider's logs a retention. Without it the logs would stay for ever. */
function logGroupOf(provider: IConstruct, retention: RetentionDays): LogGroup {
  const existing = provider.node.tryFindChild('Logs') as LogGroup | undefined;
  if (existing !== undefined) return existing;
  const handler = provider.node.findChild('Handler') as CfnResource;
  return new LogGroup(provider as Construct, 'Logs', {
    logGroupName: `/aws/lambda/${handler.ref}`,
    retention,
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
