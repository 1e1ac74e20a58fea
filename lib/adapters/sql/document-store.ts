import { type Kysely, sql } from 'kysely';
import type { PipelineConfig } from '../../core/config/pipeline-config.ts';
import { DOCUMENTS_SOURCE } from '../../core/documents.ts';
import type { Space } from '../../core/model.ts';
import type { DocumentStore, JobState, StoredItem } from '../../ports/documents.ts';
import type { SqlDatabase } from './database.ts';
import { completeErasures, eraseDocuments, readReceipt } from './erase-documents.ts';
import { arrayLiteral } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { openSpaces } from './open-spaces.ts';
import { quoteSpace } from './quote-space.ts';

/** Jobs of texts that were replaced are told to be superseded for so long. */
const SUPERSEDED_DAYS = 7;

/**
 * Opens the texts that the service is given.
 * Whose they are is a condition of every statement: the tenant is a parameter of each, beside the
 * ids that a client names.
 */
export function createDocumentStore(db: SqlDatabase, config: PipelineConfig): DocumentStore {
  let opened: Promise<readonly Space[]> | undefined;
  const openedSpaces = () => {
    const sources = config.sources.filter(({ name }) => name === DOCUMENTS_SOURCE);
    opened ??= openSpaces(db, { ...config, sources }).then(spaces => spaces.list());
    // What is not there yet may be there at the next request.
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  return {
    async write(tenant, model, items) {
      const spaces = await openedSpaces();
      return db.kysely
        .transaction()
        .execute(transaction => writeItems(transaction, spaces, { tenant, model, items }));
    },
    async readJobs(tenant, jobIds) {
      const spaces = await openedSpaces();
      const jobs: JobState[] = [];
      for (const space of spaces) jobs.push(...(await readJobs(db, space, tenant, jobIds)));
      return jobs;
    },
    erase: (tenant, assetId, segmentId) => eraseDocuments(db, tenant, assetId, segmentId),
    readReceipt: (tenant, receiptId) => readReceipt(db, tenant, receiptId),
    completeErasures: () => completeErasures(db),
    async dropTexts() {
      const spaces = await openedSpaces();
      return db.kysely.transaction().execute(transaction => dropTexts(transaction, spaces));
    },
  };
}

interface GivenItems {
  readonly tenant: string;
  readonly model: string;
  readonly items: readonly StoredItem[];
}

/**
 * Writes items, and only where their text is another one than before, or is gone and needed.
 * `updated_at` rises with the text alone: metadata is read from this row by every search, and needs
 * no vector anew. It rises even where the clock stands or steps back, so that no outcome of an
 * earlier text ever has the present version.
 */
async function writeItems(
  transaction: Kysely<FreshetTables>,
  spaces: readonly Space[],
  { tenant, model, items }: GivenItems,
): Promise<void> {
  const lines = JSON.stringify(
    items.map(({ assetId, segmentId, metadata, text, textHash, jobId }) => ({
      ...{ asset_id: assetId, segment_id: segmentId, metadata },
      ...{ text, text_hash: textHash, job_id: jobId },
    })),
  );
  const given = sql`jsonb_to_recordset(${lines}::jsonb) AS g
    (asset_id text, segment_id text, metadata jsonb, text text, text_hash text, job_id text)`;
  const isGiven = sql<boolean>`d.tenant = ${tenant} AND d.asset_id = g.asset_id COLLATE "C"
    AND d.segment_id = g.segment_id COLLATE "C"`;
  const { rows: changed } = await sql<{ document: string }>`
    INSERT INTO freshet.documents AS d (tenant, asset_id, segment_id, metadata, text_hash, updated_at)
    SELECT ${tenant}, g.asset_id, g.segment_id, g.metadata, g.text_hash, clock_timestamp()
      FROM ${given} ORDER BY g.asset_id COLLATE "C", g.segment_id COLLATE "C"
    ON CONFLICT (tenant, asset_id, segment_id) DO UPDATE SET
      text_hash = excluded.text_hash,
      updated_at = greatest(clock_timestamp(), d.updated_at + interval '1 microsecond')
    WHERE d.text_hash <> excluded.text_hash
    RETURNING d.document::text AS document`.execute(transaction);
  // A text that is not kept was deleted before a later model asked for it: it is given again.
  const { rows: missed } = await sql<{ document: string }>`
    WITH missed AS MATERIALIZED (
      SELECT s.document FROM ${given} JOIN freshet.documents AS s ON s.tenant = ${tenant}
         AND s.asset_id = g.asset_id COLLATE "C" AND s.segment_id = g.segment_id COLLATE "C"
       WHERE NOT EXISTS (SELECT FROM freshet.document_texts AS t WHERE t.document = s.document)
         AND s.text_hash = g.text_hash AND NOT (${isSettled(spaces)})
       ORDER BY s.asset_id COLLATE "C", s.segment_id COLLATE "C" FOR UPDATE OF s
    )
    UPDATE freshet.documents AS d
       SET updated_at = greatest(clock_timestamp(), d.updated_at + interval '1 microsecond')
      FROM missed WHERE d.document = missed.document AND d.document <> ALL (${arrayLiteral(
        changed.map(({ document }) => document),
      )}::bigint[])
    RETURNING d.document::text AS document`.execute(transaction);
  const documents = arrayLiteral([...changed, ...missed].map(({ document }) => document));
  await sql`
    UPDATE freshet.documents AS d SET metadata = g.metadata FROM ${given}
     WHERE ${isGiven} AND d.metadata IS DISTINCT FROM g.metadata`.execute(transaction);
  await sql`
    DELETE FROM freshet.document_texts WHERE document = ANY (${documents}::bigint[])`.execute(transaction);
  await sql`
    INSERT INTO freshet.document_texts (document, text_hash, text)
    SELECT d.document, g.text_hash, g.text FROM ${given} JOIN freshet.documents AS d ON ${isGiven}
     WHERE d.document = ANY (${documents}::bigint[])`.execute(transaction);
  await sql`
    INSERT INTO freshet.document_jobs (job_id, document, text_hash, model_alias)
    SELECT g.job_id, d.document, g.text_hash, ${model}
      FROM ${given} JOIN freshet.documents AS d ON ${isGiven}
    ON CONFLICT (job_id) DO UPDATE SET requested_at = now()`.execute(transaction);
  await sql`
    DELETE FROM freshet.document_jobs AS j USING freshet.documents AS d
     WHERE j.document = ANY (${documents}::bigint[]) AND d.document = j.document
       AND j.text_hash <> d.text_hash
       AND j.requested_at < now() - interval '1 day' * ${SUPERSEDED_DAYS}::int`.execute(transaction);
}

/** Reads jobs of one space's model with the outcome of the present text. */
async function readJobs(
  db: SqlDatabase,
  space: Space,
  tenant: string,
  jobIds: readonly string[],
): Promise<readonly JobState[]> {
  const { source, vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<JobState>`
    SELECT j.job_id AS "jobId", s.asset_id AS "assetId", s.segment_id AS "segmentId",
           j.model_alias AS model, j.text_hash = s.text_hash AS "isCurrent", v.outcome,
           l.stage IN ('embedding', 'announced') IS TRUE AS "isTaken"
      FROM freshet.document_jobs AS j
      JOIN ${source} AS s ON s.document = j.document
      LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
       AND v.source_version = s.updated_at
      LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId}
       AND l.expires_at > now()
     WHERE j.job_id = ANY (${arrayLiteral(jobIds)}::text[]) AND j.model_alias = ${space.model.alias}
       AND s.tenant = ${tenant}`.execute(db.kysely);
  return rows;
}

/** Texts of one call at most: what is left is deleted by the next. */
const TEXTS_AT_ONCE = 1000;

/**
 * Deletes the texts of which every space that is not retired holds an outcome.
 * The documents are locked first, and looked at by a statement of its own: what was locked does not
 * change any more. An outcome counts where it is of the present version and made from the present
 * hash; one that was not delivered has to be tried again, and needs the text.
 * The spaces are those of the configuration and of the database: where these differ, as while a new
 * model is deployed, nothing is deleted.
 */
async function dropTexts(transaction: Kysely<FreshetTables>, spaces: readonly Space[]): Promise<number> {
  if (spaces.length === 0) return 0;
  const { rows: known } = await sql<{ id: number }>`
    SELECT space_id AS id FROM freshet.spaces
     WHERE source_name = ${DOCUMENTS_SOURCE} AND status <> 'retired'`.execute(transaction);
  const ids = new Set(known.map(({ id }) => id));
  if (ids.size !== spaces.length || !spaces.every(({ spaceId }) => ids.has(spaceId))) return 0;
  const { rows: locked } = await sql<{ document: string }>`
    SELECT s.document::text AS document FROM freshet.documents AS s
     WHERE ${isSettled(spaces)}
       AND EXISTS (SELECT FROM freshet.document_texts AS t WHERE t.document = s.document)
     ORDER BY s.document LIMIT ${TEXTS_AT_ONCE}::int
       FOR UPDATE OF s SKIP LOCKED`.execute(transaction);
  const documents = arrayLiteral(locked.map(({ document }) => document));
  const { rows } = await sql<{ dropped: number }>`
    WITH dropped AS (
      DELETE FROM freshet.document_texts AS t USING freshet.documents AS s
       WHERE s.document = ANY (${documents}::bigint[]) AND t.document = s.document AND ${isSettled(spaces)}
      RETURNING 1
    )
    SELECT count(*)::float8 AS dropped FROM dropped`.execute(transaction);
  return rows[0]?.dropped ?? 0;
}

/** Renders whether each of the spaces holds what was made from the present text of document `s`. */
function isSettled(spaces: readonly Space[]) {
  const conditions = spaces.map(space => {
    const { vectors } = quoteSpace(space);
    const keys = keyColumnsOf(space.source);
    return sql`EXISTS (SELECT FROM ${vectors} AS v
      WHERE ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
        AND v.source_version = s.updated_at AND v.content_hash = decode(s.text_hash, 'hex')
        AND v.outcome NOT LIKE 'undelivered%')`;
  });
  return conditions.length === 0 ? sql`true` : sql`${sql.join(conditions, sql` AND `)}`;
}
