import { Stack, Token } from 'aws-cdk-lib';
import type { EventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import { UsageError } from '../core/errors.ts';
import {
  ENVIRONMENT_BYTES,
  FUNCTION_NAMES,
  type FunctionName,
  MAX_RECEIVE_COUNT,
  visibilitySeconds,
} from './function-settings.ts';
import { DEFAULT_DATABASE_PORT, type PipelineDatabase } from './network.ts';
import type { PipelineQueues } from './queues.ts';
import type { ConsumerMappings } from './triggers.ts';

/** What the functions of a deployment must find. */
interface DeployedResources {
  readonly stage: string;
  readonly database: PipelineDatabase;
  readonly queues: PipelineQueues;
  readonly claims: Bucket;
  /** Model alias → ARN of the secret of its key. */
  readonly keySecrets: Readonly<Record<string, string>>;
  readonly consumers: ConsumerMappings;
  /** The schedules that start `detect`. */
  readonly detectSchedules: readonly Schedule[];
}

/**
 * Tells each function where everything is.
 * Only `guard` and `operate` learn the event source mappings, because the mappings depend on the
 * functions that they feed.
 * @throws UsageError where the settings do not fit the environment of a function.
 */
export function setDeployment(
  functions: Readonly<Record<FunctionName, LambdaFunction>>,
  resources: DeployedResources,
): void {
  const { consumers, detectSchedules } = resources;
  const ids = (mappings: readonly EventSourceMapping[]) =>
    mappings.map(mapping => mapping.eventSourceMappingId);
  const forAll = describeDeployment(functions.operate, resources);
  const forGuard: DeploymentSettings = {
    ...forAll,
    eventSources: {
      embed: Object.fromEntries([...consumers.embed].map(([alias, mappings]) => [alias, ids(mappings)])),
      write: ids(consumers.write),
    },
  };
  const others = FUNCTION_NAMES.filter(name => name !== 'operate');
  const forOperate: DeploymentSettings = {
    ...forGuard,
    functions: Object.fromEntries(others.map(name => [name, functions[name].functionName])),
    scheduleNames: detectSchedules.map(schedule => schedule.scheduleName),
  };
  for (const name of FUNCTION_NAMES) {
    const settings = name === 'guard' ? forGuard : name === 'operate' ? forOperate : forAll;
    requireRoom(functions[name], settings);
    functions[name].addEnvironment('FRESHET_DEPLOYMENT', Stack.of(functions[name]).toJsonString(settings));
  }
}

/** The settings that every function gets. */
function describeDeployment(scope: Construct, resources: DeployedResources): DeploymentSettings {
  const {
    host,
    port = DEFAULT_DATABASE_PORT,
    name,
    secretArn,
    iam,
    certificateAuthority = 'rds',
  } = resources.database;
  return {
    stage: resources.stage,
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
      [...resources.queues.embed].map(([alias, { fresh, bulk }]) => [
        alias,
        { fresh: fresh.queue.queueUrl, bulk: bulk.queue.queueUrl },
      ]),
    ),
    resultsQueueUrl: resources.queues.results.queue.queueUrl,
    claimsBucket: resources.claims.bucketName,
    keySecrets: Object.fromEntries(
      Object.entries(resources.keySecrets).filter(([alias]) => resources.queues.embed.has(alias)),
    ),
    embedVisibilitySeconds: visibilitySeconds('embed'),
    resultsVisibilitySeconds: visibilitySeconds('write'),
    maxReceiveCount: MAX_RECEIVE_COUNT,
  };
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

function requireRoom(scope: Construct, settings: DeploymentSettings): void {
  const bytes = countBytes(settings) + RESERVED_BYTES;
  if (bytes <= ENVIRONMENT_BYTES) return;
  throw new UsageError(
    `${scope.node.path}: the settings of ${Object.keys(settings.queues).length} models can take ` +
      `${bytes} bytes, and the environment of a function holds ${ENVIRONMENT_BYTES}: deploy the sources ` +
      'in two stages, with fewer models each.',
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
