import { sql } from 'kysely';
import type { ResolvedSource } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { hasHashedRows } from './quote-space.ts';

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
  const wanted = versionIndexColumns(source);
  const found = await sql<{
    indexed: boolean;
    indexedWithoutKey: boolean;
    invalid: string | null;
    partitioned: boolean;
    rowSecurity: boolean;
  }>`
    WITH usable AS (
      SELECT (SELECT coalesce(json_agg(a.attname ORDER BY k.place), '[]')::jsonb
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
               WHERE k.place <= ${wanted.length}::int) AS names
        FROM pg_index i
       WHERE i.indrelid = ${source.tableOid}::oid AND i.indisvalid AND i.indpred IS NULL
    )
    SELECT EXISTS (SELECT FROM usable WHERE names = ${JSON.stringify(wanted)}::jsonb) AS indexed,
           EXISTS (SELECT FROM usable WHERE names ->> 0 = ${source.versionColumn}) AS "indexedWithoutKey",
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
    ...(hasHashedRows(source) ? [] : [describeVersionIndex(source, row)]),
    ...(row.invalid === null ? [] : [describeInvalidIndex(source, row.invalid)]),
    describeRowSecurity(source, row.rowSecurity),
  ];
}

function quoteTable(source: ResolvedSource): string {
  return quoteName(source.schema, source.table);
}

/** Names the columns of the index that the incremental pass walks. */
function versionIndexColumns({ versionColumn, keyColumns }: ResolvedSource): readonly string[] {
  return [versionColumn, ...keyColumns.map(({ name }) => name)];
}

function describeVersionIndex(
  source: ResolvedSource,
  found: { indexed: boolean; indexedWithoutKey: boolean; partitioned: boolean },
): DoctorFinding {
  const columns = `(${versionIndexColumns(source)
    .map(name => quoteName(name))
    .join(', ')})`;
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
