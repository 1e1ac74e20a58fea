import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space, TextColumn } from '../../core/model.ts';
import { EXCLUDED_OUTCOMES } from '../../core/outcomes.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** Renders a column of the source as its text; the elements of an array are joined. */
export function renderText(column: TextColumn): RawBuilder<unknown> {
  if (column.isApart)
    return sql`(SELECT t.text FROM freshet.document_texts AS t
      WHERE t.document = s.document AND t.text_hash = s.text_hash)`;
  const name = sql.id('s', column.name);
  return column.isArray ? sql`array_to_string(${name}, ', ')` : sql`${name}::text`;
}

/** The version of an outcome that is to be made again: no row has it, so the outcome is stale. */
export function neverVersion({ source }: Pick<Space, 'source'>): RawBuilder<unknown> {
  return sql.lit(source.versionType === 'bigint' ? '-9223372036854775808' : '-infinity');
}

/** The outcomes that count as excluded, as a list in SQL. */
export const excludedOutcomes = sql.raw(EXCLUDED_OUTCOMES.map(outcome => `'${outcome}'`).join(', '));

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
 * Keeps the statements of an open transaction from reading by an index.
 * A broken index answers without what it does not hold.
 */
export async function forbidIndexes(transaction: Kysely<FreshetTables>): Promise<void> {
  await sql`SELECT set_config('enable_indexscan', 'off', true),
    set_config('enable_indexonlyscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true)`.execute(transaction);
}

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
