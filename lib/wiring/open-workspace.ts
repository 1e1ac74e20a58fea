import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import type { PipelineConfig, PipelineLimits } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { chooseDatabase, type DatabasePlace, openDatabase } from './open-database.ts';
import { type Environment, readEnvironment } from './read-environment.ts';

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

export interface WorkspaceRequest {
  readonly config: string | undefined;
  readonly databaseUrl: string | undefined;
  /** The folder that relative paths start from. */
  readonly directory: string;
  readonly limits?: Partial<PipelineLimits>;
  /** True: an embedded database may be created. False: its absence is an error. */
  readonly create: boolean;
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
  const loaded = await loadConfig(request.config, request.directory);
  const config = { ...loaded.config, limits: { ...loaded.config.limits, ...request.limits } };
  const environment = readEnvironment();
  await request.before?.({ ...loaded, config }, environment);
  const place = chooseDatabase({
    flag: request.databaseUrl,
    environment,
    config,
    directory: request.directory,
  });
  if (!request.create) await expectEmbedded(place);
  const database = await openDatabase(place, config.limits.concurrency + 2);
  try {
    return await use({ ...loaded, config, place, environment, database, directory: request.directory });
  } finally {
    await database.close();
  }
}

async function expectEmbedded(place: DatabasePlace): Promise<void> {
  if (place.kind === 'url') return;
  const exists = await access(place.directory).then(
    () => true,
    () => false,
  );
  if (!exists)
    throw new UsageError(
      `There is no embedded database in ${dirname(place.directory)} yet.`,
      'npm start creates it; --database-url URL or DATABASE_URL names another one',
    );
}
