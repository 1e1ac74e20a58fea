import { stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { importFile } from '../adapters/import-file.ts';
import { narrowFolder } from '../adapters/private-files.ts';
import type { SqlDatabase } from '../adapters/sql/database.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import { parseWithVariables } from '../core/config/parse-with-variables.ts';
import type { PipelineConfig, PipelineLimits } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import { FRESHET } from '../core/own-command.ts';
import { PROVIDER_NAMES, PROVIDERS, type ProviderName } from '../core/providers.ts';
import { exists, findDemo, findFile, OWN_FILES } from './find-config.ts';

/** A configuration as it was read from its file. */
export interface LoadedConfig {
  readonly config: PipelineConfig;
  /** The configuration as the file exports it; `config` was made from it. */
  readonly input: FreshetConfig;
  /** The file as people name it: relative to the current folder where it lies in that folder. */
  readonly file: string;
  /** True: the file is the bundled demo, whose table may be created. */
  readonly demo: boolean;
}

/**
 * Reads the configuration file, which is code and is run.
 * The file is the one given, else `freshet.config.ts` (or `.mts`, `.cts`, `.js`, `.mjs`, `.cjs`) in
 * `directory`, else the demo's.
 * What the file leaves out is filled from `variables`, which the demo leaves alone and a synthesis
 * does not give: a template must not depend on the shell of whoever made it.
 * @throws UsageError when the file is missing, does not compile, or has no configuration as its
 * default export, and for a file in `directory` whose name is nearly that of a configuration.
 */
export async function loadConfig(
  named: string | undefined,
  directory: string,
  variables: Environment['variables'] = {},
): Promise<LoadedConfig> {
  const file = await findFile(named, directory);
  const name = displayName(file, directory);
  const loaded = await importConfig(file, name);
  if (!('default' in loaded))
    throw new UsageError(
      `${name} has no default export.`,
      `export default defineConfig({ sources: [ … ] }); // ${FRESHET} init writes one`,
    );
  try {
    const demo = file === findDemo();
    const exported = defaultOf(loaded.default);
    const { input, config } = parseWithVariables(exported, demo ? {} : variables);
    return { config, input: input as FreshetConfig, file: name, demo };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${name}: ${error.message}`, error.remedy);
    throw error;
  }
}

async function importConfig(file: string, name: string): Promise<Record<string, unknown>> {
  if ((await stat(file)).isDirectory())
    throw new UsageError(`--config names the folder ${file}.`, `Name the file in it: ${OWN_FILES[0]}`);
  try {
    return await importFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    const place = new RegExp(`${escapePattern(basename(file))}:(\\d+)`).exec(reason.stack ?? '');
    const where = place === null ? name : `${name}:${place[1]}`;
    throw new UsageError(`${where} cannot be loaded: ${reason.name}: ${reason.message.trim()}`);
  }
}

/** Reads the default export; CommonJS that was compiled from `export default` has it one deeper. */
function defaultOf(exported: unknown): unknown {
  const isCompiled = typeof exported === 'object' && exported !== null && '__esModule' in exported;
  return isCompiled && 'default' in exported ? exported.default : exported;
}

function displayName(file: string, directory: string): string {
  const path = relative(directory, file);
  return path.startsWith('..') || isAbsolute(path) ? file : path;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Where the database is. */
export type DatabasePlace =
  | { readonly kind: 'embedded'; readonly directory: string }
  | { readonly kind: 'url'; readonly url: string; readonly givenBy: string };

/**
 * Chooses the database of a command.
 * The flag wins over `DATABASE_URL`, and `DATABASE_URL` over the configuration. Without any of them
 * the embedded database is chosen. The demo leaves `DATABASE_URL` alone, because it is exported for
 * another program where somebody tries the demo: nothing may be created there unasked.
 * @throws UsageError for an address that is no PostgreSQL URL.
 */
export function chooseDatabase(choice: {
  readonly flag: string | undefined;
  readonly environment: Environment;
  readonly config: Pick<PipelineConfig, 'database'>;
  /** True: the configuration is the bundled demo. */
  readonly demo: boolean;
  /** The folder that a relative `embeddedDirectory` starts from. */
  readonly directory: string;
}): DatabasePlace {
  const candidates = [
    ['--database-url', choice.flag],
    ['DATABASE_URL', choice.demo ? undefined : choice.environment.databaseUrl],
    ['database.url', choice.config.database.url],
  ] as const;
  for (const [givenBy, url] of candidates) {
    if (url === undefined) continue;
    if (!/^postgres(ql)?:\/\//.test(url))
      throw new UsageError(
        `${givenBy} is not a PostgreSQL URL.`,
        'postgres://user:password@host:5432/database?sslmode=verify-full',
      );
    return { kind: 'url', url, givenBy };
  }
  return { kind: 'embedded', directory: resolve(choice.directory, choice.config.database.embeddedDirectory) };
}

/** Opens the database, and loads only the engine that is used. */
export async function openDatabase(
  place: DatabasePlace,
  maxConnections: number,
  lockTimeoutMs?: number,
): Promise<SqlDatabase> {
  if (place.kind === 'embedded') {
    const { openPglite } = await import('../adapters/pglite/open-pglite.ts');
    return openPglite({ directory: place.directory });
  }
  const { openPostgres } = await import('../adapters/postgres/open-postgres.ts');
  const options = { maxConnections, applicationName: 'freshet', lockTimeoutMs };
  return openPostgres({ connectionString: place.url, ...options });
}

/** What Freshet reads from the environment; undefined: not set. */
export interface Environment {
  readonly databaseUrl: string | undefined;
  /** The bearer tokens of models, by provider. */
  readonly providerKeys: Readonly<Partial<Record<ProviderName, string>>>;
  /** The addresses of models that name none, by provider. */
  readonly providerUrls: Readonly<Partial<Record<ProviderName, string>>>;
  /** All variables, for the headers of models that name one. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/** Reads the variables that Freshet reads, all of them. An empty variable counts as not set. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const read = (name: string | undefined) =>
    name === undefined ? undefined : variables[name]?.trim() || undefined;
  const readEach = (nameOf: (provider: ProviderName) => string | undefined) =>
    Object.fromEntries(
      PROVIDER_NAMES.flatMap(provider => {
        const value = read(nameOf(provider));
        return value === undefined ? [] : [[provider, value]];
      }),
    );
  return {
    databaseUrl: read('DATABASE_URL'),
    providerKeys: readEach(provider => PROVIDERS[provider].key?.variable),
    providerUrls: readEach(provider => PROVIDERS[provider].urlVariable),
    variables,
  };
}

/** The folder of this program in the folder of a workspace; its owner's alone. */
export const OWN_FOLDER = '.freshet';

/** A configuration with its database, as every command starts from. */
export interface Workspace {
  readonly config: PipelineConfig;
  readonly file: string;
  readonly demo: boolean;
  readonly place: DatabasePlace;
  /** The folder that relative paths start from; `.freshet` lies in it. */
  readonly directory: string;
  readonly environment: Environment;
  readonly database: SqlDatabase;
}

/** What a command opens its workspace with. */
export interface WorkspaceRequest {
  readonly config: string | undefined;
  readonly databaseUrl: string | undefined;
  /** The folder that relative paths start from. */
  readonly directory: string;
  /** The limits that hold in place of the configuration's. */
  readonly limits?: (config: PipelineConfig) => Partial<PipelineLimits>;
  /** True: an embedded database may be created. False: its absence is an error. */
  readonly create: boolean;
  /** How long statements wait for a lock; undefined: as the server says. */
  readonly lockTimeoutMs?: number;
  /** Is told what a person may have expected otherwise, in a sentence. */
  readonly onNotice?: (sentence: string) => void;
  /** Checks what must hold before a database is opened. */
  readonly before?: (loaded: LoadedConfig, environment: Environment) => Promise<void> | void;
}

/**
 * Opens the workspace, lets `use` work in it, and closes the database in any case.
 * @throws UsageError for a wrong configuration or address, and where no embedded database exists
 * and none may be created.
 */
export async function withWorkspace<Result>(
  request: WorkspaceRequest,
  use: (workspace: Workspace) => Promise<Result>,
): Promise<Result> {
  const loaded = await loadConfig(request.config, request.directory, process.env);
  const config = {
    ...loaded.config,
    limits: { ...loaded.config.limits, ...request.limits?.(loaded.config) },
  };
  const environment = readEnvironment();
  await request.before?.({ ...loaded, config }, environment);
  const place = chooseDatabase({
    flag: request.databaseUrl,
    environment,
    config,
    demo: loaded.demo,
    directory: request.directory,
  });
  if (loaded.demo && place.kind === 'embedded' && environment.databaseUrl !== undefined)
    request.onNotice?.(
      'DATABASE_URL is set and not used: there is no freshet.config.ts here, and the demo stays on its ' +
        'embedded database. --database-url "$DATABASE_URL" names that one.',
    );
  if (!request.create) await expectEmbedded(place);
  await narrowFolder(join(request.directory, OWN_FOLDER), 'files');
  const database = await openDatabase(place, config.limits.concurrency + 2, request.lockTimeoutMs);
  try {
    return await use({ ...loaded, config, place, environment, database, directory: request.directory });
  } finally {
    await database.close();
  }
}

/** @throws UsageError where the place is an embedded database that is not there yet. */
export async function expectEmbedded(place: DatabasePlace): Promise<void> {
  if (place.kind === 'url' || (await exists(place.directory))) return;
  throw new UsageError(
    `There is no embedded database in ${dirname(place.directory)} yet.`,
    `${FRESHET} start creates it; --database-url URL or DATABASE_URL names another one`,
  );
}
