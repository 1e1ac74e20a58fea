import { sql } from 'kysely';
import type { SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { suggestNames } from './suggest-names.ts';

/**
 * Finds the zone of a `timestamp without time zone`, spelled as the server spells it.
 * @throws UsageError where no zone is configured, or the server does not know the zone.
 */
export async function checkTimeZone(
  db: SqlDatabase,
  config: SourceConfig,
  versionColumn: string,
): Promise<string> {
  if (config.timeZone === undefined) {
    throw new UsageError(
      `Source "${config.name}": column "${versionColumn}" has no time zone. Add the zone that its values are in to the source, for example timeZone: 'UTC'.`,
    );
  }
  const zones = await sql<{ name: string }>`SELECT name FROM pg_timezone_names ORDER BY name`.execute(
    db.kysely,
  );
  const names = zones.rows.map(zone => zone.name);
  const exact = names.find(name => name.toLowerCase() === config.timeZone?.toLowerCase());
  if (exact !== undefined) return exact;
  throw new UsageError(
    `Source "${config.name}": the server knows no time zone "${config.timeZone}"${suggestNames(config.timeZone, names)}.`,
  );
}
