import { type RawBuilder, sql } from 'kysely';
import type { Outcome, Space } from '../../core/model.ts';
import type { EmbeddingStore, SourceReading } from '../../ports/outcome-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, prepared, quoteSpace, renderText } from './fragments.ts';
import { grantCall, revokeGrant } from './grants.ts';
import { beginEmbedding, markAnnounced, postponeLeases, releaseLeases } from './lease-stages.ts';
import { renderHolder } from './outcomes.ts';
import { nameSourceFault } from './source-faults.ts';

export function createEmbeddingStore(db: SqlDatabase): EmbeddingStore {
  return {
    beginEmbedding: (space, dispatchId, ids) => beginEmbedding(db, space, dispatchId, ids),
    readRows: (space, ids, maxBytesPerColumn) =>
      nameSourceFault(db, space, () => readRows(db, space, ids, maxBytesPerColumn)),
    lookUpHashes: (space, hashes) => lookUpHashes(db, space, hashes),
    grantCall: (space, grant) => grantCall(db, space, grant),
    revokeGrant: callId => revokeGrant(db, callId),
    markAnnounced: (space, dispatchId, ids, leaseSeconds) =>
      markAnnounced(db, space, dispatchId, ids, leaseSeconds),
    dropLeases: (space, dispatchId, ids) =>
      nameSourceFault(db, space, () => releaseLeases(db.kysely, space, dispatchId, ids)),
    postponeLeases: (space, dispatchId, ids, afterSeconds) =>
      postponeLeases(db, space, dispatchId, ids, afterSeconds),
  };
}

/**
 * Reads text, version, `xmin` and stamp of the rows that exist, all of one snapshot.
 * One autocommit SELECT gives one snapshot. The `now()` of its own transaction is not later than
 * that snapshot; `clock_timestamp()` could stamp an old text newer than a new one. The stamp is
 * above the stored stamp, even after a clock stepped back.
 * OFFSET 0 makes the join a look-up per row. While a table fills, its statistics are old and a
 * plain join reads the whole table (25 ms of CPU per 1,000 rows instead of 8).
 * `octet_length` does not unpack a long value, so an over-long text never leaves the server whole.
 */
async function readRows(
  db: SqlDatabase,
  space: Space,
  ids: readonly string[],
  maxBytesPerColumn: number,
): Promise<SourceReading[]> {
  const { source, vectors, key, version, keyType } = quoteSpace(space);
  const texts = space.source.textColumns.map(renderText);
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
           v.outcome, encode(v.content_hash, 'hex') AS "storedHash",
           v.source_version::text AS "storedVersion", v.source_xid::text AS "storedXid",
           v.kept_length AS "storedKeptLength", v.tokens AS "storedTokens"
      FROM ${source} AS s
      LEFT JOIN LATERAL (SELECT * FROM ${vectors} AS v
                          WHERE v.item_id = ${key} AND v.chunk = 0 OFFSET 0) AS v ON true
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

/**
 * Renders whether a text is longer than the limit in bytes and in characters.
 * What `left` then takes away lies above the limit in bytes.
 */
function isOver(text: RawBuilder<unknown>, maxBytes: number): RawBuilder<boolean> {
  return sql`(octet_length(${text}) > ${maxBytes}::int AND char_length(${text}) > ${maxBytes}::int)`;
}

function cutText(text: RawBuilder<unknown>, place: number, maxBytes: number): RawBuilder<unknown> {
  return sql`CASE WHEN octet_length(${text}) > ${maxBytes}::int
                  THEN left(${text}, ${maxBytes}::int) ELSE ${text} END
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

/**
 * Looks up which hashes (hexadecimal) have a vector in the space, and which were refused.
 * Each hash costs two index look-ups, and only hashes that were found come back. PostgreSQL would
 * make EXISTS a hash of the whole vector table (2.7 ms per call at 10,000 rows, growing). It would
 * make an equality with LIMIT 1 a scan of the table where statistics are old.
 * `renderHolder` leaves no such choice for the vectors, and OFFSET 0 leaves none for the verdicts.
 */
async function lookUpHashes(
  db: SqlDatabase,
  space: Space,
  hashes: readonly string[],
): Promise<{ readonly embedded: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }> {
  if (hashes.length === 0) return { embedded: new Set(), refused: new Map() };
  const { rows } = await sql<{ hash: string; embedded: boolean; code: string | null }>`${prepared}
    SELECT encode(u.hash, 'hex') AS hash, v.held IS NOT NULL AS embedded, f.code
      FROM unnest(${byteaLiteral(new Set(hashes))}::bytea[]) AS u (hash)
      LEFT JOIN LATERAL (SELECT true AS held ${renderHolder(space, sql`u.hash`)}) AS v ON true
      LEFT JOIN LATERAL (SELECT f.code FROM freshet.failures AS f
                          WHERE f.space_id = ${space.spaceId}::int AND f.content_hash = u.hash
                         OFFSET 0) AS f ON true
     WHERE v.held OR f.code IS NOT NULL`.execute(db.kysely);
  return {
    embedded: new Set(rows.filter(row => row.embedded).map(row => row.hash)),
    refused: new Map(rows.flatMap(row => (row.code === null ? [] : [[row.hash, row.code] as const]))),
  };
}

/** Writes hexadecimal hashes as a `bytea[]`, which the server decodes once, as it reads it. */
function byteaLiteral(hashes: ReadonlySet<string>): string {
  return `{${[...hashes].map(hash => `"\\\\x${hash}"`).join(',')}}`;
}
