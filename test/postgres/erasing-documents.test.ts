import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { upsertOutcomes } from '../../lib/adapters/sql/outcomes.ts';
import { encodeVectorArray, joinVectorArrays } from '../../lib/core/vectors.ts';
import { type Documents, openDocuments } from '../database/open-documents.ts';
import { request } from '../database/open-space.ts';

let documents: Documents;
beforeEach(async () => {
  documents = await openDocuments({ model: 'second', filters: [] });
});
afterEach(() => documents.close());

const spaceOf = () => documents.spaces[0]!;

async function countVectors(): Promise<number> {
  const { rows } = await sql<{ rows: number }>`
    SELECT count(*)::int AS rows FROM ${sql.id('freshet', spaceOf().vectorTable)}`.execute(
    documents.database.kysely,
  );
  return rows[0]?.rows ?? 0;
}

/** Takes up what is stale and reads it, as a worker does. */
async function readStale(dispatchId: string) {
  const { database } = documents;
  const leased = await createDetectionStore(database).leaseStaleSlice(spaceOf(), {
    ...request({ dispatchId }),
    ...{ after: null, through: null },
  });
  const ids = leased.rows.map(({ id }) => id);
  const embedding = createEmbeddingStore(database);
  await embedding.beginEmbedding(spaceOf(), dispatchId, ids);
  return embedding.readRows(spaceOf(), ids, 1000);
}

/** Writes what was read in a transaction that commits when it is told to. */
async function writeLate(readings: Awaited<ReturnType<typeof readStale>>) {
  const { database } = documents;
  const element = await database.vectorTypeOid();
  const vector = Buffer.from(new Float32Array([1, 0, 0, 0, 0, 0, 0, 0]).buffer);
  const entries = readings.map(({ id, version, xid, readAt, columns }) => ({
    ...{ id, version, xid, readAt, outcome: 'embedded' as const, contentHash: columns[1] ?? null },
    ...{ textLength: 1, keptLength: 1, tokens: 1 },
  }));
  const arrays = [
    encodeVectorArray(
      entries.map(() => vector),
      8,
    ),
  ];
  let release = () => {};
  const mayCommit = new Promise<void>(resolve => {
    release = resolve;
  });
  let begin = () => {};
  const hasWritten = new Promise<void>(resolve => {
    begin = resolve;
  });
  const committed = database.kysely.transaction().execute(async transaction => {
    await upsertOutcomes(transaction, spaceOf(), entries, joinVectorArrays(arrays, element));
    begin();
    await mayCommit;
  });
  await hasWritten;
  return async () => {
    release();
    await committed;
  };
}

const pastTheMargin = () => new Promise(resolve => setTimeout(resolve, 1100));

describe('an item that is erased while it is in flight', () => {
  test('stays erased, also when a writer commits after the erasure', async () => {
    const a = await documents.as('a');
    await a.embed('1', 'a text in flight');
    const commit = await writeLate(await readStale(randomUUID()));
    const { receipt_id } = (await a.erase('/v1/vectors/book/1')).json;
    await sql`UPDATE freshet.leases SET expires_at = now()`.execute(documents.database.kysely);
    await pastTheMargin();

    expect((await a.get(`/v1/receipts/${receipt_id}`)).json.status).toBe('pending');
    await commit();
    expect(await countVectors()).toBe(1);
    const receipt = (await a.get(`/v1/receipts/${receipt_id}`)).json;
    expect(receipt).toMatchObject({ status: 'complete', vectors: 1 });
    expect(await countVectors()).toBe(0);
  });

  test('has no complete receipt while a lease says that a worker has its text', async () => {
    const a = await documents.as('a');
    await a.embed('1', 'a text in flight');
    await a.embed('other', 'another one');
    await readStale(randomUUID());
    const one = (await a.erase('/v1/vectors/book/1')).json.receipt_id;
    const all = (await a.erase('/v1/vectors/book')).json.receipt_id;
    await pastTheMargin();
    const statusOf = async (id: string) => (await a.get(`/v1/receipts/${id}`)).json.status;
    const statuses = async () => [await statusOf(one), await statusOf(all)];

    expect(await statuses()).toEqual(['pending', 'pending']);
    await sql`UPDATE freshet.leases SET expires_at = now() WHERE item_id LIKE '%"1"]'`.execute(
      documents.database.kysely,
    );
    expect(await statuses()).toEqual(['complete', 'pending']);
    await sql`UPDATE freshet.leases SET expires_at = now()`.execute(documents.database.kysely);
    expect(await statuses()).toEqual(['complete', 'complete']);
    const left = await sql`SELECT FROM freshet.leases`.execute(documents.database.kysely);
    expect(left.rows).toEqual([]);
  });

  test('is erased where the process died before it noted when it had', async () => {
    const a = await documents.as('a');
    await a.embed('1', 'a text in flight');
    const { receipt_id } = (await a.erase('/v1/vectors/book/1')).json;
    await sql`UPDATE freshet.erasures SET erased_at = NULL, requested_at = now() - interval '5 minutes'`.execute(
      documents.database.kysely,
    );

    expect((await a.get(`/v1/receipts/${receipt_id}`)).json.status).toBe('pending');
    await pastTheMargin();
    expect((await a.get(`/v1/receipts/${receipt_id}`)).json.status).toBe('complete');
  });
});

test('clients that write the same items at once in any order do not wait for each other for ever', async () => {
  const a = await documents.as('a');
  const items = Array.from({ length: 50 }, (_, n) => ({ asset_id: 'book', segment_id: String(n) }));
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, round) =>
      a.post('/v1/vectors/embed/batch', {
        items: (round % 2 === 0 ? items : items.toReversed()).map(item => ({
          ...item,
          text: `text ${round} of ${item.segment_id}`,
        })),
      }),
    ),
  );

  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(202));
  const { rows } = await sql<{ texts: number }>`SELECT count(*)::int AS texts
    FROM freshet.document_texts AS t JOIN freshet.documents USING (document, text_hash)`.execute(
    documents.database.kysely,
  );
  expect(rows[0]?.texts).toBe(50);
});
