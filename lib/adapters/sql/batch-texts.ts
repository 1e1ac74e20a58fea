import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { AwaitedText, BatchStore, CollectedText } from '../../ports/batches.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, prepared } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { renderHolder } from './outcomes.ts';

type Texts = Pick<
  BatchStore,
  | 'joinBatch'
  | 'findVectors'
  | 'takeForEdit'
  | 'listCollected'
  | 'dropCollected'
  | 'releaseCollected'
  | 'tidy'
>;

/**
 * The texts of the batch lane.
 * Locks are taken in one order everywhere: texts, then the ledger, then leases, each by key.
 * Whoever makes a row wait locks the text first, and whoever ends the waiting changes the text
 * first: a row never waits for what has come.
 */
export function createBatchTexts(db: SqlDatabase): Texts {
  return {
    joinBatch: (space, dispatchId, texts, leaseSeconds) =>
      joinBatch(db, space, dispatchId, texts, leaseSeconds),
    findVectors: (space, hashes) => findVectors(db, space, hashes),
    takeForEdit: (space, hashes) => takeForEdit(db, space, hashes),
    listCollected: (space, limit) => listCollected(db, space, limit),
    dropCollected: (space, hashes) => dropCollected(db, space, hashes),
    releaseCollected: (space, olderThanSeconds) => releaseCollected(db, space, olderThanSeconds),
    tidy: space => tidy(db, space),
  };
}

/** Runs one transaction of the batch lane. */
export function inTransaction<Value>(
  db: SqlDatabase,
  work: (transaction: Kysely<FreshetTables>) => Promise<Value>,
): Promise<Value> {
  return db.kysely.transaction().setIsolationLevel('read committed').execute(work);
}

/** Renders hexadecimal hashes as a `bytea[]`. */
export function renderHashes(hashes: readonly string[]): RawBuilder<unknown> {
  return sql`(SELECT coalesce(array_agg(decode(h, 'hex')), '{}')
                FROM unnest(${arrayLiteral(hashes)}::text[]) AS h)::bytea[]`;
}

/** Frees the rows that wait for these texts: their leases expire, and nobody counts an attempt. */
export async function freeWaiting(
  transaction: Kysely<FreshetTables>,
  spaceId: number,
  hashes: readonly string[],
): Promise<void> {
  if (hashes.length === 0) return;
  await sql`WITH mine AS MATERIALIZED (
      SELECT l.space_id, l.item_id FROM freshet.leases AS l
       WHERE l.space_id = ${spaceId}::int AND l.waits_for = ANY (${renderHashes(hashes)})
       ORDER BY l.item_id
         FOR UPDATE
    )
    UPDATE freshet.leases AS l SET expires_at = now(), waits_for = NULL, waits_version = NULL
      FROM mine WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id`.execute(transaction);
}

function joinBatch(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  texts: readonly AwaitedText[],
  leaseSeconds: number,
): Promise<ReadonlySet<string>> {
  if (texts.length === 0) return Promise.resolve(new Set());
  return inTransaction(db, async transaction => {
    const { rows } = await sql<{ hash: string }>`${prepared}
      INSERT INTO freshet.batch_texts AS t (space_id, content_hash, item_id, tokens)
      SELECT ${space.spaceId}::int, decode(u.hash, 'hex'), u.item_id, u.tokens
        FROM unnest(${arrayLiteral(texts.map(({ contentHash }) => contentHash))}::text[],
                    ${arrayLiteral(texts.map(({ rows }) => rows[0]?.id ?? ''))}::text[],
                    ${arrayLiteral(texts.map(({ tokens }) => tokens))}::int[]) AS u (hash, item_id, tokens)
       ORDER BY u.hash
      ON CONFLICT (space_id, content_hash) DO UPDATE SET item_id = excluded.item_id
        WHERE t.state IN ('collected', 'open')
      RETURNING encode(content_hash, 'hex') AS hash`.execute(transaction);
    const joined = new Set(rows.map(({ hash }) => hash));
    const waiting = texts.flatMap(({ contentHash, rows: ofText }) =>
      joined.has(contentHash) ? ofText.map(row => ({ ...row, contentHash })) : [],
    );
    await sql`${prepared}WITH mine AS MATERIALIZED (
        SELECT l.space_id, l.item_id, u.hash, u.version
          FROM freshet.leases AS l
          JOIN unnest(${arrayLiteral(waiting.map(({ id }) => id))}::text[],
                      ${arrayLiteral(waiting.map(({ contentHash }) => contentHash))}::text[],
                      ${arrayLiteral(waiting.map(({ version }) => version))}::text[])
            AS u (item_id, hash, version) ON u.item_id = l.item_id
         WHERE l.space_id = ${space.spaceId}::int AND l.dispatch_id = ${dispatchId}::uuid
           AND l.stage <> 'announced'
         ORDER BY l.item_id
           FOR UPDATE OF l
      )
      UPDATE freshet.leases AS l SET
        stage = 'queued', lane = 'bulk', run_id = NULL,
        expires_at = now() + ${leaseSeconds}::float8 * interval '1 second',
        waits_for = decode(mine.hash, 'hex'), waits_version = mine.version
        FROM mine WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id`.execute(transaction);
    return joined;
  });
}

async function findVectors(
  db: SqlDatabase,
  space: Space,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  if (hashes.length === 0) return new Map();
  const { rows } = await sql<{ hash: string; vector: Uint8Array }>`${prepared}
    SELECT encode(t.content_hash, 'hex') AS hash, t.vector FROM freshet.batch_texts AS t
     WHERE t.space_id = ${space.spaceId}::int AND t.content_hash = ANY (${renderHashes(hashes)})
       AND t.state = 'ready' AND t.vector IS NOT NULL`.execute(db.kysely);
  return new Map(rows.map(({ hash, vector }) => [hash, Buffer.from(vector)]));
}

function takeForEdit(db: SqlDatabase, space: Space, hashes: readonly string[]): Promise<ReadonlySet<string>> {
  if (hashes.length === 0) return Promise.resolve(new Set());
  return inTransaction(db, async transaction => {
    const { rows } = await sql<{ hash: string; state: string }>`${prepared}
      WITH mine AS MATERIALIZED (
        SELECT t.space_id, t.content_hash FROM freshet.batch_texts AS t
         WHERE t.space_id = ${space.spaceId}::int AND t.content_hash = ANY (${renderHashes(hashes)})
           AND t.state IN ('collected', 'open')
         ORDER BY t.content_hash
           FOR UPDATE
      )
      UPDATE freshet.batch_texts AS t SET
        state = CASE t.state WHEN 'collected' THEN 'live' ELSE t.state END,
        beside = t.state = 'open', changed_at = now()
        FROM mine WHERE t.space_id = mine.space_id AND t.content_hash = mine.content_hash
      RETURNING encode(t.content_hash, 'hex') AS hash, t.state`.execute(transaction);
    const taken = rows.filter(({ state }) => state === 'live').map(({ hash }) => hash);
    await freeWaiting(transaction, space.spaceId, taken);
    return new Set(rows.filter(({ state }) => state === 'open').map(({ hash }) => hash));
  });
}

async function listCollected(
  db: SqlDatabase,
  space: Space,
  limit: number,
): Promise<readonly CollectedText[]> {
  const { rows } = await sql<CollectedText>`
    SELECT encode(t.content_hash, 'hex') AS "contentHash", t.item_id AS "itemId", t.tokens
      FROM freshet.batch_texts AS t
     WHERE t.space_id = ${space.spaceId}::int AND t.state = 'collected'
     ORDER BY t.collected_at, t.content_hash LIMIT ${limit}::int`.execute(db.kysely);
  return rows;
}

function dropCollected(db: SqlDatabase, space: Space, hashes: readonly string[]): Promise<void> {
  if (hashes.length === 0) return Promise.resolve();
  return inTransaction(db, async transaction => {
    const { rows } = await sql<{ hash: string }>`
      DELETE FROM freshet.batch_texts AS t
       WHERE t.space_id = ${space.spaceId}::int AND t.content_hash = ANY (${renderHashes(hashes)})
         AND t.state = 'collected'
      RETURNING encode(t.content_hash, 'hex') AS hash`.execute(transaction);
    await freeWaiting(
      transaction,
      space.spaceId,
      rows.map(({ hash }) => hash),
    );
  });
}

function releaseCollected(db: SqlDatabase, space: Space, olderThanSeconds: number): Promise<number> {
  return inTransaction(db, async transaction => {
    const { rows } = await sql<{ hash: string }>`
      UPDATE freshet.batch_texts AS t SET state = 'live', changed_at = now()
       WHERE t.space_id = ${space.spaceId}::int AND t.state = 'collected'
         AND t.collected_at <= now() - ${olderThanSeconds}::float8 * interval '1 second'
      RETURNING encode(t.content_hash, 'hex') AS hash`.execute(transaction);
    await freeWaiting(
      transaction,
      space.spaceId,
      rows.map(({ hash }) => hash),
    );
    return rows.length;
  });
}

/** Vectors and marks of texts that nobody asked for again go after so many days. */
const KEPT_DAYS = 7;
/** Vectors that one tick looks for in the vector table: each is a look-up by its index. */
const TIDIED_AT_ONCE = 2_000;

async function tidy(db: SqlDatabase, space: Space): Promise<void> {
  await sql`DELETE FROM freshet.batch_texts AS t
    WHERE t.space_id = ${space.spaceId}::int AND t.state IN ('ready', 'live')
      AND t.changed_at < now() - make_interval(days => ${KEPT_DAYS}::int)
      AND NOT EXISTS (SELECT FROM freshet.batches AS b
                       WHERE b.batch_id = t.batch_id AND b.state IN ('submitting', 'open'))`.execute(
    db.kysely,
  );
  await sql`WITH old AS MATERIALIZED (
      SELECT t.space_id, t.content_hash FROM freshet.batch_texts AS t
       WHERE t.space_id = ${space.spaceId}::int AND t.state = 'ready'
         AND t.changed_at < now() - interval '1 hour'
       ORDER BY t.changed_at LIMIT ${TIDIED_AT_ONCE}::int
    )
    DELETE FROM freshet.batch_texts AS t USING old
     WHERE t.space_id = old.space_id AND t.content_hash = old.content_hash
       AND EXISTS (SELECT ${renderHolder(space, sql`old.content_hash`)})`.execute(db.kysely);
}
