import { type Kysely, sql } from 'kysely';

/** 8 KB pages that statements of this database touched in tables and indexes so far, from cache or from disk. The counters of a session arrive late unless told to. */
export async function readPageCount<Tables>(kysely: Kysely<Tables>): Promise<number> {
  await sql`SELECT pg_stat_force_next_flush()`.execute(kysely);
  const { rows } = await sql<{ pages: number }>`
    SELECT sum(coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0) + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)
             + coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0))::float8 AS pages
      FROM pg_statio_user_tables`.execute(kysely);
  return rows[0]?.pages ?? 0;
}
