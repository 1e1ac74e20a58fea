import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { CopyEntry, OutcomeEntry, TouchEntry } from '../../core/result-object.ts';
import type { BytePieces } from '../../core/vectors.ts';
import { arrayLiteral, excludedOutcomes, prepared } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, type KeyColumns, keyColumnsOf, listKey } from './key-columns.ts';
import { type KeywordParts, renderKeywords } from './keywords.ts';
import { quoteSpace } from './quote-space.ts';

/** Numbers of rows that were written, by what the rows are now. */
interface WrittenOutcomes {
  readonly embedded: number;
  readonly excluded: number;
  readonly failed: number;
}

/** Replaces the outcome row that stands; the row was seen, so it loses its mark as an orphan. */
const replaceOutcome = (
  keys: KeyColumns,
  keywords?: KeywordParts,
) => sql`ON CONFLICT (${keys.storedNames}, chunk) DO UPDATE SET
  outcome = excluded.outcome, content_hash = excluded.content_hash,
  source_version = excluded.source_version, source_xid = excluded.source_xid, read_at = excluded.read_at,
  text_length = excluded.text_length, kept_length = excluded.kept_length, tokens = excluded.tokens,
  embedding = excluded.embedding, embedded_at = excluded.embedded_at, missing_since = NULL
  ${keywords?.replaced ?? sql``}`;

/**
 * Writes outcomes and their vectors; the latest reading of a row wins.
 * Lists are sent as array literals. All vectors are sent as one value, `vectors`, in PostgreSQL's
 * binary `vector[]` or `halfvec[]` with the element OID of this database. This is the measured
 * best: 42 ms of CPU per 1,000 vectors of 1536 dimensions, against 412 ms for text.
 *
 * The join to the source makes a deleted row write nothing. An id that stands twice is written
 * once, by its latest reading (the same row twice raises 21000 otherwise). The guard lets the
 * latest reading win, whatever order the objects come in.
 *
 * Vectors are picked from the array by position after the rows are sorted. If the vectors were
 * unnested and sorted with the rest, each one would be copied three times.
 */
export async function upsertOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  entries: readonly OutcomeEntry[],
  vectors: BytePieces,
): Promise<WrittenOutcomes> {
  if (entries.length === 0) return { embedded: 0, excluded: 0, failed: 0 };
  const { source, vectors: table, versionType, rowVersionType, vectorType } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const keywords = renderKeywords(space, sql`u.xid`);
  const { rows } = await sql<WrittenOutcomes>`${prepared}
    WITH written AS (
      INSERT INTO ${table} AS t (${keys.storedNames}, chunk, outcome, content_hash,
                                 source_version, source_xid, read_at,
                                 text_length, kept_length, tokens, embedding, embedded_at, missing_since
                                   ${keywords?.names ?? sql``})
      SELECT ${listKey(keys.carried('u'))}, 0, u.outcome, decode(u.content_hash, 'hex'), u.version,
             u.xid, u.read_at,
             u.text_length, u.kept_length, u.tokens, (${vectors}::${vectorType}[])[u.place],
             CASE WHEN u.outcome = 'embedded' THEN now() END, NULL::timestamptz
             ${keywords === undefined ? sql`` : sql`, u.keywords, u.read_at`}
        FROM (SELECT DISTINCT ON (${listKey(keys.source)}) ${keys.carry(keys.source)}, u.*${
          keywords === undefined
            ? sql``
            : sql`,
                     CASE WHEN u.outcome = 'embedded' THEN ${keywords.made} END AS keywords`
        }
                FROM unnest(${keys.unnested(entries.map(entry => entry.id))},
                            ${arrayLiteral(entries.map(entry => entry.outcome))}::text[],
                            ${arrayLiteral(entries.map(entry => entry.contentHash))}::text[],
                            ${arrayLiteral(entries.map(entry => entry.version))}::${versionType}[],
                            ${arrayLiteral(entries.map(entry => entry.xid))}::${rowVersionType}[],
                            ${arrayLiteral(entries.map(entry => entry.readAt))}::timestamptz[],
                            ${arrayLiteral(entries.map(entry => entry.textLength))}::int[],
                            ${arrayLiteral(entries.map(entry => entry.keptLength))}::int[],
                            ${arrayLiteral(entries.map(entry => entry.tokens))}::int[]) WITH ORDINALITY
                  AS u (${keys.givenNames}, outcome, content_hash, version, xid, read_at,
                        text_length, kept_length, tokens, place)
                JOIN ${source} AS s ON ${areEqual(keys.source, keys.given('u'))}
               ORDER BY ${listKey(keys.source)}, u.read_at DESC
              OFFSET 0) AS u
      ${replaceOutcome(keys, keywords)}
      WHERE t.read_at <= excluded.read_at
      RETURNING outcome
    )
    SELECT count(*) FILTER (WHERE outcome = 'embedded')::int AS embedded,
           count(*) FILTER (WHERE outcome IN (${excludedOutcomes}))::int AS excluded,
           count(*) FILTER (WHERE outcome NOT IN ('embedded', ${excludedOutcomes}))::int AS failed
      FROM written`.execute(db);
  return rows[0] ?? { embedded: 0, excluded: 0, failed: 0 };
}

/**
 * Gives rows the vector that the space holds for their hash; resolves with their number.
 * The vector is looked up here and now. Any row with the hash will do, also a row that this object
 * brought. Copying from a named row would store a wrong vector as fresh where that row changed
 * meanwhile (shown). A hash that nobody holds any more writes nothing.
 * The guard, the order and the join are the same as in `upsertOutcomes`.
 */
export async function copyOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  entries: readonly CopyEntry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  const { source, vectors, versionType, rowVersionType } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const keywords = renderKeywords(space, sql`u.xid`);
  const { rows } = await sql<{ copied: number }>`
    WITH written AS (
      INSERT INTO ${vectors} AS t (${keys.storedNames}, chunk, outcome, content_hash,
                                   source_version, source_xid, read_at,
                                   text_length, kept_length, tokens, embedding, embedded_at, missing_since
                                   ${keywords?.names ?? sql``})
      SELECT DISTINCT ON (${listKey(keys.source)}) ${listKey(keys.source)}, 0, 'embedded',
             d.content_hash, u.version, u.xid, u.read_at,
             u.text_length, u.kept_length, d.tokens, d.embedding, now(), NULL::timestamptz
             ${keywords === undefined ? sql`` : sql`, ${keywords.made}, u.read_at`}
        FROM unnest(${keys.unnested(entries.map(entry => entry.id))},
                    ${arrayLiteral(entries.map(entry => entry.contentHash))}::text[],
                    ${arrayLiteral(entries.map(entry => entry.version))}::${versionType}[],
                    ${arrayLiteral(entries.map(entry => entry.xid))}::${rowVersionType}[],
                    ${arrayLiteral(entries.map(entry => entry.readAt))}::timestamptz[],
                    ${arrayLiteral(entries.map(entry => entry.textLength))}::int[],
                    ${arrayLiteral(entries.map(entry => entry.keptLength))}::int[])
          AS u (${keys.givenNames}, content_hash, version, xid, read_at, text_length, kept_length)
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.given('u'))}
       CROSS JOIN LATERAL (SELECT v.content_hash, v.tokens, v.embedding
                            ${renderHolder(space, sql`decode(u.content_hash, 'hex')`)}) AS d
       ORDER BY ${listKey(keys.source)}, u.read_at DESC
      ${replaceOutcome(keys, keywords)}
      WHERE t.read_at <= excluded.read_at
      RETURNING 1
    )
    SELECT count(*)::int AS copied FROM written`.execute(db);
  return rows[0]?.copied ?? 0;
}

/**
 * Renders `FROM … LIMIT 1`: an outcome row `v` that holds a vector for the hash.
 * The hash is bounded from both sides and ordered by, not equated. Only the index on `content_hash`
 * can serve that, whatever the planner believes of the table.
 * The condition asks for the vector, which the table ties to the outcome `embedded`. With a
 * condition on the outcome, the planner would collect and sort all rows of a hash, because it takes
 * a text of which it knows nothing to be rare.
 */
export function renderHolder(space: Space, hash: RawBuilder<unknown>): RawBuilder<unknown> {
  const { vectors } = quoteSpace(space);
  return sql`FROM ${vectors} AS v
    WHERE v.content_hash >= ${hash} AND v.content_hash <= ${hash} AND v.embedding IS NOT NULL
    ORDER BY v.content_hash LIMIT 1`;
}

/** Equal words stay the value that they are: else the update of a long row would not be HOT. */
const touchKeywords = sql`, keywords_read_at = locked.read_at,
             keywords = CASE WHEN t.keywords = locked.keywords THEN t.keywords ELSE locked.keywords END`;

/**
 * Brings version, `xmin` and stamp of outcomes up to a reading with the same text.
 * Only an outcome is touched that still has the hash that was compared, and for which no later
 * reading was written. Without the hash, a wrong vector is stored as fresh (shown).
 * No indexed column changes and the vector stays where it is, so the update is HOT. The conditions
 * stand twice: the first ones are of the statement's snapshot, and those of the UPDATE are checked
 * on the locked row.
 * Resolves with the number of rows.
 */
export async function touchOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  entries: readonly TouchEntry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  const { source, vectors, versionType, rowVersionType } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const keywords = renderKeywords(space, sql`latest.xid`);
  const { rows } = await sql<{ touched: number }>`
    WITH latest AS MATERIALIZED (
      SELECT DISTINCT ON (${listKey(keys.given('u'))}) ${keys.carry(keys.given('u'))},
             decode(u.content_hash, 'hex') AS content_hash,
             u.version, u.xid, u.read_at
        FROM unnest(${keys.unnested(entries.map(entry => entry.id))},
                    ${arrayLiteral(entries.map(entry => entry.contentHash))}::text[],
                    ${arrayLiteral(entries.map(entry => entry.version))}::${versionType}[],
                    ${arrayLiteral(entries.map(entry => entry.xid))}::${rowVersionType}[],
                    ${arrayLiteral(entries.map(entry => entry.readAt))}::timestamptz[])
          AS u (${keys.givenNames}, content_hash, version, xid, read_at)
       ORDER BY ${listKey(keys.given('u'))}, u.read_at DESC
    ), locked AS MATERIALIZED (
      SELECT ${listKey(keys.stored('t'))}, latest.content_hash, latest.version, latest.xid, latest.read_at${
        keywords === undefined
          ? sql``
          : sql`,
             CASE WHEN t.outcome = 'embedded' THEN ${keywords.made} END AS keywords`
      }
        FROM latest
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.carried('latest'))}
        JOIN ${vectors} AS t ON ${areEqual(keys.stored('t'), keys.source)} AND t.chunk = 0
         AND t.content_hash = latest.content_hash AND t.read_at <= latest.read_at
       ORDER BY ${listKey(keys.stored('t'))}
         FOR NO KEY UPDATE OF t
    ), written AS (
      UPDATE ${vectors} AS t SET source_version = locked.version, source_xid = locked.xid,
             read_at = locked.read_at, missing_since = NULL${keywords === undefined ? sql`` : touchKeywords}
        FROM locked
       WHERE ${areEqual(keys.stored('t'), keys.stored('locked'))} AND t.chunk = 0
         AND t.content_hash = locked.content_hash AND t.read_at <= locked.read_at
      RETURNING 1
    )
    SELECT count(*)::int AS touched FROM written`.execute(db);
  return rows[0]?.touched ?? 0;
}

/**
 * Locks the outcome rows of the ids in the order of their keys.
 * Each of the writer's statements locks its own rows in that order. An object with several kinds of
 * entries needs this lock first: else two objects that have one row in different roles could wait
 * for each other.
 */
export async function lockOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  ids: readonly string[],
): Promise<void> {
  const { vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const among = keys.isComposite
    ? sql`JOIN unnest(${keys.unnested(ids)}) AS u (${keys.givenNames})
        ON ${areEqual(keys.stored('v'), keys.given('u'))} WHERE`
    : sql`WHERE v.item_id = ANY (${keys.unnested(ids)}) AND`;
  await sql`SELECT FROM ${vectors} AS v
     ${among} v.chunk = 0
     ORDER BY ${listKey(keys.stored('v'))}
       FOR NO KEY UPDATE OF v`.execute(db);
}
