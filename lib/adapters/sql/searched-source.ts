import { sql } from 'kysely';
import type { JsonFilter, SearchSection } from '../../core/config/search-schema.ts';
import { searchFunctionOf } from '../../core/config/source-rules.ts';
import { UsageError } from '../../core/errors.ts';
import type { ResolvedSource } from '../../core/model.ts';
import type { FilterColumn, FilterKind } from '../../core/search-filter.ts';
import type { SearchedSource } from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { quoteName } from './fragments.ts';
import { isSearchFunctionTaken } from './search-function.ts';
import { readColumns, suggestNames, type TableColumn } from './source-table.ts';

/** Types by which rows can be filtered, with the type that a parameter is cast to. */
const KINDS: Readonly<Record<string, { readonly kind: FilterKind; readonly type?: string }>> = {
  bigint: { kind: 'whole' },
  integer: { kind: 'whole' },
  smallint: { kind: 'whole' },
  numeric: { kind: 'number' },
  real: { kind: 'number' },
  'double precision': { kind: 'number' },
  boolean: { kind: 'boolean' },
  uuid: { kind: 'uuid' },
  date: { kind: 'time' },
  'timestamp with time zone': { kind: 'time' },
  'timestamp without time zone': { kind: 'time' },
  text: { kind: 'text' },
  'character varying': { kind: 'text', type: 'text' },
  // The type `character` alone would cut a parameter to one letter.
  character: { kind: 'text', type: 'bpchar' },
  name: { kind: 'text', type: 'text' },
};

/**
 * Checks a source's `search` against `pg_catalog`.
 * @throws UsageError that names the key, the column and what exists
 */
export async function resolveSearch(
  db: SqlDatabase,
  source: ResolvedSource,
  section: SearchSection | undefined,
): Promise<Omit<SearchedSource, 'space' | 'hasKeywords' | 'index' | 'likelyRows'>> {
  const found = await readColumns(db, source.tableOid);
  const { enums, hasRowSecurity } = await readTraits(db, source.tableOid);
  const subject = `Source "${source.name}": search`;
  const find = (key: string, name: string): TableColumn => {
    const column = found.find(each => each.name === name);
    if (column !== undefined) return column;
    const names = found.map(each => each.name);
    throw new UsageError(
      `${subject}.${key} names the column "${name}", which ${quoteName(source.schema, source.table)} ` +
        `does not have${suggestNames(name, names)}.`,
    );
  };
  const toFilter = (key: string, name: string): FilterColumn => {
    const column = find(key, name);
    const { baseType } = column;
    if (enums.has(name) || /^(.+\.)?citext$/.test(baseType)) return { name, type: baseType, kind: 'text' };
    const rule = Object.hasOwn(KINDS, baseType) ? KINDS[baseType] : undefined;
    if (rule !== undefined) return { name, type: rule.type ?? baseType, kind: rule.kind };
    throw new UsageError(
      `${subject}.${key}: column "${name}" is of type ${column.type}, by which nothing is filtered. ` +
        `Types: ${Object.keys(KINDS).join(', ')}, citext and enums.`,
    );
  };
  const toJsonFilter = ({ key, type }: JsonFilter): FilterColumn => {
    const end = key.indexOf('.');
    const column = find('filters', key.slice(0, end));
    if (!/^jsonb?$/.test(column.baseType))
      throw new UsageError(
        `${subject}.filters: "${key}" asks for a key of column "${column.name}", which is of type ` +
          `${column.type} and not of jsonb.`,
      );
    const within = { column: column.name, key: key.slice(end + 1) };
    return { name: key, type: type === 'number' ? 'numeric' : type, kind: type, within };
  };
  const apart = source.textColumns.filter(({ isApart }) => isApart).map(({ name }) => name);
  for (const name of section?.columns ?? [])
    if (!apart.includes(name)) requireShown(find('columns', name), subject);
  const role = section?.role;
  if (role !== undefined) await requireRole(db, role, subject);
  return {
    columns: section?.columns ?? source.textColumns.map(({ name }) => name),
    filters: (section?.filters ?? []).map(each =>
      typeof each === 'string' ? toFilter('filters', each) : toJsonFilter(each),
    ),
    tenant: section?.tenant === undefined ? undefined : toFilter('tenant', section.tenant),
    role,
    claims: section?.claims ?? {},
    hasRowSecurity,
  };
}

function requireShown({ name, type, baseType }: TableColumn, subject: string): void {
  if (!/^(bytea|(.+\.)?(vector|halfvec|sparsevec))$/.test(baseType)) return;
  throw new UsageError(
    `${subject}.columns: column "${name}" is of type ${type}, which is nothing that a hit shows.`,
  );
}

async function readTraits(
  db: SqlDatabase,
  tableOid: number,
): Promise<{ readonly enums: ReadonlySet<string>; readonly hasRowSecurity: boolean }> {
  const found = await sql<{ enums: string; secured: boolean }>`
    SELECT (SELECT coalesce(json_agg(a.attname), '[]')::text FROM pg_attribute a
              JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'e') AS enums,
           c.relrowsecurity AS secured
      FROM pg_class c WHERE c.oid = ${tableOid}::oid`.execute(db.kysely);
  const row = found.rows[0];
  return {
    enums: new Set(JSON.parse(row?.enums ?? '[]') as string[]),
    hasRowSecurity: row?.secured ?? false,
  };
}

/** Requires a role that this one may become, and that policies bind. */
async function requireRole(db: SqlDatabase, role: string, subject: string): Promise<void> {
  const found = await sql<{ member: boolean; unbound: boolean; current: string }>`
    SELECT pg_has_role(r.oid, 'MEMBER') AS member, r.rolsuper OR r.rolbypassrls AS unbound,
           current_user::text AS current
      FROM pg_roles r WHERE r.rolname = ${role}`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined)
    throw new UsageError(
      `${subject}.role: the database has no role "${role}".`,
      `CREATE ROLE ${quoteName(role)} NOLOGIN;`,
    );
  if (row.unbound)
    throw new UsageError(
      `${subject}.role: role "${role}" bypasses row-level security. Name one that policies bind.`,
    );
  if (!row.member)
    throw new UsageError(
      `${subject}.role: role "${row.current}" may not become "${role}".`,
      `GRANT ${quoteName(role)} TO ${quoteName(row.current)};`,
    );
}

/** Says for `doctor` whether the source can be searched as configured. */
export async function inspectSearch(
  db: SqlDatabase,
  source: ResolvedSource,
  section: SearchSection | undefined,
  viewSchema: string,
): Promise<readonly DoctorFinding[]> {
  const check = 'search';
  if (await isSearchFunctionTaken(db.kysely, viewSchema, source.name))
    return [
      {
        ...{ check, ok: false, severity: 'warning' },
        message:
          `Source "${source.name}": ${quoteName(viewSchema, searchFunctionOf(source.name))} is a function ` +
          'that Freshet did not make and leaves alone: the source has no search in SQL. Rename it, or set ' +
          'another view schema, and migrate.',
      },
      ...(await inspectSection(db, source, section)),
    ];
  return inspectSection(db, source, section);
}

async function inspectSection(
  db: SqlDatabase,
  source: ResolvedSource,
  section: SearchSection | undefined,
): Promise<readonly DoctorFinding[]> {
  const check = 'search';
  try {
    const { role, hasRowSecurity } = await resolveSearch(db, source, section);
    const subject = `Source "${source.name}": `;
    if (section === undefined && !hasRowSecurity) return [];
    if (hasRowSecurity && role === undefined)
      return [
        {
          ...{ check, ok: false, severity: 'warning' },
          message:
            `${subject}the table has row-level security and search.role names no role: freshet serve ` +
            'refuses to search it, a person with this role sees every row.',
        },
      ];
    const grants = role === undefined ? [] : await findMissingGrants(db, source, role);
    return [
      grants.length === 0
        ? { check, ok: true, severity: 'info', message: `${subject}its search section fits the table.` }
        : {
            ...{ check, ok: false, severity: 'error', statement: grants.join(' ') },
            message: `${subject}role "${role}", as which it is searched, may not read what it needs.`,
          },
    ];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ check, ok: false, severity: 'error', message: error.message, statement: error.remedy }];
  }
}

async function findMissingGrants(db: SqlDatabase, source: ResolvedSource, role: string): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    SELECT statement FROM (
      SELECT format('GRANT USAGE ON SCHEMA %I TO %I;', n.nspname, ${role}::text) AS statement,
             has_schema_privilege(${role}, n.oid, 'USAGE') AS granted
        FROM pg_namespace n WHERE n.nspname IN ('freshet', ${source.schema})
      UNION ALL
      SELECT format('GRANT SELECT ON %s TO %I;', c.oid::regclass, ${role}::text),
             has_table_privilege(${role}, c.oid, 'SELECT')
        FROM pg_class c
       WHERE c.oid = ${source.tableOid}::oid
          OR c.oid IN (SELECT to_regclass(format('freshet.vectors_%s', s.space_id)) FROM freshet.spaces s
                        WHERE s.source_name = ${source.name} AND s.status <> 'retired')
    ) AS needed WHERE NOT granted`.execute(db.kysely);
  return rows.map(({ statement }) => statement);
}
