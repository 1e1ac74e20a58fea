import { type RawBuilder, sql } from 'kysely';
import { ORPHANS_CONFIRMED, scopesOf } from '../../core/control.ts';
import type { Outcome, Space, TextColumn } from '../../core/model.ts';
import type { CallGrant, EmbeddingStore, GrantRefusal, SourceReading } from '../../ports/outcome-store.ts';
import { prepared, type SqlDatabase } from './database.ts';
import { arrayLiteral, quoteSpace } from './fragments.ts';
import { leasesOf, lockLeases, releaseLeases } from './leases.ts';
import { oneHolder } from './outcomes.ts';
import { nameSourceFault } from './source-faults.ts';

/**
 * Seconds that a function may run at the longest, which is the limit of AWS Lambda.
 * Nobody else takes up the rows during this time, however late their message came.
 */
const LONGEST_EMBEDDING_SECONDS = 900;

/**
 * Takes up the ids whose lease is the dispatch's, and resolves with these ids.
 * A lease that expired and was not taken over is still this dispatch's.
 */
async function beginEmbedding(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`${prepared}
    UPDATE freshet.leases AS l SET
      stage = 'embedding',
      expires_at = greatest(l.expires_at, now() + ${LONGEST_EMBEDDING_SECONDS}::float8 * interval '1 second')
    WHERE ${leasesOf(space, dispatchId, ids)} AND l.stage <> 'announced'
    RETURNING l.item_id AS id`.execute(db.kysely);
  const taken = new Set(rows.map(row => row.id));
  return [...new Set(ids)].filter(id => taken.has(id));
}

/**
 * Grants a call unless it is paused; resolves with the pause that refuses it.
 * The grant is a statement of its own that is committed before the call is made. A worker that dies
 * in the call leaves the grant behind.
 */
async function grantCall(db: SqlDatabase, space: Space, grant: CallGrant): Promise<GrantRefusal | undefined> {
  const scopes = scopesOf(space);
  const { rows } = await sql<GrantRefusal>`${prepared}WITH pause AS MATERIALIZED (
      SELECT scope, reason FROM freshet.control
       WHERE scope = ANY (${arrayLiteral(scopes)}::text[]) AND reason <> ${ORPHANS_CONFIRMED}::text
       ORDER BY since, scope, reason LIMIT 1
    ), granted AS (
      INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)
      SELECT ${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
             ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8
       WHERE NOT EXISTS (SELECT FROM pause)
      ON CONFLICT (call_id) DO NOTHING
    )
    SELECT scope, reason FROM pause`.execute(db.kysely);
  return rows[0];
}

/**
 * Looks up which hashes (hexadecimal) have a vector in the space, and which were refused.
 * Each hash costs two index look-ups, and only hashes that were found come back. PostgreSQL would
 * make EXISTS a hash of the whole vector table (2.7 ms per call at 10,000 rows, growing). It would
 * make an equality with LIMIT 1 a scan of the table where statistics are old. `oneHolder` leaves no
 * such choice for the vectors, and OFFSET 0 leaves none for the verdicts.
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
      LEFT JOIN LATERAL (SELECT true AS held ${oneHolder(space, sql`u.hash`)}) AS v ON true
      LEFT JOIN LATERAL (SELECT f.code FROM freshet.failures AS f
                          WHERE f.space_id = ${space.spaceId}::int AND f.content_hash = u.hash OFFSET 0) AS f ON true
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

/**
 * Sets the stage of the dispatch's leases to `announced` and gives them a new expiry.
 * The writer can be faster. A lease that the writer deleted or gave back (`queued`) is left alone.
 */
async function markAnnounced(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  leaseSeconds: number,
): Promise<void> {
  await sql`${prepared}UPDATE freshet.leases AS l SET
      stage = 'announced', expires_at = now() + ${leaseSeconds}::float8 * interval '1 second'
    WHERE ${leasesOf(space, dispatchId, ids)} AND l.stage <> 'queued'`.execute(db.kysely);
}

/**
 * Gives rows back: their leases are `queued` and expire after `afterSeconds`.
 * The stage `queued` keeps the next lease from counting an attempt. Rows whose result is announced
 * belong to the writer and are left alone.
 */
async function postponeLeases(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  afterSeconds: number,
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${lockLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET
      stage = 'queued', expires_at = now() + ${afterSeconds}::float8 * interval '1 second'
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.stage <> 'announced'`.execute(db.kysely);
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

export async function revokeGrant(db: SqlDatabase, callId: string): Promise<void> {
  await sql`DELETE FROM freshet.grants WHERE call_id = ${callId}::uuid`.execute(db.kysely);
}

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
