import { sql } from 'kysely';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { quoteName } from '../sources/quote-name.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';

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
                      AND second = (SELECT attnum FROM columns WHERE attname = ${source.keyColumn})) AS indexed,
           EXISTS (SELECT FROM usable
                    WHERE first = (SELECT attnum FROM columns WHERE attname = ${source.versionColumn})) AS "indexedWithoutKey",
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
      message: `Source "${source.name}": ${place(source)} is there and may be read.`,
    },
    versionIndex(source, row),
    ...(row.invalid === null ? [] : [invalidIndex(source, row.invalid)]),
    rowSecurity(source, row.rowSecurity),
  ];
}

function place(source: ResolvedSource): string {
  return quoteName(source.schema, source.table);
}

function versionIndex(
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
    message: `Source "${source.name}": no index on ${columns}${found.indexedWithoutKey ? ', only on the first' : ''}: each incremental pass ${found.indexedWithoutKey ? 'sorts what it reads' : 'reads the whole table'}.`,
    // The index of a partitioned table cannot be built concurrently in one statement.
    statement: `CREATE INDEX ${found.partitioned ? '' : 'CONCURRENTLY '}ON ${place(source)} ${columns};`,
  };
}

function invalidIndex(source: ResolvedSource, name: string): DoctorFinding {
  return {
    check: 'invalid-index',
    ok: false,
    severity: 'warning',
    message: `Source "${source.name}": index ${name} is invalid (its concurrent build failed): it costs every write and serves no read.`,
    statement: `REINDEX INDEX CONCURRENTLY ${name};`,
  };
}

function rowSecurity(source: ResolvedSource, active: boolean): DoctorFinding {
  return {
    check: 'row-security',
    ok: !active,
    severity: active ? 'warning' : 'info',
    message: active
      ? `Source "${source.name}": row-level security applies to this role. Rows that it hides are not embedded, and vectors of deleted rows are never removed.`
      : `Source "${source.name}": row-level security hides nothing from this role.`,
    ...(active ? { statement: 'ALTER ROLE CURRENT_USER BYPASSRLS;' } : {}),
  };
}
