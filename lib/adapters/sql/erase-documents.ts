import { type Kysely, type RawBuilder, sql } from 'kysely';
import { DOCUMENTS_SOURCE } from '../../core/documents.ts';
import type { ErasureReceipt } from '../../ports/documents.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral } from './fragments.ts';
import { type FreshetTables, vectorTableOf } from './freshet-tables.ts';
import {
  fromOtherWriters,
  hasPreparedTransaction,
  hidesTransaction,
  LONGEST_HIDDEN_SECONDS,
} from './open-transactions.ts';

/** What is erased: a segment of a tenant's asset, or all of them. */
interface Erased {
  readonly tenant: string;
  readonly assetId: string;
  readonly segmentId: string | null;
}

/** How long a completed receipt can be asked for: it has the ids of what was erased. */
const KEPT_DAYS = 30;

/**
 * Deletes items with everything that was made from their texts, and opens a receipt.
 * A writer that looked before the deletion can bring a vector back when it commits after it. The
 * receipt therefore stays pending until `completeErasures` has deleted a second time.
 * Undefined: the tenant has no such item and no receipt of it is pending.
 */
export async function eraseDocuments(
  db: SqlDatabase,
  tenant: string,
  assetId: string,
  segmentId: string | undefined,
): Promise<string | undefined> {
  const erased = { tenant, assetId, segmentId: segmentId ?? null };
  const receiptId = await db.kysely.transaction().execute(async transaction => {
    const { rows } = await sql<{ hash: string }>`
      DELETE FROM freshet.documents AS d WHERE ${isErased(erased, DOCUMENT_KEY)}
      RETURNING d.text_hash AS hash`.execute(transaction);
    if (rows.length === 0) return findPending(transaction, erased);
    const hashes = [...new Set(rows.map(({ hash }) => hash))];
    const vectors = await deleteOutcomes(transaction, erased, hashes, sql<boolean>`true`);
    const { rows: receipts } = await sql<{ id: string }>`
      INSERT INTO freshet.erasures (tenant, asset_id, segment_id, text_hashes, vectors)
      VALUES (${tenant}, ${assetId}, ${erased.segmentId}, ${arrayLiteral(hashes)}::text[], ${vectors}::int)
      RETURNING receipt_id::text AS id`.execute(transaction);
    return receipts[0]?.id;
  });
  if (receiptId !== undefined) await stampErasure(db, receiptId);
  return receiptId;
}

async function findPending(
  transaction: Kysely<FreshetTables>,
  { tenant, assetId, segmentId }: Erased,
): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    SELECT receipt_id::text AS id FROM freshet.erasures
     WHERE tenant = ${tenant} AND asset_id = ${assetId}
       AND segment_id IS NOT DISTINCT FROM ${segmentId}::text AND completed_at IS NULL
     ORDER BY requested_at DESC LIMIT 1`.execute(transaction);
  return rows[0]?.id;
}

/**
 * Notes a moment after the deletion was committed: whatever began later never saw the items.
 * A process that dies before leaves the moment to whoever completes the receipt, who is later.
 */
async function stampErasure(db: SqlDatabase, receiptId: string): Promise<void> {
  await sql`UPDATE freshet.erasures SET erased_at = clock_timestamp()
    WHERE receipt_id = ${receiptId}::uuid AND erased_at IS NULL`.execute(db.kysely);
}

const DOCUMENT_KEY = {
  tenant: sql`d.tenant`,
  assetId: sql`d.asset_id`,
  segmentId: sql`d.segment_id`,
};
/** The key of a document in the vector tables, whose parts are in the order of the primary key. */
const OUTCOME_KEY = { tenant: sql`v.item_id`, assetId: sql`v.item_id_2`, segmentId: sql`v.item_id_3` };

function isErased({ tenant, assetId, segmentId }: Erased, key: typeof DOCUMENT_KEY): RawBuilder<boolean> {
  const ofSegment = segmentId === null ? sql`` : sql` AND ${key.segmentId} = ${segmentId}`;
  return sql<boolean>`${key.tenant} = ${tenant} AND ${key.assetId} = ${assetId}${ofSegment}`;
}

/**
 * Deletes the outcomes of erased items in every space, retired ones too, with what is known of
 * their texts: verdicts, and texts that wait for a batch. Both go by a hash that no other tenant
 * has, and stay where another item of the tenant has the same text.
 * Locks are taken in the order of the writer: vectors by key, then verdicts.
 */
async function deleteOutcomes(
  transaction: Kysely<FreshetTables>,
  erased: Erased,
  hashes: readonly string[],
  isOld: RawBuilder<boolean>,
): Promise<number> {
  const { rows: spaces } = await sql<{ id: number }>`
    SELECT space_id AS id FROM freshet.spaces
     WHERE source_name = ${DOCUMENTS_SOURCE}
       AND to_regclass('freshet.vectors_' || space_id) IS NOT NULL
     ORDER BY space_id`.execute(transaction);
  let deleted = 0;
  for (const { id } of spaces) {
    const vectors = sql.id('freshet', vectorTableOf(id));
    const { rows } = await sql<{ deleted: number }>`
      WITH locked AS MATERIALIZED (
        SELECT v.item_id, v.item_id_2, v.item_id_3, v.chunk FROM ${vectors} AS v
         WHERE ${isErased(erased, OUTCOME_KEY)} AND ${isOld}
         ORDER BY v.item_id, v.item_id_2, v.item_id_3, v.chunk FOR UPDATE
      ), gone AS (
        DELETE FROM ${vectors} AS v USING locked AS k
         WHERE (v.item_id, v.item_id_2, v.item_id_3, v.chunk)
             = (k.item_id, k.item_id_2, k.item_id_3, k.chunk) AND ${isOld}
        RETURNING v.embedding IS NOT NULL AS held
      )
      SELECT count(*) FILTER (WHERE held)::int AS deleted FROM gone`.execute(transaction);
    deleted += rows[0]?.deleted ?? 0;
    const isUnused = sql<boolean>`NOT EXISTS (SELECT FROM freshet.documents AS d
      WHERE d.tenant = ${erased.tenant} AND decode(d.text_hash, 'hex') = f.content_hash)`;
    const isOfText = sql<boolean>`f.space_id = ${id}::int AND f.content_hash IN
      (SELECT decode(h, 'hex') FROM unnest(${arrayLiteral(hashes)}::text[]) AS u (h)) AND ${isUnused}`;
    await sql`DELETE FROM freshet.failures AS f WHERE ${isOfText}`.execute(transaction);
    await sql`DELETE FROM freshet.batch_texts AS f WHERE ${isOfText} AND f.state <> 'open'`.execute(
      transaction,
    );
  }
  return deleted;
}

/** Receipts of one call at most. */
const RECEIPTS_AT_ONCE = 100;

interface PendingReceipt extends Erased {
  readonly id: string;
  readonly hashes: string;
}

/** As `DocumentStore.completeErasures`. */
export async function completeErasures(db: SqlDatabase): Promise<number> {
  const { rows: unstamped } = await sql<{ id: string }>`
    SELECT receipt_id::text AS id FROM freshet.erasures
     WHERE completed_at IS NULL AND erased_at IS NULL
       AND requested_at < now() - interval '1 minute'`.execute(db.kysely);
  for (const { id } of unstamped) await stampErasure(db, id);
  const { rows: due } = await sql<PendingReceipt>`
    SELECT e.receipt_id::text AS id, e.tenant, e.asset_id AS "assetId", e.segment_id AS "segmentId",
           to_json(e.text_hashes)::text AS hashes
      FROM freshet.erasures AS e
     WHERE e.completed_at IS NULL AND ${hasNoWriter}
     ORDER BY e.requested_at LIMIT ${RECEIPTS_AT_ONCE}::int`.execute(db.kysely);
  let completed = 0;
  for (const receipt of due) completed += await completeErasure(db, receipt);
  await sql`DELETE FROM freshet.erasures
    WHERE completed_at < now() - interval '1 day' * ${KEPT_DAYS}::int`.execute(db.kysely);
  return completed;
}

/**
 * Whether lease `l` is of an item of receipt `e`.
 * The id of a lease is the key as a JSON array of texts, so that one asset's begin alike. Leases of
 * other sources have ids that are no JSON: none is parsed.
 */
const isLeaseOfReceipt = sql<boolean>`
  CASE WHEN e.segment_id IS NULL
       THEN starts_with(l.item_id, left(json_build_array(e.tenant, e.asset_id)::text, -1) || ', "')
       ELSE l.item_id = json_build_array(e.tenant, e.asset_id, e.segment_id)::text END`;

/**
 * Whether nobody is left who may have seen the items of receipt `e`.
 * A second is let pass for a backend that has begun and does not show it yet. One that hides its
 * transaction is waited for as long as it may stay open, a prepared one until it ends. A lease says
 * that a worker has the text in hand.
 */
const hasNoWriter = sql<boolean>`
  e.erased_at < clock_timestamp() - interval '1 second'
  AND NOT ${hasPreparedTransaction}
  AND NOT EXISTS (
    SELECT ${fromOtherWriters}
       AND (a.xact_start <= e.erased_at
            OR (${hidesTransaction} AND e.erased_at
                > clock_timestamp() - interval '1 second' * ${sql.lit(LONGEST_HIDDEN_SECONDS)})))
  AND NOT EXISTS (
    SELECT FROM freshet.leases AS l JOIN freshet.spaces AS p ON p.space_id = l.space_id
     WHERE p.source_name = ${sql.lit(DOCUMENTS_SOURCE)} AND l.expires_at > now()
       AND l.first_seen <= e.erased_at
       AND ${isLeaseOfReceipt})`;

/** Deletes what was made from a text that was read before the erasure; later texts are others. */
async function completeErasure(db: SqlDatabase, { id, hashes, ...erased }: PendingReceipt): Promise<number> {
  return db.kysely.transaction().execute(async transaction => {
    const { rows } = await sql<{ erasedAt: string }>`
      SELECT erased_at::text AS "erasedAt" FROM freshet.erasures
       WHERE receipt_id = ${id}::uuid AND completed_at IS NULL FOR UPDATE SKIP LOCKED`.execute(transaction);
    const erasedAt = rows[0]?.erasedAt;
    if (erasedAt === undefined) return 0;
    const isOld = sql<boolean>`v.read_at <= ${erasedAt}::timestamptz`;
    const found = await deleteOutcomes(transaction, erased, JSON.parse(hashes) as string[], isOld);
    await sql`
      DELETE FROM freshet.leases AS l USING freshet.spaces AS p, freshet.erasures AS e
       WHERE p.space_id = l.space_id AND p.source_name = ${DOCUMENTS_SOURCE}
         AND e.receipt_id = ${id}::uuid AND l.expires_at <= now() AND ${isLeaseOfReceipt}`.execute(
      transaction,
    );
    await sql`
      UPDATE freshet.erasures SET completed_at = now(), vectors = vectors + ${found}::int, text_hashes = '{}'
       WHERE receipt_id = ${id}::uuid`.execute(transaction);
    return 1;
  });
}

/** As `DocumentStore.readReceipt`. */
export async function readReceipt(
  db: SqlDatabase,
  tenant: string,
  receiptId: string,
): Promise<ErasureReceipt | undefined> {
  const { rows } = await sql<Omit<ErasureReceipt, 'providerBatches'> & { batches: string }>`
    SELECT e.receipt_id::text AS "receiptId", e.asset_id AS "assetId", e.segment_id AS "segmentId",
           CASE WHEN e.completed_at IS NULL THEN 'pending' ELSE 'complete' END AS status, e.vectors,
           to_json(e.requested_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS "requestedAt",
           to_json(e.completed_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS "completedAt",
           (SELECT coalesce(json_agg(DISTINCT b.provider_batch_id), '[]')::text
              FROM freshet.batch_texts AS t JOIN freshet.batches AS b ON b.batch_id = t.batch_id
             WHERE b.provider_batch_id IS NOT NULL AND b.state <> 'ended'
               AND t.content_hash IN (SELECT decode(h, 'hex') FROM unnest(e.text_hashes) AS u (h))) AS batches
      FROM freshet.erasures AS e
     WHERE e.tenant = ${tenant} AND e.receipt_id::text = ${receiptId}`.execute(db.kysely);
  const [row] = rows;
  if (row === undefined) return undefined;
  const { batches, ...receipt } = row;
  return { ...receipt, providerBatches: JSON.parse(batches) as string[] };
}
