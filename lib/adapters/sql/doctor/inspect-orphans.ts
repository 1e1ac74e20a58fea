import { sql } from 'kysely';
import { ORPHANS_CONFIRMED } from '../../../core/model/confirmation.ts';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { MISSING_ROWS } from '../detection/remove-orphans.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';

interface Counted {
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
export async function inspectOrphans(
  db: SqlDatabase,
  source: ResolvedSource,
  vectorTable: string,
): Promise<DoctorFinding> {
  const table = sql.id(source.schema, source.table);
  const scope = `source:${source.name}`;
  const { rows } = await sql<Counted>`
    SELECT count(*)::float8 AS vectors,
           count(*) FILTER (WHERE NOT EXISTS (
             SELECT FROM ${table} s WHERE s.${sql.id(source.keyColumn)} = v.item_id))::float8 AS missing,
           NOT EXISTS (SELECT FROM ${table}) AS emptied,
           row_security_active(${source.tableOid}::oid) AS hidden,
           EXISTS (SELECT FROM freshet.control WHERE scope = ${scope} AND reason = ${ORPHANS_CONFIRMED}
                    AND since > now() - interval '1 day') AS confirmed
      FROM ${sql.id('freshet', vectorTable)} v WHERE v.chunk = 0`.execute(db.kysely);
  return describe(source.name, scope, rows[0]);
}

function describe(name: string, scope: string, found: Counted | undefined): DoctorFinding {
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
      message: `${what} any more${found.confirmed ? ', and somebody confirmed it' : ''}: they are removed an hour and a reconcile pass later.`,
    };
  }
  return {
    check,
    ok: false,
    severity: 'warning',
    message: `${what} any more. Where that is over a tenth of a slice, or the table is empty, none is removed: bring the rows back, or confirm within a day of the removal that they are meant to be gone.`,
    statement: `INSERT INTO freshet.control (scope, reason) VALUES ('${scope.replaceAll("'", "''")}', '${ORPHANS_CONFIRMED}') ON CONFLICT (scope, reason) DO UPDATE SET since = now();`,
  };
}
