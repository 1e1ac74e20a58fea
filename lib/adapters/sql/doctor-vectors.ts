import { sql } from 'kysely';
import { ORPHANS_CONFIRMED, sourceScope } from '../../core/control.ts';
import type { ResolvedSource, VectorStorage } from '../../core/model.ts';
import { cosineOperatorClass, maxIndexedDimensions } from '../../core/vectors.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { quoteName } from './fragments.ts';
import { vectorTableOf } from './freshet-tables.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { inspectKeywords } from './keywords.ts';
import { MIGRATE_COMMAND } from './migrations/schema-version.ts';
import { isRemovalConfirmed, MISSING_ROWS } from './orphans.ts';
import { findGonePartitions } from './partitions.ts';
import { hasHashedRows } from './quote-space.ts';

/**
 * Number of vectors above which a search index is worth its cost.
 * Below this number a plain scan answers as fast. Above it, a search without an index reads every
 * vector.
 */
const WORTH_AN_INDEX = 10_000;

/** Reports the indexes that searches of the source use, and the vectors without a row. */
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
        statement: MIGRATE_COMMAND,
      },
    ];
  }
  const name = vectorTableOf(space.space_id);
  const counted = await sql<FoundVectors>`
    WITH search_indexes AS (
      SELECT i.indexrelid, i.indisvalid FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
       WHERE i.indrelid = to_regclass(${quoteName('freshet', name)}) AND m.amname IN ('hnsw', 'ivfflat')
    )
    SELECT (SELECT count(*) FROM (SELECT FROM ${sql.id('freshet', name)}
             WHERE embedding IS NOT NULL LIMIT ${WORTH_AN_INDEX + 1}::int) v) > ${WORTH_AN_INDEX}::int
             AS many,
           (SELECT CASE t.typname WHEN 'halfvec' THEN 'halfvec' END
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = to_regclass(${quoteName('freshet', name)}) AND a.attname = 'embedding')
             AS storage,
           EXISTS (SELECT FROM search_indexes WHERE indisvalid) AS valid,
           (SELECT min(indexrelid::regclass::text) FROM search_indexes WHERE NOT indisvalid)
             AS invalid`.execute(db.kysely);
  const row = counted.rows[0];
  if (row === undefined) return [];
  return [
    describeSearchIndex(source, { ...space, name }, row),
    ...(await inspectKeywords(db, source, name)),
    await inspectOrphans(db, source, space.space_id),
  ];
}

interface FoundVectors {
  readonly many: boolean;
  readonly valid: boolean;
  readonly invalid: string | null;
  /** The type of the table that stands, whatever the configuration asks for now. */
  readonly storage: 'halfvec' | null;
}

function describeSearchIndex(
  source: ResolvedSource,
  space: { readonly name: string; readonly dimensions: number },
  found: FoundVectors,
): DoctorFinding {
  const check = 'search-index';
  const table = quoteName('freshet', space.name);
  if (found.invalid !== null) {
    return {
      check,
      ok: false,
      severity: 'warning',
      message:
        `Source "${source.name}": search index ${found.invalid} is invalid ` +
        '(its concurrent build failed).',
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
  const storage = found.storage ?? undefined;
  const tooWide = describeTooWide(space.dimensions, storage);
  const operators = cosineOperatorClass(storage);
  return {
    check,
    ok: false,
    severity: 'warning',
    message:
      `Source "${source.name}": over ${WORTH_AN_INDEX} vectors and no search index: each search reads ` +
      (tooWide ??
        'them all. Build it once the first load is through ' +
          '(before, it makes each write a hundred times dearer).'),
    ...(tooWide === undefined && {
      statement:
        `CREATE INDEX CONCURRENTLY ON ${table} USING hnsw (embedding ${operators}) ` +
        'WITH (ef_construction = 200);',
    }),
  };
}

/** Ends the sentence where no index can be built of vectors as they are. Undefined: it can. */
function describeTooWide(dimensions: number, storage: VectorStorage): string | undefined {
  const most = maxIndexedDimensions(storage);
  if (dimensions <= most) return undefined;
  const mostHalf = maxIndexedDimensions('halfvec');
  return (
    `them all. HNSW takes ${most} dimensions of ${storage ?? 'vector'}, the model has ${dimensions}` +
    (dimensions <= mostHalf
      ? `: set storage: "halfvec" for the source, of which it takes ${mostHalf}.`
      : ', and there is no type of which it takes so many.')
  );
}

interface CountedOrphans {
  readonly vectors: number;
  readonly missing: number;
  readonly emptied: boolean;
  readonly hidden: boolean;
  readonly confirmed: boolean;
}

/**
 * Reports whether outcome rows whose source row is gone or hidden will be removed.
 * Where they are kept, the finding says what an operator does.
 */
async function inspectOrphans(
  db: SqlDatabase,
  source: ResolvedSource,
  spaceId: number,
): Promise<DoctorFinding> {
  const table = sql.id(source.schema, source.table);
  const scope = sourceScope(source.name);
  const keys = keyColumnsOf(source);
  const isMeant = (await findGonePartitions(db, spaceId, source)) ?? (() => sql`false`);
  const { rows } = await sql<CountedOrphans>`
    SELECT count(*)::float8 AS vectors,
           count(*) FILTER (WHERE NOT EXISTS (
             SELECT FROM ${table} s WHERE ${areEqual(keys.source, keys.stored('v'))})
                              AND NOT ${isMeant(keys.stored('v'))})::float8 AS missing,
           NOT EXISTS (SELECT FROM ${table}) AS emptied,
           row_security_active(${source.tableOid}::oid) AS hidden,
           ${isRemovalConfirmed(source.name)} AS confirmed
      FROM ${sql.id('freshet', vectorTableOf(spaceId))} v WHERE v.chunk = 0`.execute(db.kysely);
  return describeOrphans(source, scope, rows[0]);
}

const FOR_NO_TABLE = 'The source is no table';
const FOR_A_TABLE = 'Where that is over a tenth of a slice, or the table is empty';

function describeOrphans(
  { name, ...source }: ResolvedSource,
  scope: string,
  found: CountedOrphans | undefined,
): DoctorFinding {
  const isLoose = hasHashedRows(source);
  const check = 'orphans';
  if (found === undefined || found.missing === 0)
    return { check, ok: true, severity: 'info', message: `Source "${name}": every vector has its row.` };
  const what = `Source "${name}": ${found.missing} of ${found.vectors} vectors have no row`;
  if (found.hidden) {
    return {
      check,
      ok: false,
      severity: 'warning',
      message: `${what} that this role sees. None is removed while row-level security may hide them.`,
      statement: 'ALTER ROLE CURRENT_USER BYPASSRLS;',
    };
  }
  if (found.confirmed || (found.missing < MISSING_ROWS && !found.emptied && !isLoose)) {
    return {
      check,
      ok: true,
      severity: 'info',
      message:
        `${what} any more${found.confirmed ? ', and somebody confirmed it' : ''}: they are removed an ` +
        'hour and a reconcile pass later.',
    };
  }
  return {
    check,
    ok: false,
    severity: 'warning',
    message:
      `${what} any more. ${isLoose ? FOR_NO_TABLE : FOR_A_TABLE}: none is removed. Bring the rows back, or ` +
      'confirm within a day of the removal that they are meant to be gone.',
    statement:
      `INSERT INTO freshet.control (scope, reason) VALUES ('${scope.replaceAll("'", "''")}', ` +
      `'${ORPHANS_CONFIRMED}') ON CONFLICT (scope, reason) DO UPDATE SET since = now();`,
  };
}
