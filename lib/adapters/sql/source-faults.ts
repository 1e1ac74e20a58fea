import { sql } from 'kysely';
import { FreshetError, SOURCE_FAULT_PREFIX } from '../../core/errors.ts';
import type { ResolvedSource, Space } from '../../core/model.ts';
import type { SourceFault } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { MIGRATE_COMMAND } from './migrations/schema-version.ts';

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
                    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE c.oid = ${tableOid}::oid),
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

/**
 * Failures that a changed table can cause.
 * The table, the schema or a column is gone; a permission is missing; or an operator or a cast is
 * of another type.
 */
const SUSPECT = /^sqlstate_(42P01|3F000|42703|42501|42883|42804|42846)$/;

/**
 * Runs the work and names what is wrong with the source's table where the work failed by it.
 * Only this source stops when the application changed its table.
 * @throws FreshetError of class `stop` whose code begins with `SOURCE_FAULT_PREFIX` where the table
 * has a fault; else what the work rejected with.
 */
export async function nameSourceFault<Value>(
  db: SqlDatabase,
  space: Space,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FreshetError) || !SUSPECT.test(error.code)) throw error;
    const fault = await findSourceFault(db, space);
    if (fault === undefined) throw error;
    throw new FreshetError(fault.message, {
      failureClass: 'stop',
      code: `${SOURCE_FAULT_PREFIX}${fault.code}`,
    });
  }
}

/** What `pg_catalog` says of the table that now has the source's name. */
interface SourceFacts {
  readonly role: string;
  /** OID of that table; null where no table has the name. */
  readonly oid: number | null;
  /** Present name of the table that the space was made from; null where that table is gone. */
  readonly oldName: string | null;
  readonly schemaUsable: boolean;
  readonly columns: readonly {
    readonly name: string;
    /** Type with its modifier, as `character varying(20)`. */
    readonly type: string;
    /** Type without its modifier. */
    readonly plainType: string;
    readonly isArray: boolean;
    readonly readable: boolean;
  }[];
}

/** Describes the gravest fault of the source; undefined where the source has none. */
function describeSourceFault(source: ResolvedSource, facts: SourceFacts): SourceFault | undefined {
  const table = quoteName(source.schema, source.table);
  const subject = `Source "${source.name}"`;
  if (facts.oid === null) {
    const now = facts.oldName === null ? 'It was dropped' : `It is now called ${facts.oldName}`;
    return {
      code: 'source-missing',
      message:
        `${subject}: there is no table ${table}. ${now}: Bring it back and the source goes on by ` +
        `itself, or name the new table in the configuration and run: ${MIGRATE_COMMAND}`,
    };
  }
  if (facts.oid !== source.tableOid) {
    return {
      code: 'source-swapped',
      message:
        `${subject}: ${table} is another table than the one that the vectors were made from (OID ` +
        `${facts.oid}, was ${source.tableOid}). Nothing is embedded or removed until somebody says that ` +
        `its keys mean the same rows, by: ${MIGRATE_COMMAND}`,
    };
  }
  return findColumnFault(source, facts, subject, table) ?? findPermissionFault(source, facts, subject, table);
}

function findColumnFault(
  source: ResolvedSource,
  facts: SourceFacts,
  subject: string,
  table: string,
): SourceFault | undefined {
  const names = namesOf(source);
  const missing = names.find(name => !facts.columns.some(column => column.name === name));
  if (missing !== undefined) {
    return {
      code: 'column-missing',
      message:
        `${subject}: ${table} has no column "${missing}" any more. Restore it and the source goes on by ` +
        'itself, or change the configuration.',
    };
  }
  for (const column of facts.columns) {
    const text = source.textColumns.find(candidate => candidate.name === column.name);
    const key = source.keyColumns.find(candidate => candidate.name === column.name);
    const change =
      key !== undefined && column.type !== key.type
        ? `is ${column.type}, was ${key.type}`
        : column.name === source.versionColumn && column.plainType !== source.versionType
          ? `is ${column.plainType}, was ${source.versionType}`
          : text !== undefined && text.isArray !== column.isArray
            ? `is ${column.type}, was ${text.isArray ? 'an array' : 'no array'}`
            : undefined;
    if (change !== undefined) {
      return {
        code: 'column-changed',
        message:
          `${subject}: column "${column.name}" of ${table} ${change}. Undo the change and the source ` +
          `goes on by itself, or take it over with: ${MIGRATE_COMMAND}`,
      };
    }
  }
  return undefined;
}

/** Names the columns that the statements read. */
function namesOf({ keyColumns, versionColumn, textColumns }: ResolvedSource): readonly string[] {
  const texts = textColumns.filter(({ isApart }) => !isApart);
  return [...keyColumns, { name: versionColumn }, ...texts].map(({ name }) => name);
}

function findPermissionFault(
  source: ResolvedSource,
  facts: SourceFacts,
  subject: string,
  table: string,
): SourceFault | undefined {
  const role = quoteName(facts.role);
  if (!facts.schemaUsable) {
    return {
      code: 'permission',
      message:
        `${subject}: role ${role} may not use schema ${quoteName(source.schema)}. GRANT USAGE ON SCHEMA ` +
        `${quoteName(source.schema)} TO ${role};`,
    };
  }
  const names = new Set(namesOf(source));
  const unreadable = facts.columns.filter(column => names.has(column.name) && !column.readable);
  if (unreadable.length === 0) return undefined;
  const columns = unreadable.map(column => `"${column.name}"`).join(', ');
  return {
    code: 'permission',
    message:
      `${subject}: role ${role} may not read ${columns} of ${table}. GRANT SELECT ON ${table} TO ` +
      `${role};`,
  };
}
