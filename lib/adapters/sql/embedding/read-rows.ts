import { type RawBuilder, sql } from 'kysely';
import type { Space, TextColumn } from '../../../core/model/space.ts';
import type { Outcome } from '../../../core/model/vocabulary.ts';
import type { SourceReading } from '../../../ports/embedding-store.ts';
import { arrayLiteral } from '../array-literal.ts';
import { prepared } from '../prepared.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Reads text, version, `xmin` and stamp of the rows that exist, all of one snapshot.
 * One autocommit SELECT gives one snapshot. The `now()` of its own transaction is not later than
 * that snapshot; `clock_timestamp()` could stamp an old text newer than a new one. The stamp is
 * above the stored stamp, even after a clock stepped back.
 * OFFSET 0 makes the join a look-up per row. While a table fills, its statistics are old and a
 * plain join reads the whole table (25 ms of CPU per 1,000 rows instead of 8).
 * `octet_length` does not unpack a long value, so an over-long text never leaves the server whole.
 */
export async function readRows(
  db: SqlDatabase,
  space: Space,
  ids: readonly string[],
  maxBytesPerColumn: number,
): Promise<SourceReading[]> {
  const { source, vectors, key, version, keyType } = quoteSpace(space);
  const texts = space.source.textColumns.map(asText);
  const { rows } = await sql<ReadingLine>`${prepared}
    SELECT ${key}::text AS id, ${version}::text AS version, s.xmin::text AS xid,
           greatest(now(), v.read_at + interval '1 microsecond')::text AS "readAt",
           ${sql.join(texts.map((text, place) => cutText(text, place, maxBytesPerColumn)))},
           ${sql.join(
             texts.map(text => sql`coalesce(char_length(${text}), 0)`),
             sql` + `,
           )} AS "textLength",
           ${sql.join(
             texts.map(text => sql`coalesce(${isOver(text, maxBytesPerColumn)}, false)`),
             sql` OR `,
           )} AS cut,
           v.outcome, encode(v.content_hash, 'hex') AS "storedHash", v.source_version::text AS "storedVersion",
           v.source_xid::text AS "storedXid", v.kept_length AS "storedKeptLength", v.tokens AS "storedTokens"
      FROM ${source} AS s
      LEFT JOIN LATERAL (SELECT * FROM ${vectors} AS v WHERE v.item_id = ${key} AND v.chunk = 0 OFFSET 0) AS v ON true
     WHERE ${key} = ANY (${arrayLiteral(ids)}::${keyType}[])`.execute(db.kysely);
  return rows.map(row => toReading(row, texts.length));
}

type ReadingLine = Readonly<Record<`text${number}`, string | null>> & {
  readonly id: string;
  readonly version: string | null;
  readonly xid: string;
  readonly readAt: string;
  readonly textLength: number;
  readonly cut: boolean;
  readonly outcome: Outcome | null;
  readonly storedHash: string | null;
  readonly storedVersion: string | null;
  readonly storedXid: string | null;
  readonly storedKeptLength: number | null;
  readonly storedTokens: number | null;
};

function asText(column: TextColumn): RawBuilder<unknown> {
  const name = sql.id('s', column.name);
  return column.isArray ? sql`array_to_string(${name}, ', ')` : sql`${name}::text`;
}

/**
 * Renders whether a text is longer than the limit in bytes and in characters.
 * What `left` then takes away lies above the limit in bytes.
 */
function isOver(text: RawBuilder<unknown>, maxBytes: number): RawBuilder<boolean> {
  return sql`(octet_length(${text}) > ${maxBytes}::int AND char_length(${text}) > ${maxBytes}::int)`;
}

function cutText(text: RawBuilder<unknown>, place: number, maxBytes: number): RawBuilder<unknown> {
  return sql`CASE WHEN octet_length(${text}) > ${maxBytes}::int THEN left(${text}, ${maxBytes}::int) ELSE ${text} END
    AS ${sql.id(`text${place}`)}`;
}

function toReading(row: ReadingLine, columns: number): SourceReading {
  return {
    id: row.id,
    version: row.version,
    xid: row.xid,
    readAt: row.readAt,
    columns: Array.from({ length: columns }, (_, place) => row[`text${place}`] ?? null),
    textLength: row.textLength,
    cut: row.cut,
    stored:
      row.outcome === null
        ? null
        : {
            outcome: row.outcome,
            contentHash: row.storedHash,
            version: row.storedVersion,
            xid: row.storedXid,
            keptLength: row.storedKeptLength ?? 0,
            tokens: row.storedTokens ?? 0,
          },
  };
}
