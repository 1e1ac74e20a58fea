import { type RawBuilder, sql } from 'kysely';
import type { Space, TextColumn } from '../../core/model.ts';

/**
 * The identifiers and types of a space as they enter a statement.
 * The source's alias is always `s`.
 */
interface QuotedSpace {
  readonly source: RawBuilder<unknown>;
  readonly vectors: RawBuilder<unknown>;
  readonly key: RawBuilder<unknown>;
  readonly version: RawBuilder<unknown>;
  /** `s.<key>` as text under collation "C", which is what `freshet.leases.item_id` holds. */
  readonly leaseId: RawBuilder<unknown>;
  /** `item_id` of a lease `l` as a key of the source. */
  readonly leasedKey: RawBuilder<unknown>;
  readonly keyType: RawBuilder<unknown>;
  readonly versionType: RawBuilder<unknown>;
  /**
   * Whether row `s` is stale: its outcome `v`, of a LEFT JOIN, is missing or of another state.
   * `xmin` catches what the version cannot: a second edit within one tick of the clock, an edit
   * that did not change the version, and a version that is NULL.
   */
  readonly isStale: RawBuilder<boolean>;
}

/**
 * Quotes the identifiers and types of a space for its statements.
 * Key parameters of a `character varying(n)` column are cast to `text`. A cast to the column's own
 * type cuts a longer value silently, and the value would then name another row. A cast parameter
 * has no collation of its own, so every comparison uses the column's.
 *
 * The lease's id needs the explicit "C": two columns with different collations cannot be compared
 * otherwise (42P22). The way back to a key goes through json, which has no collation. The result
 * compares by the key column's own collation, and so by its index.
 */
export function quoteSpace(space: Space): QuotedSpace {
  const { source } = space;
  const key = sql.id('s', source.keyColumn);
  const version = sql.id('s', source.versionColumn);
  const isText = /^(text|character varying)/.test(source.keyType);
  return {
    source: sql.id(source.schema, source.table),
    vectors: sql.id('freshet', space.vectorTable),
    key,
    version,
    leaseId: sql`(${key}::text COLLATE "C")`,
    leasedKey: isText ? sql`(to_json(l.item_id) #>> '{}')` : sql`l.item_id::${sql.raw(source.keyType)}`,
    keyType: sql.raw(source.keyType.startsWith('character varying') ? 'text' : source.keyType),
    versionType: sql.raw(source.versionType),
    isStale: sql`(v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}
      OR v.source_xid IS DISTINCT FROM s.xmin)`,
  };
}

/** Renders a column of the source as its text; the elements of an array are joined. */
export function renderText(column: TextColumn): RawBuilder<unknown> {
  const name = sql.id('s', column.name);
  return column.isArray ? sql`array_to_string(${name}, ', ')` : sql`${name}::text`;
}

/** Outcomes of rows that hold no text to embed, or too much, as a list in SQL. */
export const excludedOutcomes = sql.raw(`'excluded:empty', 'too-long'`);

const MARK = '/* prepared */ ';

/**
 * Marks a statement that a worker repeats for every batch; the mark stands first in it.
 * PostgreSQL then keeps the statement parsed and planned for the session, which saves a fifth of
 * the database's CPU of a run. The mark is not for statements with ranges of a key or of time:
 * their plan must see the values.
 */
export const prepared = sql.raw(MARK);

export function isPrepared(statement: string): boolean {
  return statement.startsWith(MARK);
}

/**
 * A condition that always holds and sets how later statements are planned: for any values.
 * The setting lasts until the transaction ends. PostgreSQL plans each of the first five executions
 * of a prepared statement on a connection for its values. In doing so it copies the values, the
 * vectors of a batch several times. The plans are the same look-ups by key either way.
 * The condition is part of a statement, because a statement of its own would be another round trip
 * per transaction.
 */
export const forceGenericPlans = sql<boolean>`
  (SELECT set_config('plan_cache_mode', 'force_generic_plan', true)) <> ''`;

/**
 * Quotes a name, qualified or not, as PostgreSQL takes it.
 * The result is for statements and for messages that show a name.
 */
export function quoteName(...parts: readonly string[]): string {
  return parts.map(part => `"${part.replaceAll('"', '""')}"`).join('.');
}

/**
 * Elements that need no quotes: words, numbers, hashes, ids and timestamps.
 * PostgreSQL keeps a space inside an element and drops a space at its ends.
 */
const PLAIN = /^[\w+:.-]+(?: [\w+:.-]+)*$/;

/**
 * Writes a PostgreSQL array in its text form, to be cast in SQL (`::bigint[]`, `::text[]`).
 * A whole list is one string. `pg` and PGlite then send the same bytes, and the statement's text
 * does not depend on the number of elements.
 */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(toElement).join(',')}}`;
}

function toElement(value: string | number | null): string | number {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || (PLAIN.test(value) && !isNull(value))) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Tells whether the unquoted text would mean NULL, which it does in any case of its letters. */
function isNull(text: string): boolean {
  return text.length === 4 && text.toUpperCase() === 'NULL';
}
