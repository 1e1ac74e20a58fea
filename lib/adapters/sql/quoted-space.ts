import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model/space.ts';

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
