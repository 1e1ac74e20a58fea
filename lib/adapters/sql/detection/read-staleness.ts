import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Leases of the fresh lane, expired ones too: a row keeps its lease, and with it `first_seen`, until its outcome is written. */
export async function readStaleness(
  db: SqlDatabase,
  space: Space,
): Promise<{ readonly staleRows: number; readonly oldestStaleAgeSeconds: number }> {
  const { rows } = await sql<{ staleRows: number; ageSeconds: number }>`
    SELECT count(*)::int AS "staleRows",
           greatest(coalesce(extract(epoch FROM now() - min(first_seen)), 0), 0)::float8 AS "ageSeconds"
      FROM freshet.leases WHERE space_id = ${space.spaceId}::int AND lane = 'fresh'`.execute(db.kysely);
  return { staleRows: rows[0]?.staleRows ?? 0, oldestStaleAgeSeconds: rows[0]?.ageSeconds ?? 0 };
}
