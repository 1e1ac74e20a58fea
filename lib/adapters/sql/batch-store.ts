import { type RawBuilder, sql } from 'kysely';
import type { LedgerEntry } from '../../core/result-object.ts';
import type { BatchPart, BatchStore, CollectedSpace, StoredBatch } from '../../ports/batches.ts';
import { createBatchTexts, freeWaiting, inTransaction, renderHashes } from './batch-texts.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral } from './fragments.ts';

/** Opens the batch lane on a database: its texts (`batch-texts.ts`), and its batches. */
export function createBatchStore(db: SqlDatabase): BatchStore {
  const change = async (batchId: string, assignment: RawBuilder<unknown>, condition = sql`true`) => {
    await sql`UPDATE freshet.batches AS b SET ${assignment}
      WHERE b.batch_id = ${batchId}::uuid AND ${condition}`.execute(db.kysely);
  };
  return {
    ...createBatchTexts(db),
    isDue: modelAlias => isDue(db, modelAlias),
    claimDue: (modelAlias, seconds) => claimDue(db, modelAlias, seconds),
    postponeLook: (batchId, seconds) => change(batchId, sql`next_look_at = now() + ${toInterval(seconds)}`),
    readCollected: modelAlias => readCollected(db, modelAlias),
    beginBatch: (batch, hashes, claimSeconds) => beginBatch(db, batch, hashes, claimSeconds),
    noteFile: (batchId, inputFileId) => noteFile(db, batchId, inputFileId),
    noteSubmitted: (batchId, providerBatchId) =>
      change(
        batchId,
        sql`state = 'open', provider_batch_id = ${providerBatchId}::text`,
        sql`b.state = 'submitting'`,
      ),
    noteFenced: batchId => change(batchId, sql`fenced_at = coalesce(b.fenced_at, now())`),
    noteCancelled: batchId => change(batchId, sql`cancelled_at = coalesce(b.cancelled_at, now())`),
    noteEnded: batchId =>
      change(batchId, sql`ended_at = coalesce(b.ended_at, now()), looks_at_end = b.looks_at_end + 1`),
    ingestPart: (batch, part) => ingestPart(db, batch, part),
    releaseTexts: batchId => releaseTexts(db, batchId),
    settleBatch: (batchId, end) => settleBatch(db, batchId, end),
    noteCleared: batchId => change(batchId, sql`state = 'ended', file_ids = '{}'`, sql`b.state = 'settled'`),
    async holdModel(modelAlias, seconds, code) {
      await sql`INSERT INTO freshet.batch_holds (model_alias, until, code)
        VALUES (${modelAlias}::text, now() + ${toInterval(seconds)}, ${code}::text)
        ON CONFLICT (model_alias) DO UPDATE SET until = excluded.until, code = excluded.code`.execute(
        db.kysely,
      );
    },
  };
}

const toInterval = (seconds: number) => sql`${seconds}::float8 * interval '1 second'`;

const isHeld = (modelAlias: string) => sql`EXISTS (SELECT FROM freshet.batch_holds AS h
  WHERE h.model_alias = ${modelAlias}::text AND h.until > now())`;

async function isDue(db: SqlDatabase, modelAlias: string): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    SELECT EXISTS (SELECT FROM freshet.batches AS b
                    WHERE b.model_alias = ${modelAlias}::text AND b.state <> 'ended'
                      AND b.next_look_at <= now())
        OR (EXISTS (SELECT FROM freshet.spaces AS s JOIN freshet.batch_texts AS t USING (space_id)
                     WHERE s.model_alias = ${modelAlias}::text AND s.status <> 'retired'
                       AND t.state = 'collected')
            AND NOT ${isHeld(modelAlias)}) AS due`.execute(db.kysely);
  return rows[0]?.due ?? false;
}

async function claimDue(
  db: SqlDatabase,
  modelAlias: string,
  seconds: number,
): Promise<readonly StoredBatch[]> {
  const { rows } = await sql<StoredBatch>`
    WITH due AS MATERIALIZED (
      SELECT b.batch_id FROM freshet.batches AS b
       WHERE b.model_alias = ${modelAlias}::text AND b.state <> 'ended' AND b.next_look_at <= now()
       ORDER BY b.created_at, b.batch_id
         FOR UPDATE SKIP LOCKED
    )
    UPDATE freshet.batches AS b SET next_look_at = now() + ${toInterval(seconds)}
      FROM due WHERE b.batch_id = due.batch_id
    RETURNING b.batch_id::text AS "batchId", b.space_id AS "spaceId", b.model_alias AS "modelAlias", b.state,
              b.provider_batch_id AS "providerBatchId", b.input_file_id AS "inputFileId",
              b.file_ids AS "fileIds", b.texts, b.tokens::float8 AS tokens,
              b.usd_per_million_tokens AS "usdPerMillionTokens", b.dimensions, b.normalized,
              extract(epoch FROM now() - b.created_at)::float8 AS "ageSeconds",
              b.fenced_at IS NOT NULL AS "isFenced", b.cancelled_at IS NOT NULL AS "isCancelled",
              b.released_at IS NOT NULL AS "isReleased",
              extract(epoch FROM now() - b.ended_at)::float8 AS "endedSeconds",
              b.looks_at_end AS "looksAtEnd"`.execute(db.kysely);
  return [...rows].sort((a, b) => b.ageSeconds - a.ageSeconds || (a.batchId < b.batchId ? -1 : 1));
}

async function readCollected(
  db: SqlDatabase,
  modelAlias: string,
): Promise<Awaited<ReturnType<BatchStore['readCollected']>>> {
  const { rows } = await sql<{ enqueued: number; held: boolean }>`
    SELECT (SELECT coalesce(sum(b.tokens), 0)::float8 FROM freshet.batches AS b
             WHERE b.model_alias = ${modelAlias}::text AND b.state IN ('submitting', 'open')) AS enqueued,
           ${isHeld(modelAlias)} AS held`.execute(db.kysely);
  const spaces = await sql<CollectedSpace>`
    SELECT t.space_id AS "spaceId", count(*)::int AS texts,
           extract(epoch FROM now() - min(t.collected_at))::float8 AS "oldestAgeSeconds"
      FROM freshet.spaces AS s JOIN freshet.batch_texts AS t USING (space_id)
     WHERE s.model_alias = ${modelAlias}::text AND s.status <> 'retired' AND t.state = 'collected'
     GROUP BY t.space_id ORDER BY t.space_id`.execute(db.kysely);
  const { enqueued = 0, held = false } = rows[0] ?? {};
  return { spaces: spaces.rows, enqueuedTokens: enqueued, isHeld: held };
}

/**
 * Takes the texts first and counts what was taken, so that whoever comes second gets the others.
 * The batch is committed before anything of it is sent.
 */
function beginBatch(
  db: SqlDatabase,
  batch: Parameters<BatchStore['beginBatch']>[0],
  hashes: readonly string[],
  claimSeconds: number,
): Promise<ReadonlySet<string>> {
  return inTransaction(db, async transaction => {
    const { rows } = await sql<{ hash: string; tokens: number }>`
      WITH mine AS MATERIALIZED (
        SELECT t.space_id, t.content_hash FROM freshet.batch_texts AS t
         WHERE t.space_id = ${batch.spaceId}::int AND t.content_hash = ANY (${renderHashes(hashes)})
           AND t.state = 'collected'
         ORDER BY t.content_hash
           FOR UPDATE
      )
      UPDATE freshet.batch_texts AS t SET
        state = 'open', batch_id = ${batch.batchId}::uuid, paid = false, beside = false, changed_at = now()
        FROM mine WHERE t.space_id = mine.space_id AND t.content_hash = mine.content_hash
      RETURNING encode(t.content_hash, 'hex') AS hash, t.tokens`.execute(transaction);
    if (rows.length === 0) return new Set<string>();
    const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
    await sql`INSERT INTO freshet.batches (batch_id, space_id, model_alias, state, texts, tokens,
        usd_per_million_tokens, dimensions, normalized, next_look_at)
      VALUES (${batch.batchId}::uuid, ${batch.spaceId}::int, ${batch.modelAlias}::text, 'submitting',
        ${rows.length}::int, ${tokens}::bigint, ${batch.usdPerMillionTokens}::float8,
        ${batch.dimensions}::int, ${batch.normalized}::bool, now() + ${toInterval(claimSeconds)})`.execute(
      transaction,
    );
    return new Set(rows.map(({ hash }) => hash));
  });
}

/**
 * Stores a part in one transaction: the texts, the ledger, the grant, and the rows that wait.
 * `paid` decides what is counted: it is set with the first answer, whoever reads the line again.
 */
function ingestPart(db: SqlDatabase, batch: StoredBatch, part: BatchPart): Promise<LedgerEntry | undefined> {
  return inTransaction(db, async transaction => {
    const lines = [...new Map(part.lines.map(line => [line.contentHash, line])).values()];
    const { rows: came } = await sql<{ hash: string; tokens: number }>`
      WITH answered AS MATERIALIZED (
        SELECT t.space_id, t.content_hash, u.tokens, u.vector
          FROM unnest(${arrayLiteral(lines.map(({ contentHash }) => contentHash))}::text[],
                      ${arrayLiteral(lines.map(line => line.tokens))}::int[],
                      ${arrayLiteral(lines.map(({ vector }) => vector?.toString('hex') ?? null))}::text[])
            AS u (hash, tokens, vector)
          JOIN freshet.batch_texts AS t
            ON t.space_id = ${batch.spaceId}::int AND t.content_hash = decode(u.hash, 'hex')
         WHERE t.batch_id = ${batch.batchId}::uuid AND NOT t.paid
         ORDER BY t.content_hash
           FOR UPDATE OF t
      )
      UPDATE freshet.batch_texts AS t SET
        paid = true, changed_at = now(), vector = decode(a.vector, 'hex'),
        state = CASE WHEN a.vector IS NULL THEN 'live' ELSE 'ready' END
        FROM answered AS a WHERE t.space_id = a.space_id AND t.content_hash = a.content_hash
      RETURNING encode(t.content_hash, 'hex') AS hash, coalesce(a.tokens, t.tokens) AS tokens`.execute(
      transaction,
    );
    if (came.length === 0) return undefined;
    const tokens = came.reduce((sum, text) => sum + text.tokens, 0);
    const entry: LedgerEntry = {
      callId: part.callId,
      modelAlias: batch.modelAlias,
      lane: 'bulk',
      items: came.length,
      uniqueTexts: came.length,
      tokens,
      costUsd: (tokens * batch.usdPerMillionTokens) / 1e6,
      latencyMs: 0,
      outcome: 'ok',
      requestId: batch.providerBatchId,
    };
    await sql`INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens,
        cost_usd, latency_ms, outcome, request_id, run_id)
      VALUES (${entry.callId}::uuid, ${batch.spaceId}::int, ${entry.modelAlias}::text, ${entry.lane}::text,
        ${entry.items}::int, ${entry.uniqueTexts}::int, ${tokens}::bigint, ${entry.costUsd}::float8,
        0, 'ok', ${entry.requestId}::text, NULL)
      ON CONFLICT (call_id) DO UPDATE SET items = ledger.items + excluded.items,
        unique_texts = ledger.unique_texts + excluded.unique_texts,
        tokens = ledger.tokens + excluded.tokens, cost_usd = ledger.cost_usd + excluded.cost_usd`.execute(
      transaction,
    );
    await sql`UPDATE freshet.grants AS g SET
        estimated_tokens = greatest(0, g.estimated_tokens - ${tokens}::float8),
        estimated_cost_usd = greatest(0, g.estimated_cost_usd - ${entry.costUsd}::float8)
      WHERE g.call_id = ${batch.batchId}::uuid`.execute(transaction);
    await freeWaiting(
      transaction,
      batch.spaceId,
      came.map(({ hash }) => hash),
    );
    return entry;
  });
}

/**
 * A batch that is over takes the file among those that its next look deletes.
 * Where no file is known, that look asks the provider for one.
 */
async function noteFile(db: SqlDatabase, batchId: string, inputFileId: string | null): Promise<boolean> {
  const { rows } = await sql<{ awaited: boolean }>`
    UPDATE freshet.batches AS b SET
      input_file_id = CASE WHEN ${isOver} THEN b.input_file_id
                           ELSE coalesce(${inputFileId}::text, b.input_file_id) END,
      file_ids = CASE WHEN ${isOver} THEN array_remove(b.file_ids || ${inputFileId}::text, NULL)
                      ELSE b.file_ids END,
      next_look_at = CASE WHEN ${isOver} THEN now() ELSE b.next_look_at END,
      state = CASE WHEN ${isOver} THEN 'settled' ELSE b.state END
     WHERE b.batch_id = ${batchId}::uuid
    RETURNING b.state = 'submitting' AND b.fenced_at IS NULL AS awaited`.execute(db.kysely);
  return rows[0]?.awaited ?? false;
}

const isOver = sql`b.state IN ('settled', 'ended')`;

function releaseTexts(db: SqlDatabase, batchId: string): Promise<number> {
  return inTransaction(db, async transaction => {
    const released = await releaseOpen(transaction, batchId, 'live');
    await sql`UPDATE freshet.batches SET released_at = coalesce(released_at, now())
      WHERE batch_id = ${batchId}::uuid`.execute(transaction);
    return released;
  });
}

function settleBatch(
  db: SqlDatabase,
  batchId: string,
  { outcome, rest, fileIds }: Parameters<BatchStore['settleBatch']>[1],
): Promise<number> {
  return inTransaction(db, async transaction => {
    const { rows } = await sql`UPDATE freshet.batches AS b SET
        state = 'settled', outcome = ${outcome}::text, file_ids = ${arrayLiteral(fileIds)}::text[],
        ended_at = coalesce(b.ended_at, now()), next_look_at = now()
       WHERE b.batch_id = ${batchId}::uuid AND b.state IN ('submitting', 'open')
      RETURNING 1`.execute(transaction);
    if (rows.length === 0) return 0;
    await sql`DELETE FROM freshet.grants WHERE call_id = ${batchId}::uuid`.execute(transaction);
    return releaseOpen(transaction, batchId, rest);
  });
}

async function releaseOpen(
  transaction: Parameters<typeof freeWaiting>[0],
  batchId: string,
  state: 'live' | 'collected',
): Promise<number> {
  const { rows } = await sql<{ hash: string; spaceId: number }>`
    WITH mine AS MATERIALIZED (
      SELECT t.space_id, t.content_hash FROM freshet.batch_texts AS t
       WHERE t.batch_id = ${batchId}::uuid AND t.state = 'open'
       ORDER BY t.content_hash
         FOR UPDATE
    )
    UPDATE freshet.batch_texts AS t SET
      state = ${state}::text, changed_at = now(),
      batch_id = CASE WHEN ${state}::text = 'collected' THEN NULL ELSE t.batch_id END
      FROM mine WHERE t.space_id = mine.space_id AND t.content_hash = mine.content_hash
    RETURNING encode(t.content_hash, 'hex') AS hash, t.space_id AS "spaceId"`.execute(transaction);
  const [first] = rows;
  if (first && state === 'live') {
    await freeWaiting(
      transaction,
      first.spaceId,
      rows.map(({ hash }) => hash),
    );
  }
  return rows.length;
}
