import { sql } from 'kysely';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { quoteName } from '../sources/quote-name.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';
import { inspectOrphans } from './inspect-orphans.ts';

/**
 * Number of vectors above which a search index is worth its cost.
 * Below this number a plain scan answers as fast. Above it, a search without an index reads every
 * vector.
 */
const WORTH_AN_INDEX = 10_000;
/**
 * Most dimensions that HNSW takes of type `vector`, by pgvector's documentation.
 * Wider vectors are indexed as `halfvec`, up to 4,000 dimensions.
 */
const MAX_INDEXED_DIMENSIONS = 2000;

/** Reports the search index of the source's active space and the vectors without a row. */
export async function inspectVectors(
  db: SqlDatabase,
  source: ResolvedSource,
): Promise<readonly DoctorFinding[]> {
  const space = await db.kysely
    .selectFrom('freshet.spaces')
    .select(['space_id', 'dimensions'])
    .where('source_name', '=', source.name)
    .where('status', '=', 'active')
    .executeTakeFirst();
  if (space === undefined) {
    return [
      {
        check: 'space',
        ok: false,
        severity: 'error',
        message: `Source "${source.name}" has no active space yet.`,
        statement: 'npm run freshet -- migrate',
      },
    ];
  }
  const name = `vectors_${space.space_id}`;
  const counted = await sql<{ many: boolean; valid: boolean; invalid: string | null }>`
    WITH search_indexes AS (
      SELECT i.indexrelid, i.indisvalid FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
       WHERE i.indrelid = to_regclass(${quoteName('freshet', name)}) AND m.amname IN ('hnsw', 'ivfflat')
    )
    SELECT (SELECT count(*) FROM (SELECT FROM ${sql.id('freshet', name)}
             WHERE embedding IS NOT NULL LIMIT ${WORTH_AN_INDEX + 1}::int) v) > ${WORTH_AN_INDEX}::int AS many,
           EXISTS (SELECT FROM search_indexes WHERE indisvalid) AS valid,
           (SELECT min(indexrelid::regclass::text) FROM search_indexes WHERE NOT indisvalid) AS invalid`.execute(
    db.kysely,
  );
  const row = counted.rows[0];
  if (row === undefined) return [];
  return [describeIndex(source, { ...space, name }, row), await inspectOrphans(db, source, name)];
}

function describeIndex(
  source: ResolvedSource,
  space: { readonly name: string; readonly dimensions: number },
  found: { many: boolean; valid: boolean; invalid: string | null },
): DoctorFinding {
  const check = 'search-index';
  const table = quoteName('freshet', space.name);
  if (found.invalid !== null) {
    return {
      check,
      ok: false,
      severity: 'warning',
      message: `Source "${source.name}": search index ${found.invalid} is invalid (its concurrent build failed).`,
      statement: `REINDEX INDEX CONCURRENTLY ${found.invalid};`,
    };
  }
  if (found.valid || !found.many) {
    return {
      check,
      ok: true,
      severity: 'info',
      message: found.valid
        ? `Source "${source.name}": a search index is there.`
        : `Source "${source.name}": no search index; below ${WORTH_AN_INDEX} vectors none is needed.`,
    };
  }
  return {
    check,
    ok: false,
    severity: 'warning',
    message: `Source "${source.name}": over ${WORTH_AN_INDEX} vectors and no search index: each search reads them all. Build it once the first load is through (before, it makes each write a hundred times dearer).`,
    ...(space.dimensions > MAX_INDEXED_DIMENSIONS
      ? {}
      : { statement: `CREATE INDEX CONCURRENTLY ON ${table} USING hnsw (embedding vector_cosine_ops);` }),
  };
}
