import { Stack, Token } from 'aws-cdk-lib';
import type { EventSourceMapping, IAlias } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Schedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import type { DeployedName, WrittenSettings } from '../core/config/deployment-settings.ts';
import { UsageError } from '../core/errors.ts';
import {
  ENVIRONMENT_BYTES,
  FUNCTION_NAMES,
  type FunctionName,
  MAX_RECEIVE_COUNT,
  visibilitySeconds,
} from './function-settings.ts';
import { LIVE_ALIAS, LIVE_FUNCTION_NAMES, type LiveFunctions } from './live-functions.ts';
import { DEFAULT_DATABASE_PORT, type PipelineDatabase } from './network.ts';
import type { PipelineQueues } from './queues.ts';
import type { ConsumerMappings } from './triggers.ts';

/** What the functions of a deployment must find. */
interface DeployedResources {
  readonly stage: string;
  readonly database: PipelineDatabase;
  readonly certificateAuthority: WrittenSettings['database']['certificateAuthority'];
  readonly queues: PipelineQueues;
  readonly claims: Bucket;
  /** Model alias → ARN of the secret of its key. */
  readonly keySecrets: Readonly<Record<string, string>>;
  readonly consumers: ConsumerMappings;
  /** Environments of `embed` at once for a backfill of each model. */
  readonly bulkEnvironments: number;
  /** The schedules that start `detect`. */
  readonly detectSchedules: readonly Schedule[];
  /** The function that serves clients, and where their tokens say whose they are. */
  readonly api:
    | {
        readonly alias: IAlias;
        readonly claims: NonNullable<WrittenSettings['claims']>;
        /** False: the stage is paused, and nobody may start a look. */
        readonly nudges: boolean;
      }
    | undefined;
}

/**
 * Tells each function where everything is.
 * Only `guard` and `operate` learn the event source mappings, because the mappings depend on the
 * functions that they feed.
 * @throws UsageError where the settings do not fit the environment of a function.
 */
export function setDeployment(live: LiveFunctions, resources: DeployedResources): void {
  const { consumers, detectSchedules, bulkEnvironments, api } = resources;
  const ids = (mappings: readonly EventSourceMapping[]) =>
    mappings.map(mapping => mapping.eventSourceMappingId);
  const forAll = describeDeployment(live, resources);
  const forCallers = { ...forAll, keySecrets: describeKeys(resources) };
  const forGuard: WrittenSettings = {
    ...forCallers,
    eventSources: {
      embed: Object.fromEntries([...consumers.embed].map(([alias, mappings]) => [alias, ids(mappings)])),
      write: ids(consumers.write),
    },
  };
  const others = LIVE_FUNCTION_NAMES.filter(name => name !== 'operate');
  const forOperate: WrittenSettings = {
    ...forGuard,
    keySecrets: {},
    functions: {
      ...Object.fromEntries(others.map(name => [name, live.aliases[name].functionName])),
      migrate: live.migrate.functionName,
      ...(api !== undefined && { api: api.alias.functionName }),
    },
    scheduleNames: detectSchedules.map(schedule => schedule.scheduleName),
    bulkEnvironments,
  };
  const settingsOf: Partial<Record<FunctionName, WrittenSettings>> = {
    guard: forGuard,
    operate: forOperate,
    embed: forCallers,
    migrate: forCallers,
  };
  const configure = (name: DeployedName, settings: WrittenSettings) => {
    requireRoom(live, name, settings);
    live.configure(name, 'FRESHET_DEPLOYMENT', Stack.of(live).toJsonString(settings));
  };
  for (const name of FUNCTION_NAMES) configure(name, settingsOf[name] ?? forAll);
  if (api === undefined) return;
  const detectFunction = api.nudges ? live.aliases.detect.functionName : undefined;
  configure('api', { ...forCallers, claims: api.claims, ...(detectFunction && { detectFunction }) });
}

/** The settings that every function gets. */
function describeDeployment(scope: Construct, resources: DeployedResources): WrittenSettings {
  const { host, port = DEFAULT_DATABASE_PORT, name, secretArn, iam } = resources.database;
  return {
    stage: resources.stage,
    region: Stack.of(scope).region,
    database: {
      host,
      port,
      name,
      certificateAuthority: resources.certificateAuthority,
      ...(secretArn !== undefined && { secretArn }),
      ...(secretArn === undefined && iam !== undefined && { user: iam.user }),
    },
    queueUrlPrefix: resources.queues.urlPrefix,
    models: [...resources.queues.embed.keys()],
    claimsBucket: resources.claims.bucketName,
    keySecrets: {},
    embedVisibilitySeconds: visibilitySeconds('embed'),
    resultsVisibilitySeconds: visibilitySeconds('write'),
    maxReceiveCount: MAX_RECEIVE_COUNT,
  };
}

/** The secrets of the keys, for the functions that call providers. */
function describeKeys({ keySecrets, queues }: DeployedResources): Record<string, string> {
  return Object.fromEntries(Object.entries(keySecrets).filter(([alias]) => queues.embed.has(alias)));
}

/**
 * Bytes that a value can take which only the deployment knows.
 * The longest of these values is the beginning of the queues' URLs: the domain, an account and the
 * beginning of a name of at most 80 characters.
 */
const LONGEST_TOKEN_BYTES = 160;

/**
 * Bytes of a name that only the deployment knows.
 * Functions and schedules have names of at most 64 characters, and a function's name may be
 * followed by its alias.
 */
const LONGEST_NAME_BYTES = 64 + `:${LIVE_ALIAS}`.length;

/** Bytes of a value that only the deployment knows, where it is no ARN and no URL. */
const LONGEST_BYTES: Partial<Record<keyof WrittenSettings, number>> = {
  functions: LONGEST_NAME_BYTES,
  scheduleNames: LONGEST_NAME_BYTES,
  // The id of an event source mapping is a UUID.
  eventSources: 36,
};

/** Bytes kept for what Lambda or a layer adds. */
const RESERVED_BYTES = 256;

function requireRoom(scope: Construct, name: string, settings: WrittenSettings): void {
  const bytes = countBytes(settings) + RESERVED_BYTES;
  if (bytes <= ENVIRONMENT_BYTES) return;
  throw new UsageError(
    `${scope.node.path}/${name}: the settings of ${settings.models.length} models can take ` +
      `${bytes} bytes, and the environment of a function holds ${ENVIRONMENT_BYTES}: deploy the sources ` +
      'in two stages, with fewer models each.',
  );
}

/** The length of the settings as JSON, once the deployment has put its values in. */
function countBytes(settings: WrittenSettings): number {
  const write = (value: unknown, longestBytes: number) =>
    JSON.stringify(value, (_, leaf) =>
      typeof leaf === 'string' && Token.isUnresolved(leaf) ? 'x'.repeat(longestBytes) : leaf,
    );
  const held = Object.entries(settings).map(([key, value]) => {
    return write({ [key]: value }, LONGEST_BYTES[key as keyof WrittenSettings] ?? LONGEST_TOKEN_BYTES);
  });
  return Buffer.byteLength(held.join());
}
