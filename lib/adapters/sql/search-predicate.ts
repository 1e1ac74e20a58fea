import { type Kysely, type RawBuilder, sql } from 'kysely';
import { readClaimText } from '../../core/claims.ts';
import type { Filter, FilterColumn } from '../../core/search-filter.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { SearchScope } from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, prepared } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** Rows that are compared one by one, at 384 dimensions; with more of these it is fewer rows. */
const EXACT_ROWS = 10_000;
/**
 * As many where a filter or tenant decides who belongs to them. They are more, since a walk of the
 * index loses most there: of a tenant's 13,775 rows away from the query it found three of four.
 */
const EXACT_NARROW_ROWS = 15_000;
const MEASURED_DIMENSIONS = 384;

/** Candidates of a walk of the index: at least these, and no more than pgvector's own bound. */
const EF_SEARCH = { least: 400, leastNarrow: 600, most: 1000 } as const;

/** Candidates of a walk, per hit that is asked for. */
export const EF_PER_HIT = 2;

/** Bounds of the candidates of a walk. */
export function efBoundsOf(narrow: boolean): { readonly least: number; readonly most: number } {
  return { least: narrow ? EF_SEARCH.leastNarrow : EF_SEARCH.least, most: EF_SEARCH.most };
}

/** How many rows are compared one by one, whatever index there is. */
export function exactRowsOf({ dimensions }: { readonly dimensions: number }, narrow: boolean): number {
  return Math.ceil(((narrow ? EXACT_NARROW_ROWS : EXACT_ROWS) * MEASURED_DIMENSIONS) / dimensions);
}

/**
 * Renders which rows `s` of the source a search may see and asks for.
 * The tenant stands first and in every statement. It comes from the verified token, and is compared
 * with the source's own column: a row that moved to another tenant shows nowhere it should not.
 */
export function renderScope({ source, caller, filter }: SearchScope): RawBuilder<boolean> {
  const { tenant } = source;
  const conditions: RawBuilder<boolean>[] = [];
  if (tenant !== undefined && caller.tenant !== undefined)
    conditions.push(sql<boolean>`${columnOf(tenant)} = ${cast(tenant, caller.tenant)}`);
  else if (tenant !== undefined && caller.kind !== 'operator') conditions.push(sql<boolean>`false`);
  if (filter !== undefined) conditions.push(renderFilter(filter));
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` AND `)}`;
}

/** Whether the scope leaves rows out, so that an index of vectors alone cannot answer. */
export function isNarrow({ source, caller, filter }: SearchScope): boolean {
  return (
    filter !== undefined ||
    (source.tenant !== undefined && (caller.kind === 'client' || caller.tenant !== undefined)) ||
    runsAsRole(source, caller)
  );
}

/** A value of JSON that is of another type than the configuration says counts as NULL. */
function columnOf({ name, kind, type, within }: FilterColumn): RawBuilder<unknown> {
  if (within === undefined) return sql.id('s', name);
  const column = sql`${sql.id('s', within.column)}::jsonb`;
  const jsonType = kind === 'text' ? 'string' : kind;
  return sql`(CASE WHEN jsonb_typeof(${column} -> ${within.key}::text) = ${sql.lit(jsonType)}
    THEN (${column} ->> ${within.key}::text)::${sql.raw(type)} END)`;
}
const cast = ({ type }: FilterColumn, value: string) => sql`${value}::${sql.raw(type)}`;
const castAll = ({ type }: FilterColumn, values: readonly string[]) =>
  sql`${arrayLiteral(values)}::${sql.raw(type)}[]`;

/** A NULL equals nothing, so that `ne` and `nin` hold for it. */
function renderFilter(filter: Filter): RawBuilder<boolean> {
  switch (filter.type) {
    case 'and':
    case 'or':
      return sql`(${sql.join(filter.filters.map(renderFilter), JOINTS[filter.type])})`;
    case 'is_null':
      return filter.value
        ? sql`(${columnOf(filter.column)} IS NULL)`
        : sql`(${columnOf(filter.column)} IS NOT NULL)`;
    case 'in':
      return sql`(${columnOf(filter.column)} = ANY (${castAll(filter.column, filter.values)}))`;
    case 'nin':
      return sql`(${columnOf(filter.column)} = ANY (${castAll(filter.column, filter.values)})) IS NOT TRUE`;
    case 'ne':
      return sql`(${columnOf(filter.column)} IS DISTINCT FROM ${cast(filter.column, filter.value)})`;
    case 'like':
      return sql`(${columnOf(filter.column)}::text LIKE ${filter.value}::text)`;
    default:
      return sql`(${columnOf(filter.column)} ${OPERATORS[filter.type]} ${cast(filter.column, filter.value)})`;
  }
}

const JOINTS = { and: sql` AND `, or: sql` OR ` } as const;

const OPERATORS = {
  eq: sql.raw('='),
  gt: sql.raw('>'),
  gte: sql.raw('>='),
  lt: sql.raw('<'),
  lte: sql.raw('<='),
} as const;

function runsAsRole({ role }: SearchScope['source'], { kind }: SearchScope['caller']): boolean {
  return role !== undefined && kind === 'client';
}

/**
 * Reads in one transaction, as the role of the source's searches and with the caller's claims.
 * Both end with the transaction, so that whoever uses the connection next has neither. The
 * transaction is read-only, whatever a statement holds.
 * @param settings of the session, for this transaction
 * @throws ServiceRefusal `forbidden` where the token lacks a claim that the source's policies read
 */
export async function readInScope<Result>(
  db: SqlDatabase,
  { source, caller }: Omit<SearchScope, 'filter'>,
  settings: Readonly<Record<string, string>>,
  work: (transaction: Kysely<FreshetTables>) => Promise<Result>,
): Promise<Result> {
  const values = Object.entries({
    ...settings,
    ...(runsAsRole(source, caller) && readSettings(source, caller)),
  });
  return db.kysely
    .transaction()
    .setAccessMode('read only')
    .execute(async transaction => {
      const calls = values.map(([name, value]) => sql`set_config(${name}, ${value}, true)`);
      await sql`${prepared}SELECT ${sql.join(calls)}`.execute(transaction);
      return work(transaction);
    });
}

function readSettings(
  { role, claims, space }: SearchScope['source'],
  caller: SearchScope['caller'],
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, path] of Object.entries(claims)) {
    const value = readClaimText(caller.claims ?? {}, path);
    if (value === undefined)
      throw new ServiceRefusal(
        'forbidden',
        `The token has no claim ${path}, which searches of ${space.source.name} need.`,
      );
    settings[name] = value;
  }
  // The role stands last: settings that it may not set are set before.
  return { ...settings, role: role! };
}
