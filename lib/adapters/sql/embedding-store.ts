import { type RawBuilder, sql } from 'kysely';
import { type Cap, capsFor } from '../../core/budget.ts';
import type { Outcome, Space } from '../../core/model.ts';
import type { EmbeddingStore, SourceReading } from '../../ports/outcome-store.ts';
import type { SqlDatabase } from './database.ts';
import { changeEach, divideRows, mayBeOfOneRow } from './divide-rows.ts';
import { arrayLiteral, forbidIndexes, prepared, renderText } from './fragments.ts';
import { grantCall, noteBill, revokeGrant } from './grants.ts';
import { areEqual, type KeyColumns, keyColumnsOf } from './key-columns.ts';
import { beginEmbedding, markAnnounced, postponeLeases, releaseLeases } from './lease-stages.ts';
import { renderHolder } from './outcomes.ts';
import { hasHashedRows, quoteSpace } from './quote-space.ts';
import { nameSourceFault } from './source-faults.ts';

/** Makes the store of `embed`; `caps` are those of the configuration, none by default. */
export function createEmbeddingStore(db: SqlDatabase, caps: readonly Cap[] = []): EmbeddingStore {
  return {
    beginEmbedding: async (space, dispatchId, ids) => {
      const taken: string[] = [];
      await divideRows(ids, async part => {
        taken.push(...(await beginEmbedding(db, space, dispatchId, part)));
      });
      return taken;
    },
    readRows: (space, ids, maxBytesPerColumn) =>
      nameSourceFault(db, space, () => readDivided(db, space, ids, maxBytesPerColumn)),
    findDoubledKeys: (space, ids) =>
      nameSourceFault(db, space, () => readAlone(() => findDoubledKeys(db, space, ids))),
    lookUpHashes: (space, hashes) => lookUpHashes(db, space, hashes),
    grantCall: (space, grant) => grantCall(db, space, grant, capsFor(caps, space.source.name)),
    ...(caps.length > 0 && { noteBill: (callId, costUsd) => noteBill(db, callId, costUsd) }),
    revokeGrant: callId => revokeGrant(db, callId),
    markAnnounced: (space, dispatchId, ids, leaseSeconds) =>
      changeEach(ids, part => markAnnounced(db, space, dispatchId, part, leaseSeconds)),
    dropLeases: (space, dispatchId, ids) =>
      nameSourceFault(db, space, () =>
        changeEach(ids, part => releaseLeases(db.kysely, space, dispatchId, part)),
      ),
    postponeLeases: (space, dispatchId, ids, afterSeconds) =>
      changeEach(ids, part => postponeLeases(db, space, dispatchId, part, afterSeconds)),
  };
}

/**
 * Reads rows, in halves where the text of one of them cannot be read.
 * A value that is damaged, or a function of a view that raises for one row, fails the whole
 * statement. The row is then read without its texts, so that its version can have an outcome.
 * A row of which not even that can be read has no reading, like one that is gone: its lease is
 * given up, and `detect` skips it and tells.
 */
async function readDivided(
  db: SqlDatabase,
  space: Space,
  ids: readonly string[],
  maxBytesPerColumn: number,
): Promise<SourceReading[]> {
  const readings: SourceReading[] = [];
  const read = async (part: readonly string[]) => {
    readings.push(...(await readRows(db, space, part, maxBytesPerColumn)));
  };
  for (const { item, error } of (await divideRows(ids, read)).culprits) {
    const unread = await readAlone(() => readRows(db, space, [item], maxBytesPerColumn, false));
    readings.push(...unread.map(reading => ({ ...reading, unreadable: error.code })));
  }
  return readings;
}

/**
 * Reads what may be unreadable by one row; where it is, there is nothing.
 * A scan that fails for a row of a view finds no key that stands twice, and each key is taken for
 * one row, as the plan of the view's own tables shows it.
 */
async function readAlone<Line>(read: () => Promise<Line[]>): Promise<Line[]> {
  try {
    return await read();
  } catch (error) {
    if (mayBeOfOneRow(error)) return [];
    throw error;
  }
}

/**
 * Finds those of the ids that stand in several rows, by a scan of the table itself.
 * The planner is kept from every index for the statement: a broken one hides what it does not hold.
 */
async function findDoubledKeys(db: SqlDatabase, space: Space, ids: readonly string[]): Promise<string[]> {
  const { source } = quoteSpace(space);
  const asked = renderAsked(keyColumnsOf(space.source), ids);
  return db.kysely.transaction().execute(async transaction => {
    await forbidIndexes(transaction);
    const { rows } = await sql<{ id: string }>`
      SELECT ${asked.id} AS id FROM ${asked.from}${source} AS s${asked.on}${asked.where}
       GROUP BY 1 HAVING count(*) > 1`.execute(transaction);
    return rows.map(({ id }) => id);
  });
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
  withTexts = true,
): Promise<SourceReading[]> {
  const { source, vectors, version, rowVersion } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const asked = renderAsked(keys, ids);
  // A hash is made of the texts; its place is held by a number, which nothing compares.
  const stateOfRow = withTexts || !hasHashedRows(space.source) ? rowVersion : sql`0`;
  const texts = withTexts ? space.source.textColumns.map(renderText) : [sql`NULL::text`];
  const { rows } = await sql<ReadingLine>`${prepared}
    SELECT ${asked.id} AS id, ${version}::text AS version, ${stateOfRow}::text AS xid,
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
      FROM ${asked.from}${source} AS s${asked.on}
      LEFT JOIN LATERAL (SELECT * FROM ${vectors} AS v
                          WHERE ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
                         OFFSET 0) AS v ON true${asked.where}`.execute(db.kysely);
  return rows.map(row => toReading(row, withTexts ? texts.length : 0));
}

/**
 * Renders how the rows of the ids are found, and the id that a reading has.
 * A reading has the id that was asked for. The row's own text may be another one of the same key
 * (`numeric` 1.0 and 1.00), and the lease knows the row by the text that was asked for.
 */
function renderAsked(keys: KeyColumns, ids: readonly string[]) {
  const none = sql``;
  const [key] = keys.source;
  if (!keys.isComposite && keys.hasOneText) {
    const where = sql`
     WHERE ${key} = ANY (${keys.unnested(ids)})`;
    return { id: keys.text(keys.source), from: none, on: none, where };
  }
  const distinct = [...new Set(ids)];
  const lists = sql`unnest(${keys.unnested(distinct)}, ${arrayLiteral(distinct)}::text[])`;
  return {
    id: sql`u.asked`,
    from: sql`${lists} AS u (${keys.givenNames}, asked)
      JOIN `,
    on: sql` ON ${areEqual(keys.source, keys.given('u'))}`,
    where: none,
  };
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
