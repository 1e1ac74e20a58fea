import { resolve } from 'node:path';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { Environment } from './read-environment.ts';

/** Where the database is. */
export type DatabasePlace =
  | { readonly kind: 'embedded'; readonly directory: string }
  | { readonly kind: 'url'; readonly url: string; readonly givenBy: string };

/**
 * Chooses the database of a command.
 * The flag wins over `DATABASE_URL`, and `DATABASE_URL` over the configuration. Without any of them
 * the embedded database is chosen.
 * @throws UsageError for an address that is no PostgreSQL URL.
 */
export function chooseDatabase(choice: {
  readonly flag: string | undefined;
  readonly environment: Environment;
  readonly config: PipelineConfig;
  /** The folder that a relative `embeddedDirectory` starts from. */
  readonly directory: string;
}): DatabasePlace {
  const candidates = [
    ['--database-url', choice.flag],
    ['DATABASE_URL', choice.environment.databaseUrl],
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
export async function openDatabase(place: DatabasePlace, maxConnections: number): Promise<SqlDatabase> {
  if (place.kind === 'embedded') {
    const { openPglite } = await import('../adapters/pglite/open-pglite.ts');
    return openPglite({ directory: place.directory });
  }
  const { openPostgres } = await import('../adapters/postgres/open-postgres.ts');
  return openPostgres({ connectionString: place.url, maxConnections, applicationName: 'freshet' });
}
