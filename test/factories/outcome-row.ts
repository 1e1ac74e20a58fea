import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import type { Space } from '../../lib/core/model.ts';

/** Stores an outcome for a source row of `ai_items`, for the version it has now unless `version` is given. */
export async function storeOutcome(
  db: SqlDatabase,
  space: Space,
  row: {
    readonly id: number | string;
    readonly outcome?: string;
    readonly embedding?: string;
    readonly hash?: string;
    readonly version?: string;
  },
): Promise<void> {
  const outcome = row.outcome ?? 'embedded';
  const embedding = outcome === 'embedded' ? (row.embedding ?? '[1,0,0]') : null;
  await sql`
    INSERT INTO ${sql.id('freshet', space.vectorTable)}
      (item_id, outcome, content_hash, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT id, ${outcome}, decode(${row.hash ?? null}, 'hex'),
           coalesce(${row.version ?? null}::timestamptz, updated_at), xmin, now(), ${embedding}::vector,
           CASE WHEN ${outcome} = 'embedded' THEN now() END
      FROM public.ai_items WHERE id::text = ${String(row.id)}`.execute(db.kysely);
}

export async function storeLease(
  db: SqlDatabase,
  space: Space,
  lease: {
    readonly id: number | string;
    readonly expiresIn?: string;
    readonly runId?: number;
    readonly attempts?: number;
  },
): Promise<void> {
  await sql`
    INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, attempts, run_id, expires_at)
    VALUES (${space.spaceId}, ${String(lease.id)}, gen_random_uuid(), 'bulk', 'queued', ${lease.attempts ?? 0},
            ${lease.runId ?? null}, now() + ${lease.expiresIn ?? '2 minutes'}::interval)`.execute(db.kysely);
}
