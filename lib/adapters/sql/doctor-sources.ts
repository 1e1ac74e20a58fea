import { sql } from 'kysely';
import { ORPHANS_CONFIRMED, sourceScope } from '../../core/control.ts';
import type { ResolvedSource } from '../../core/model.ts';
import { MAX_INDEXED_DIMENSIONS } from '../../core/vectors.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { vectorTableOf } from './freshet-tables.ts';
import { MIGRATE_COMMAND } from './migrations/migrate.ts';
import { isRemovalConfirmed, MISSING_ROWS } from './orphans.ts';

/** What one check of `freshet doctor` found. */
export interface DoctorFinding {
  /** Short and stable name of the check, such as `server`, `schema` or `updated-at-index`. */
  readonly check: string;
  readonly ok: boolean;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** SQL or a command that mends the finding, ready to be pasted. */
  readonly statement?: string | undefined;
}

/** Reports the indexes of the source's table and whether row-level security hides rows of it. */
export async function inspectSource(
  db: SqlDatabase,
  source: ResolvedSource,
): Promise<readonly DoctorFinding[]> {
  const found = await sql<{
    indexed: boolean;
    indexedWithoutKey: boolean;
    invalid: string | null;
    partitioned: boolean;
    rowSecurity: boolean;
  }>`
    WITH usable AS (
      SELECT i.indkey[0] AS first, i.indkey[1] AS second FROM pg_index i
       WHERE i.indrelid = ${source.tableOid}::oid AND i.indisvalid AND i.indpred IS NULL
    ), columns AS (
      SELECT attname, attnum FROM pg_attribute WHERE attrelid = ${source.tableOid}::oid
    )
    SELECT EXISTS (SELECT FROM usable
                    WHERE first = (SELECT attnum FROM columns WHERE attname = ${source.versionColumn})
                      AND second = (SELECT attnum FROM columns WHERE attname = ${source.keyColumn}))
             AS indexed,
           EXISTS (SELECT FROM usable
                    WHERE first = (SELECT attnum FROM columns WHERE attname = ${source.versionColumn}))
             AS "indexedWithoutKey",
           (SELECT min(i.indexrelid::regclass::text) FROM pg_index i
             WHERE i.indrelid = ${source.tableOid}::oid AND NOT i.indisvalid) AS invalid,
           (SELECT relkind = 'p' FROM pg_class WHERE oid = ${source.tableOid}::oid) AS partitioned,
           row_security_active(${source.tableOid}::oid) AS "rowSecurity"`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined) return [];
  return [
    {
      check: 'source',
      ok: true,
      severity: 'info',
      message: `Source "${source.name}": ${quoteTable(source)} is there and may be read.`,
    },
    describeVersionIndex(source, row),
    ...(row.invalid === null ? [] : [describeInvalidIndex(source, row.invalid)]),
    describeRowSecurity(source, row.rowSecurity),
  ];
}

function quoteTable(source: ResolvedSource): string {
  return quoteName(source.schema, source.table);
}

function describeVersionIndex(
  source: ResolvedSource,
  found: { indexed: boolean; indexedWithoutKey: boolean; partitioned: boolean },
): DoctorFinding {
  const columns = `(${quoteName(source.versionColumn)}, ${quoteName(source.keyColumn)})`;
  if (found.indexed) {
    return {
      check: 'updated-at-index',
      ok: true,
      severity: 'info',
      message: `Source "${source.name}": an index on ${columns} serves the incremental pass.`,
    };
  }
  return {
    check: 'updated-at-index',
    ok: false,
    severity: 'warning',
    message:
      `Source "${source.name}": no index on ${columns}` +
      `${found.indexedWithoutKey ? ', only on the first' : ''}: each incremental pass ` +
      `${found.indexedWithoutKey ? 'sorts what it reads' : 'reads the whole table'}.`,
    // The index of a partitioned table cannot be built concurrently in one statement.
    statement: `CREATE INDEX ${found.partitioned ? '' : 'CONCURRENTLY '}ON ${quoteTable(source)} ${columns};`,
  };
}

function describeInvalidIndex(source: ResolvedSource, name: string): DoctorFinding {
  return {
    check: 'invalid-index',
    ok: false,
    severity: 'warning',
    message:
      `Source "${source.name}": index ${name} is invalid (its concurrent build failed): it costs every ` +
      'write and serves no read.',
    statement: `REINDEX INDEX CONCURRENTLY ${name};`,
  };
}

function describeRowSecurity(source: ResolvedSource, active: boolean): DoctorFinding {
  return {
    check: 'row-security',
    ok: !active,
    severity: active ? 'warning' : 'info',
    message: active
      ? `Source "${source.name}": row-level security applies to this role. Rows that it hides are not ` +
        'embedded, and vectors of deleted rows are never removed.'
      : `Source "${source.name}": row-level security hides nothing from this role.`,
    ...(active ? { statement: 'ALTER ROLE CURRENT_USER BYPASSRLS;' } : {}),
  };
}

/**
 * Number of vectors above which a search index is worth its cost.
 * Below this number a plain scan answers as fast. Above it, a search without an index reads every
 * vector.
 */
const WORTH_AN_INDEX = 10_000;

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
        statement: MIGRATE_COMMAND,
      },
    ];
  }
  const name = vectorTableOf(space.space_id);
  const counted = await sql<{ many: boolean; valid: boolean; invalid: string | null }>`
    WITH search_indexes AS (
      SELECT i.indexrelid, i.indisvalid FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
       WHERE i.indrelid = to_regclass(${quoteName('freshet', name)}) AND m.amname IN ('hnsw', 'ivfflat')
    )
    SELECT (SELECT count(*) FROM (SELECT FROM ${sql.id('freshet', name)}
             WHERE embedding IS NOT NULL LIMIT ${WORTH_AN_INDEX + 1}::int) v) > ${WORTH_AN_INDEX}::int
             AS many,
           EXISTS (SELECT FROM search_indexes WHERE indisvalid) AS valid,
           (SELECT min(indexrelid::regclass::text) FROM search_indexes WHERE NOT indisvalid)
             AS invalid`.execute(db.kysely);
  const row = counted.rows[0];
  if (row === undefined) return [];
  return [describeSearchIndex(source, { ...space, name }, row), await inspectOrphans(db, source, name)];
}

function describeSearchIndex(
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
  return {
    check,
    ok: false,
    severity: 'warning',
    message:
      `Source "${source.name}": over ${WORTH_AN_INDEX} vectors and no search index: each search reads ` +
      'them all. Build it once the first load is through ' +
      '(before, it makes each write a hundred times dearer).',
    ...(space.dimensions > MAX_INDEXED_DIMENSIONS
      ? {}
      : { statement: `CREATE INDEX CONCURRENTLY ON ${table} USING hnsw (embedding vector_cosine_ops);` }),
  };
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
  vectorTable: string,
): Promise<DoctorFinding> {
  const table = sql.id(source.schema, source.table);
  const scope = sourceScope(source.name);
  const { rows } = await sql<CountedOrphans>`
    SELECT count(*)::float8 AS vectors,
           count(*) FILTER (WHERE NOT EXISTS (
             SELECT FROM ${table} s WHERE s.${sql.id(source.keyColumn)} = v.item_id))::float8 AS missing,
           NOT EXISTS (SELECT FROM ${table}) AS emptied,
           row_security_active(${source.tableOid}::oid) AS hidden,
           ${isRemovalConfirmed(source.name)} AS confirmed
      FROM ${sql.id('freshet', vectorTable)} v WHERE v.chunk = 0`.execute(db.kysely);
  return describeOrphans(source.name, scope, rows[0]);
}

function describeOrphans(name: string, scope: string, found: CountedOrphans | undefined): DoctorFinding {
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
  if (found.confirmed || (found.missing < MISSING_ROWS && !found.emptied)) {
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
      `${what} any more. Where that is over a tenth of a slice, or the table is empty, none is removed: ` +
      'bring the rows back, or confirm within a day of the removal that they are meant to be gone.',
    statement:
      `INSERT INTO freshet.control (scope, reason) VALUES ('${scope.replaceAll("'", "''")}', ` +
      `'${ORPHANS_CONFIRMED}') ON CONFLICT (scope, reason) DO UPDATE SET since = now();`,
  };
}
