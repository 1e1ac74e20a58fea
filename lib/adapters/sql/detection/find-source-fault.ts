import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SourceFault } from '../../../ports/detection-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { describeSourceFault, type SourceFacts } from './describe-source-fault.ts';

/**
 * Finds what is wrong with the source's table; undefined where all is well.
 * The statement reads `pg_catalog` alone. It takes no lock on the source, so an application's
 * migration neither waits for the statement nor stops it.
 */
export async function findSourceFault(
  db: SqlDatabase,
  { source }: Pick<Space, 'source'>,
): Promise<SourceFault | undefined> {
  const { schema, table, tableOid } = source;
  const { rows } = await sql<{ facts: string }>`
    SELECT json_build_object(
      'role', current_user,
      'oid', named.oid::bigint,
      'oldName', (SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class AS c
                    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${tableOid}::oid),
      'schemaUsable', coalesce(has_schema_privilege(named.relnamespace, 'USAGE'), true),
      'columns', (SELECT coalesce(json_agg(json_build_object(
                    'name', a.attname,
                    'type', format_type(a.atttypid, a.atttypmod),
                    'plainType', format_type(a.atttypid, NULL),
                    'isArray', t.typcategory = 'A',
                    'readable', has_column_privilege(a.attrelid, a.attnum, 'SELECT'))), '[]')
                    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                   WHERE a.attrelid = named.oid AND a.attnum > 0 AND NOT a.attisdropped))::text AS facts
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN (SELECT c.oid, c.relnamespace FROM pg_catalog.pg_class AS c
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE n.nspname = ${schema}::text AND c.relname = ${table}::text) AS named ON true`.execute(
    db.kysely,
  );
  const facts = rows[0]?.facts;
  return facts === undefined ? undefined : describeSourceFault(source, JSON.parse(facts) as SourceFacts);
}
