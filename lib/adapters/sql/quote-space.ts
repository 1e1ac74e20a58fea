import { type RawBuilder, sql } from 'kysely';
import type { ResolvedSource, Space } from '../../core/model.ts';
import { DUPLICATE_KEY } from '../../core/outcomes.ts';
import { renderText } from './fragments.ts';
import { areEqual, isAbsent, keyColumnsOf, listKey } from './key-columns.ts';

/**
 * The identifiers and types of a space as they enter a statement.
 * The source's alias is always `s`.
 */
interface QuotedSpace {
  readonly source: RawBuilder<unknown>;
  readonly vectors: RawBuilder<unknown>;
  readonly version: RawBuilder<unknown>;
  readonly versionType: RawBuilder<unknown>;
  /**
   * Whether row `s` is stale: its outcome `v`, of a LEFT JOIN, is missing or of another state.
   * `xmin` catches what the version cannot: a second edit within one tick of the clock, an edit
   * that did not change the version, and a version that is NULL.
   */
  readonly isStale: RawBuilder<boolean>;
  /**
   * Whether row `s` has no outcome `v`, of a LEFT JOIN, and none of a key that stands twice.
   * Where an index promises one row for each key, the planner may join only the first of two.
   */
  readonly isUnembedded: RawBuilder<boolean>;
  /**
   * Whether row `s` has outcome `v`, of a LEFT JOIN.
   * Only such a row can be outdated: to a row without one, every version is another version.
   */
  readonly isRecorded: RawBuilder<boolean>;
  /** Whether outcome `v` is that of a key that stands twice, and nobody asked to try again. */
  readonly isDoubled: RawBuilder<boolean>;
  /**
   * What tells two versions of row `s` with one `updated_at` apart: its `xmin`.
   * Views and foreign tables have none (a foreign table answers 0): there, a hash of the texts.
   */
  readonly rowVersion: RawBuilder<unknown>;
  /**
   * Whether outcome `v` is of another state of row `s` than its `rowVersion` tells.
   * A hash is not computed for a row whose texts could not be read: that would fail again, and with
   * it the statement for all rows. Such an outcome stands for its version.
   */
  readonly isOtherRowVersion: RawBuilder<boolean>;
  readonly rowVersionType: RawBuilder<unknown>;
  /** Type of the vectors, without their dimensions. */
  readonly vectorType: RawBuilder<unknown>;
}

/** Beginning of the outcomes of rows that the database could not read or write. */
const UNREADABLE = 'undelivered:sqlstate';

/** What was quoted before: a run renders several statements of a space for each batch. */
const known = new WeakMap<Space, QuotedSpace>();

/** Quotes the identifiers and types of a space for its statements; `keyColumnsOf` has its key. */
export function quoteSpace(space: Space): QuotedSpace {
  const quoted = known.get(space) ?? quoteNames(space);
  known.set(space, quoted);
  return quoted;
}

function quoteNames(space: Space): QuotedSpace {
  const { source } = space;
  const keys = keyColumnsOf(source);
  const version = sql.id('s', source.versionColumn);
  const vectors = sql.id('freshet', space.vectorTable);
  const isHashed = hasHashedRows(source);
  const rowVersion = isHashed
    ? sql`hashtextextended(json_build_array(${sql.join(source.textColumns.map(renderText))})::text, 0)`
    : sql`s.xmin`;
  const isOther = sql<boolean>`v.source_xid IS DISTINCT FROM ${rowVersion}`;
  const isOtherRowVersion = isHashed
    ? sql<boolean>`(CASE WHEN v.outcome LIKE ${sql.lit(`${UNREADABLE}%`)} THEN false ELSE ${isOther} END)`
    : isOther;
  const isUnembedded = sql<boolean>`(${isAbsent(keys.stored('v'))} AND NOT EXISTS (
    SELECT FROM ${vectors} AS h
     WHERE ${areEqual(keys.stored('h'), keys.source)} AND h.chunk = 0 AND ${renderDoubled('h')}))`;
  const isDoubled = renderDoubled('v');
  const isRecorded = sql<boolean>`NOT ${isAbsent(keys.stored('v'))}`;
  return {
    source: isHashed ? renderKeyedRows(source) : sql.id(source.schema, source.table),
    vectors,
    version,
    versionType: sql.raw(source.versionType),
    isUnembedded,
    isRecorded,
    isStale: sql`(${isUnembedded} OR (${isRecorded} AND (v.source_version IS DISTINCT FROM ${version}
      OR ${isOtherRowVersion}) AND NOT ${isDoubled}))`,
    isDoubled,
    rowVersion,
    isOtherRowVersion,
    rowVersionType: sql.raw(rowVersionType(source)),
    vectorType: sql.raw(source.storage ?? 'vector'),
  };
}

/** Tells whether rows of the source have no `xmin`, so that a hash of their texts stands for it. */
export function hasHashedRows({ relation }: Pick<ResolvedSource, 'relation'>): boolean {
  return relation === 'view' || relation === 'foreign table';
}

/** Names the type of what tells two versions of a row apart, and of `source_xid`. */
export function rowVersionType(source: Pick<ResolvedSource, 'relation'>): 'xid' | 'bigint' {
  return hasHashedRows(source) ? 'bigint' : 'xid';
}

/** Renders the rows of a view or a foreign table that have a whole key; nothing else makes sure. */
function renderKeyedRows({ schema, table, keyColumns }: ResolvedSource): RawBuilder<unknown> {
  const conditions = keyColumns.map(({ name }) => sql`${sql.id(name)} IS NOT NULL`);
  return sql`(SELECT * FROM ${sql.id(schema, table)} WHERE ${sql.join(conditions, sql` AND `)})`;
}

/** `retry` takes the xid away from an outcome, so that its row is looked at again. */
function renderDoubled(alias: string): RawBuilder<boolean> {
  return sql`(${sql.id(alias, 'outcome')} = ${sql.lit(DUPLICATE_KEY)}
    AND ${sql.id(alias, 'source_xid')} IS NOT NULL)`;
}

/**
 * Renders the keys with the outcome of a doubled key that still stand in several rows.
 * They are counted from the table itself: an index that is broken hides a row. `xmin` is in no
 * index, and OFFSET 0 keeps the order of an index from being of use. Views have no `xmin`. Where
 * an index behind one hides a row, the key is leased in vain: embed counts it again by a scan.
 */
export function renderDoubledKeys(space: Space): RawBuilder<unknown> {
  const { source, vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const key = listKey(keys.carried('d'));
  const row = hasHashedRows(space.source) ? sql`true` : sql`s.xmin`;
  return sql`SELECT ${key}
     FROM (SELECT ${keys.carry(keys.source)}, ${row} AS row FROM ${source} AS s OFFSET 0) AS d
    WHERE (${key}) IN (SELECT ${listKey(keys.stored('h'))} FROM ${vectors} AS h
                        WHERE h.outcome = ${sql.lit(DUPLICATE_KEY)})
    GROUP BY ${key} HAVING count(d.row) > 1`;
}

/**
 * Renders a moment (`timestamptz`) as the version column would hold it, as text.
 * A counter holds no moment: NULL, and the incremental pass then finds nothing but expired leases.
 * In a column without time zone, local time goes back when summer ends. What bounds versions from
 * below must then lie under every local time still to come. A set-back within the next two hours is
 * therefore taken off at once.
 */
export function toVersionTime(
  moment: RawBuilder<unknown>,
  source: Pick<ResolvedSource, 'versionType' | 'versionTimeZone' | 'versionUnit'>,
): RawBuilder<string | null> {
  if (source.versionType === 'bigint') {
    if (source.versionUnit === undefined) return sql`NULL::text`;
    const perSecond = UNITS_PER_SECOND[source.versionUnit];
    return sql`floor(extract(epoch FROM ${moment}) * ${sql.lit(perSecond)})::bigint::text`;
  }
  if (source.versionType === 'timestamp with time zone') return sql`(${moment})::text`;
  const zone = sql`${source.versionTimeZone}::text`;
  const local = sql`((${moment}) AT TIME ZONE ${zone})`;
  const later = sql`((${moment} + interval '2 hours') AT TIME ZONE ${zone})`;
  const time = sql`(${local} - greatest(interval '0', interval '2 hours' - (${later} - ${local})))`;
  return source.versionType === 'date' ? sql`${time}::date::text` : sql`${time}::text`;
}

const UNITS_PER_SECOND = { seconds: 1, milliseconds: 1_000, microseconds: 1_000_000 } as const;
