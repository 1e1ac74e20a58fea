import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';

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
  const isText = /^(text|character varying)/.test(source.keyType);
  return {
    source: sql.id(source.schema, source.table),
    vectors: sql.id('freshet', space.vectorTable),
    key,
    version: sql.id('s', source.versionColumn),
    leaseId: sql`(${key}::text COLLATE "C")`,
    leasedKey: isText ? sql`(to_json(l.item_id) #>> '{}')` : sql`l.item_id::${sql.raw(source.keyType)}`,
    keyType: sql.raw(source.keyType.startsWith('character varying') ? 'text' : source.keyType),
    versionType: sql.raw(source.versionType),
  };
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
