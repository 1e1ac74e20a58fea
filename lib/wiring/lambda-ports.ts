import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIamLogin } from '../adapters/aws/iam-login.ts';
import { createSecretStore, createSecretsManagerClient } from '../adapters/aws/secret-store.ts';
import { createEmfMetrics } from '../adapters/emf-metrics.ts';
import { openTracer } from '../adapters/open-tracer.ts';
import { createSecretLogin } from '../adapters/postgres/login.ts';
import { openPostgres } from '../adapters/postgres/open-postgres.ts';
import { createControlStore } from '../adapters/sql/control-store.ts';
import { isReachable, type SqlDatabase } from '../adapters/sql/database.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createJsonLogger, createSystemClock, createSystemRandomness } from '../adapters/system.ts';
import {
  CONFIG_FILE,
  type DeployedName,
  type DeploymentSettings,
  parseDeploymentSettings,
} from '../core/config/deployment-settings.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import { nameProviders, type PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { ControlStore, SpaceRegistry } from '../ports/control-store.ts';
import type { Clock, Logger, Metrics, Randomness } from '../ports/process.ts';
import type { SecretStore } from '../ports/provider.ts';
import type { Tracer } from '../ports/tracer.ts';
import { type LambdaDependencies, missingSetting, type Wired } from './lambda.ts';

/**
 * Reads the configuration that was deployed with the code.
 * The configuration is checked again, because another version can have made the file.
 * @throws UsageError where the file is missing, is no JSON or holds no valid configuration.
 */
export async function readLambdaConfig(directory: string): Promise<PipelineConfig> {
  const text = await readFile(join(directory, CONFIG_FILE), 'utf8').catch(() => {
    throw new UsageError(`${CONFIG_FILE} does not lie beside the function's code: deploy the stack again.`);
  });
  try {
    return parseConfig(parseJson(text));
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${CONFIG_FILE}: ${error.message}`, error.remedy);
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('is no JSON: deploy the stack again.');
  }
}

/**
 * Opens the database of a function with a pool of one connection.
 * An environment works on one event at a time. The number of environments thereby bounds the
 * server's connections.
 */
async function openLambdaDatabase(
  name: DeployedName,
  settings: DeploymentSettings,
  secrets: SecretStore,
  directory: string,
): Promise<SqlDatabase> {
  const { host, port, name: database, secretArn, user, certificateAuthority } = settings.database;
  const readLogin =
    secretArn === undefined
      ? createIamLogin({ host, port, user: requireUser(user), region: settings.region })
      : createSecretLogin({ secrets, secretArn });
  return openPostgres({
    endpoint: {
      ...{ host, port, database, readLogin },
      certificateAuthority: await readAuthority(certificateAuthority, directory),
    },
    maxConnections: 1,
    applicationName: `freshet-${name}`,
  });
}

/** Reads the authority that lies beside the code; another one is what the settings say. */
async function readAuthority(
  authority: DeploymentSettings['database']['certificateAuthority'],
  directory: string,
): Promise<Exclude<typeof authority, { readonly file: string }>> {
  if (typeof authority === 'string' || 'pem' in authority) return authority;
  const pem = await readFile(join(directory, authority.file), 'utf8').catch(() => {
    throw new UsageError(
      `${authority.file} does not lie beside the function's code: deploy the stack again.`,
    );
  });
  return { pem };
}

function requireUser(user: string | undefined): string {
  if (user !== undefined) return user;
  throw missingSetting('names neither database.secretArn nor database.user');
}

/** What every function is wired from. Nothing but files has been opened yet. */
export interface LambdaPorts {
  readonly settings: DeploymentSettings;
  readonly config: PipelineConfig;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly tracer: Tracer | undefined;
  readonly openDatabase: () => Promise<SqlDatabase>;
}

/**
 * Reads settings and configuration, and makes the ports that need nothing but them.
 * @throws UsageError or FreshetError where settings or configuration are missing or invalid.
 */
export async function readLambdaPorts(
  name: DeployedName,
  dependencies: LambdaDependencies,
): Promise<LambdaPorts> {
  const { variables, directory, writeLine, openDatabase } = dependencies;
  const settings = parseDeploymentSettings(variables.FRESHET_DEPLOYMENT);
  const config = await readLambdaConfig(directory);
  const clock = createSystemClock();
  const client = createSecretsManagerClient({ region: settings.region });
  const secrets = createSecretStore({ client, clock });
  const tracer = await openTracer(clock);
  const metrics = createEmfMetrics({
    write: writeLine,
    dimensions: { stage: settings.stage, component: name, provider: nameProviders(config) },
  });
  return {
    settings,
    config,
    secrets,
    clock,
    randomness: createSystemRandomness(),
    logger: createJsonLogger(writeLine, clock, { stage: settings.stage, component: name }),
    tracer,
    metrics: tracer === undefined ? metrics : flushBoth(metrics, tracer),
    openDatabase: openDatabase ?? (() => openLambdaDatabase(name, settings, secrets, directory)),
  };
}

/** The spans of an invocation go out with its metrics, before the function is frozen. */
function flushBoth(metrics: Metrics, tracer: Tracer): Metrics {
  return {
    ...metrics,
    flush: async () => {
      await Promise.all([metrics.flush(), tracer.flush()]);
    },
  };
}

/**
 * Milliseconds after which a retired or activated space is seen at the latest.
 * `migrate` retires and activates spaces.
 */
const MAX_AGE_MS = 300_000;
/**
 * The greatest age, in milliseconds, of a registry that an unknown space is looked for in.
 * A message can be of a space that was made a moment ago.
 */
const MAX_AGE_OF_UNKNOWN_MS = 10_000;

/**
 * The spaces as they were when they were last opened; opened anew as they grow old.
 * Everybody who asks while the spaces are being opened waits for the same opening.
 */
export function createReopenedSpaces(open: () => Promise<SpaceRegistry>, clock: Clock): SpaceRegistry {
  let current: { readonly registry: SpaceRegistry; readonly openedAtMs: number } | undefined;
  let opening: Promise<SpaceRegistry> | undefined;
  const reopen = async (): Promise<SpaceRegistry> => {
    const openedAtMs = clock.now();
    const registry = await open();
    current = { openedAtMs, registry };
    return registry;
  };
  const openIfOlder = async (maxAgeMs: number): Promise<SpaceRegistry> => {
    const ageMs = current === undefined ? Number.POSITIVE_INFINITY : clock.now() - current.openedAtMs;
    // A clock that was set back makes an age negative: the spaces are opened anew then too.
    if (current !== undefined && ageMs >= 0 && ageMs <= maxAgeMs) return current.registry;
    opening ??= reopen().finally(() => {
      opening = undefined;
    });
    return opening;
  };
  return {
    list: async () => (await openIfOlder(MAX_AGE_MS)).list(),
    async find(spaceId) {
      const known = await (await openIfOlder(MAX_AGE_MS)).find(spaceId);
      return known ?? (await openIfOlder(MAX_AGE_OF_UNKNOWN_MS)).find(spaceId);
    },
  };
}

interface DatabasePorts extends LambdaPorts {
  readonly database: SqlDatabase;
  readonly spaces: SpaceRegistry;
  readonly control: ControlStore;
}

/**
 * Opens database and spaces for a function that does nothing without them.
 * The spaces are read once here: where they are missing, nothing is wired.
 */
export async function openWithDatabase<Ports>(
  name: DeployedName,
  dependencies: LambdaDependencies,
  compose: (ports: DatabasePorts) => Ports | Promise<Ports>,
): Promise<Wired<Ports>> {
  const shared = await readLambdaPorts(name, dependencies);
  const { config, clock } = shared;
  const database = await shared.openDatabase();
  try {
    const spaces = createReopenedSpaces(() => openSpaces(database, config), clock);
    await spaces.list();
    const ports = await compose({ ...shared, database, spaces, control: createControlStore(database) });
    return { ports, isAlive: () => isReachable(database, clock), close: () => database.close() };
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}
