import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDocumentStore } from '../../lib/adapters/sql/document-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { fingerprintDocument, nameJob } from '../../lib/core/documents.ts';
import { type Documents, openDocuments } from './open-documents.ts';

let documents: Documents;
beforeEach(async () => {
  documents = await openDocuments();
});
afterEach(() => documents.close());

const texts = async () =>
  (
    await sql<{ text: string }>`SELECT text FROM freshet.document_texts ORDER BY text`.execute(
      documents.database.kysely,
    )
  ).rows.map(({ text }) => text);

const outcomes = async (spaceId = documents.spaces[0]!.spaceId) =>
  (
    await sql<{ segment: string; outcome: string }>`
      SELECT item_id_3 AS segment, outcome FROM ${sql.id('freshet', `vectors_${spaceId}`)}
       ORDER BY item_id, item_id_2, item_id_3`.execute(documents.database.kysely)
  ).rows;

const LIGHTHOUSE = 'A tower with a bright light that guides ships at night.';
const PARAPHRASE = 'a light on a tower that leads ships in the night';

describe('a text of a client', () => {
  test('is embedded by a run, and found: the same text over 0.99, a paraphrase between 0.5 and 0.99', async () => {
    const a = await documents.as('a');

    const { status, json } = await a.embed('1', LIGHTHOUSE, { language: 'en' });
    await a.embed('2', 'Bread is baked from flour and water.', { language: 'en' });
    await documents.run();

    expect([status, json]).toEqual([
      202,
      {
        job_id: expect.stringMatching(/^job_[0-9a-f]{40}$/),
        ...{ asset_id: 'book', segment_id: '1', model: 'static' },
        ...{ status: 'pending', progress: 0, code: null },
      },
    ]);
    expect((await a.get(`/v1/jobs/${json.job_id}`)).json).toMatchObject({ status: 'succeeded', progress: 1 });
    const same = (await a.search(LIGHTHOUSE)).json;
    expect(same.hits[0]).toMatchObject({
      id: '["a", "book", "1"]',
      columns: { asset_id: 'book', segment_id: '1', metadata: { language: 'en' }, text: LIGHTHOUSE },
    });
    expect(same.hits[0].score).toBeGreaterThan(0.99);
    const [first] = (await a.search(PARAPHRASE)).json.hits;
    expect(first.columns.segment_id).toBe('1');
    expect(first.score).toBeGreaterThan(0.5);
    expect(first.score).toBeLessThan(0.99);
    expect(documents.nudges()).toBe(2);
  });

  test('is one job when it is asked for twice, and is bought once', async () => {
    const a = await documents.as('a');
    const first = (await a.embed('1', LIGHTHOUSE)).json;
    await documents.run();

    const second = (await a.embed('1', `  ${LIGHTHOUSE}\n`)).json;
    const again = await documents.run();

    expect(second).toEqual({ ...first, status: 'succeeded', progress: 1 });
    expect(again).toMatchObject({ end: 'complete', providerCalls: 0, touched: 0 });
  });

  test('overwrites the one before, whose job is superseded until the text comes back', async () => {
    const a = await documents.as('a');
    const first = (await a.embed('1', LIGHTHOUSE)).json;
    await documents.run();
    const second = (await a.embed('1', 'Bread is baked from flour and water.')).json;

    expect(second.job_id).not.toBe(first.job_id);
    expect((await a.get(`/v1/jobs/${first.job_id}`)).json.status).toBe('superseded');
    expect((await a.get(`/v1/jobs/${second.job_id}`)).json.status).toBe('pending');
    await documents.run();
    expect((await a.search('bread of flour')).json.hits).toMatchObject([{ columns: { segment_id: '1' } }]);
    expect((await a.search(LIGHTHOUSE)).json.hits[0].score).toBeLessThan(0.9);
    expect(await texts()).toEqual(['Bread is baked from flour and water.']);

    const third = (await a.embed('1', LIGHTHOUSE)).json;
    expect(third).toMatchObject({ job_id: first.job_id, status: 'pending' });
    await documents.run();
    expect((await a.get(`/v1/jobs/${first.job_id}`)).json.status).toBe('succeeded');
    expect((await a.search(LIGHTHOUSE)).json.hits[0].score).toBeGreaterThan(0.99);
  });

  test('without a known word is a failed job that names the reason', async () => {
    const a = await documents.as('a');
    const { job_id } = (await a.embed('1', '등대')).json;
    await documents.run();

    expect((await a.get(`/v1/jobs/${job_id}`)).json).toMatchObject({
      ...{ status: 'failed', progress: 1, code: 'unknown-words' },
    });
  });

  test('keeps its vector when its metadata changes, and filters see the new ones', async () => {
    const a = await documents.as('a');
    const { job_id } = (await a.embed('1', LIGHTHOUSE, { language: 'en' })).json;
    await documents.run();
    const changed = (await a.embed('1', LIGHTHOUSE, { language: 'ko', page: 7 })).json;

    expect(changed).toMatchObject({ job_id, status: 'succeeded' });
    const filter = (value: string) => ({ filter: { type: 'eq', key: 'metadata.language', value } });
    expect((await a.search(LIGHTHOUSE, filter('ko'))).json.hits[0].columns.metadata).toEqual({
      ...{ language: 'ko', page: 7 },
    });
    expect((await a.search(LIGHTHOUSE, filter('en'))).json.hits).toEqual([]);
    const wrong = await a.search(LIGHTHOUSE, { filter: { type: 'eq', key: 'metadata.page', value: 7 } });
    expect([wrong.status, wrong.json.error.param]).toEqual([400, 'filter.key']);
  });
});

describe('several items', () => {
  test('are taken at once, with their jobs in the same order', async () => {
    const a = await documents.as('a');
    const items = ['one light', 'two ships', 'one light'].map((text, place) => ({
      ...{ asset_id: 'batch', segment_id: String(place), text },
    }));
    const { status, json } = await a.post('/v1/vectors/embed/batch', { items });
    await documents.run();

    expect(status).toBe(202);
    expect(json.jobs.map(({ segment_id }: { segment_id: string }) => segment_id)).toEqual(['0', '1', '2']);
    expect(await outcomes()).toEqual(['0', '1', '2'].map(segment => ({ segment, outcome: 'embedded' })));
  });

  test('are refused whole where one is wrong, by the field, and nothing is written', async () => {
    const a = await documents.as('a');
    const wrong: readonly [object, string][] = [
      [{ items: [item('1', 'a b'), item('2', 'c'), item('1', 'd')] }, 'items[2]'],
      [{ items: [item('1', '\u200b')] }, 'items[0].text'],
      [{ items: [item('1', 'a')], model: 'statik' }, 'model'],
      [{ items: [item('1', 'a', { language: 7 })] }, 'items[0].metadata.language'],
      [{ items: [item('1', 'a', { x: ['\0'] })] }, 'items[0].metadata'],
      [{ items: [item('\ud800', 'a')] }, 'items[0].segment_id'],
      [{ items: Array.from({ length: 101 }, (_, n) => item(String(n), 'a')) }, 'items'],
      [{ items: [item('1', 'a')], tenant: 'b' }, 'tenant'],
    ];
    for (const [body, param] of wrong) {
      const { status, json } = await a.post('/v1/vectors/embed/batch', body);
      expect([status, json.error.param]).toEqual([400, param]);
    }
    expect(await texts()).toEqual([]);
  });

  test('one by itself is refused by its fields as its own request has them', async () => {
    const a = await documents.as('a');
    const wrong: readonly [object, string][] = [
      [item('1', '\u200b'), 'text'],
      [item('1', 'a', { language: 7 }), 'metadata.language'],
      [item('1', 'a', { x: ['\0'] }), 'metadata'],
      [item('\ud800', 'a'), 'segment_id'],
    ];
    for (const [body, param] of wrong) {
      const { status, json } = await a.post('/v1/vectors/embed', body);
      expect([status, json.error.param]).toEqual([400, param]);
      expect(json.error.message.split(':')[0]).toBe(param);
    }
    expect(await texts()).toEqual([]);
  });
});

function item(segment: string, text: string, metadata: object = {}) {
  return { asset_id: 'book', segment_id: segment, text, metadata };
}

describe('an asset that is called as the address of the search', () => {
  test('is erased by its address, and the search answers there', async () => {
    const a = await documents.as('a');
    await a.post('/v1/vectors/embed', { asset_id: 'search', segment_id: '1', text: LIGHTHOUSE });
    await documents.run();
    const ask = async () =>
      (await a.post('/v1/vectors/search', { source: 'documents', query: LIGHTHOUSE })).json.hits;

    expect(await ask()).toMatchObject([{ columns: { asset_id: 'search', segment_id: '1' } }]);
    expect((await a.get('/v1/vectors/search')).json.error.message).toBe('This address takes POST, DELETE.');
    expect((await a.erase('/v1/vectors/search')).status).toBe(202);
    expect(await ask()).toEqual([]);
    const reader = await documents.as('a', 'search');
    expect((await reader.erase('/v1/vectors/search')).status).toBe(403);
    const writer = await documents.as('a', 'write');
    expect((await writer.post('/v1/vectors/search', { source: 'documents', query: LIGHTHOUSE })).status).toBe(
      403,
    );
  });
});

describe('another tenant', () => {
  test('is told of ids that are not its own what it is told of those that nobody has', async () => {
    const [a, b] = [await documents.as('a'), await documents.as('b')];
    const { job_id } = (await a.embed('1', LIGHTHOUSE)).json;
    await documents.run();
    const receipt = (await a.erase('/v1/vectors/book/1')).json.receipt_id;
    await a.embed('1', LIGHTHOUSE);
    await documents.run();

    for (const [asked, unknown] of [
      [await b.get(`/v1/jobs/${job_id}`), await b.get('/v1/jobs/job_0')],
      [await b.erase('/v1/vectors/book/1'), await b.erase('/v1/vectors/none/1')],
      [await b.erase('/v1/vectors/book'), await b.erase('/v1/vectors/none')],
      [await b.get(`/v1/receipts/${receipt}`), await b.get('/v1/receipts/none')],
    ] as const) {
      expect([asked.status, asked.text]).toEqual([404, unknown.text]);
    }
    expect((await b.search(LIGHTHOUSE)).json.hits).toEqual([]);
    const like = await b.post('/v1/search', { source: 'documents', like: '["a", "book", "1"]' });
    expect(like.status).toBe(404);
    expect((await a.search(LIGHTHOUSE)).json.hits).toHaveLength(1);
  });

  test('with the same item and the same text has a job, a text and a vector of its own', async () => {
    const [a, b] = [await documents.as('a'), await documents.as('b')];
    const jobs = [(await a.embed('1', LIGHTHOUSE)).json.job_id, (await b.embed('1', LIGHTHOUSE)).json.job_id];
    await documents.run();

    expect(jobs[0]).not.toBe(jobs[1]);
    expect(await texts()).toEqual([LIGHTHOUSE, LIGHTHOUSE]);
    const hashes = await sql<{ hashes: number }>`SELECT count(DISTINCT content_hash)::int AS hashes
      FROM ${sql.id('freshet', `vectors_${documents.spaces[0]!.spaceId}`)}`.execute(
      documents.database.kysely,
    );
    expect(hashes.rows[0]?.hashes).toBe(2);
    await a.erase('/v1/vectors/book');
    expect((await b.erase('/v1/vectors/book/2')).status).toBe(404);
    expect((await b.search(LIGHTHOUSE)).json.hits).toHaveLength(1);
    expect((await b.get(`/v1/jobs/${jobs[1]}`)).json.status).toBe('succeeded');
  });

  test('is whose token says so: one without a tenant or without the scope is refused', async () => {
    const tokens: readonly [string | undefined, string, number][] = [
      ['a', 'write', 202],
      ['a', 'search embed', 403],
      [undefined, 'write', 403],
    ];
    for (const [tenant, scope, expected] of tokens) {
      const client = await documents.as(tenant, scope);
      expect((await client.embed('1', 'a light')).status).toBe(expected);
      expect((await client.erase('/v1/vectors/none')).status).toBe(expected === 202 ? 404 : 403);
    }
  });
});

describe('a text that is not kept', () => {
  const second = async () => {
    const both = parseConfig({
      sources: [],
      models: { second: { provider: 'hash', modelId: 'hash', dimensions: 8 } },
      documents: { model: ['static', 'second'], keepText: false },
    });
    const spaces = await ensureSpaces(documents.database, both);
    return { both, spaces };
  };

  test('is deleted once every space has its outcome, and the vector stays', async () => {
    await documents.close();
    documents = await openDocuments({ keepText: false, filters: [] });
    const a = await documents.as('a');
    const { job_id } = (await a.embed('1', LIGHTHOUSE)).json;
    await a.get(`/v1/jobs/${job_id}`);
    expect(await texts()).toEqual([LIGHTHOUSE]);
    await documents.run();
    await a.get(`/v1/jobs/${job_id}`);

    expect(await texts()).toEqual([]);
    await sql`UPDATE freshet.documents SET updated_at = updated_at + interval '1 second'`.execute(
      documents.database.kysely,
    );
    await documents.run();
    expect(await outcomes()).toEqual([{ segment: '1', outcome: 'embedded' }]);
    const { hits } = (await a.search(LIGHTHOUSE)).json;
    expect(hits[0].score).toBeGreaterThan(0.99);
    expect(Object.keys(hits[0].columns)).toEqual(['asset_id', 'segment_id', 'metadata']);

    await a.embed('1', 'Bread is baked from flour and water.');
    expect(await documents.store.dropTexts()).toBe(0);
    expect(await texts()).toEqual(['Bread is baked from flour and water.']);
    await sql`DELETE FROM freshet.document_texts`.execute(documents.database.kysely);
    await documents.run();
    expect(await outcomes()).toEqual([{ segment: '1', outcome: 'undelivered:text-gone' }]);
  });

  test('stays while a space of another model has no outcome of it', async () => {
    const a = await documents.as('a');
    await a.embed('1', LIGHTHOUSE);
    await documents.run();
    const { both } = await second();

    expect(await createDocumentStore(documents.database, both).dropTexts()).toBe(0);
    // A service of the configuration before does not know the new space.
    expect(await documents.store.dropTexts()).toBe(0);
    expect(await texts()).toEqual([LIGHTHOUSE]);
  });

  test('is a failure of the space that never had it, and no empty text', async () => {
    const a = await documents.as('a');
    await a.embed('1', LIGHTHOUSE);
    await documents.run();
    expect(await documents.store.dropTexts()).toBe(1);
    const { both, spaces } = await second();
    const run = { ...documents.workspace, config: both };
    await documents.runIn(run);

    const [first, other] = ['static', 'second'].map(
      alias => spaces.find(({ model }) => model.alias === alias)!.spaceId,
    );
    expect(await outcomes(first)).toEqual([{ segment: '1', outcome: 'embedded' }]);
    expect(await outcomes(other)).toEqual([{ segment: '1', outcome: 'undelivered:text-gone' }]);

    // The same text again is what mends it, in the space that lacks it alone.
    const spent = async () => {
      const { rows } = await sql<{
        texts: number;
      }>`SELECT sum(unique_texts)::int AS texts FROM freshet.ledger`.execute(documents.database.kysely);
      return rows[0]?.texts;
    };
    const before = (await spent()) ?? 0;
    const key = { assetId: 'book', segmentId: '1', textHash: fingerprintDocument('a', LIGHTHOUSE) };
    const item = { ...key, text: LIGHTHOUSE, metadata: {} };
    const jobId = nameJob({ ...key, tenant: 'a', model: 'static' });
    const store = createDocumentStore(documents.database, both);
    await store.write('a', 'static', [{ ...item, jobId }]);
    expect(await texts()).toEqual([LIGHTHOUSE]);
    await documents.runIn(run);
    expect(await outcomes(first)).toEqual([{ segment: '1', outcome: 'embedded' }]);
    expect(await outcomes(other)).toEqual([{ segment: '1', outcome: 'embedded' }]);
    expect(await spent()).toBe(before + 1);
    expect(await store.dropTexts()).toBe(1);
    await store.write('a', 'static', [{ ...item, jobId }]);
    expect(await texts()).toEqual([]);
  });

  test('that was not delivered is kept, to be tried again', async () => {
    const a = await documents.as('a');
    await a.embed('1', LIGHTHOUSE);
    await documents.run();
    await sql`UPDATE ${sql.id('freshet', `vectors_${documents.spaces[0]!.spaceId}`)}
      SET outcome = 'undelivered:http_503', embedding = NULL`.execute(documents.database.kysely);

    expect(await documents.store.dropTexts()).toBe(0);
  });
});

describe('an erasure', () => {
  const complete = async (client: Awaited<ReturnType<Documents['as']>>, receipt: string) => {
    await sql`UPDATE freshet.erasures SET erased_at = erased_at - interval '2 seconds'`.execute(
      documents.database.kysely,
    );
    return (await client.get(`/v1/receipts/${receipt}`)).json;
  };

  test('takes text, job and vector away at once, and its receipt is complete when no writer is left', async () => {
    const a = await documents.as('a');
    const { job_id } = (await a.embed('1', LIGHTHOUSE)).json;
    await a.embed('2', 'Bread is baked from flour and water.');
    await documents.run();

    const { status, json } = await a.erase('/v1/vectors/book/1');
    const again = await a.erase('/v1/vectors/book/1');

    expect([status, json]).toEqual([
      202,
      {
        receipt_id: expect.any(String),
        ...{ asset_id: 'book', segment_id: '1', status: 'pending', vectors: 1 },
        ...{ requested_at: expect.stringMatching(/Z$/), completed_at: null, remains: [] },
      },
    ]);
    expect(again).toMatchObject({ status: 202, json: { receipt_id: json.receipt_id } });
    expect((await a.get(`/v1/jobs/${job_id}`)).status).toBe(404);
    expect(await outcomes()).toEqual([{ segment: '2', outcome: 'embedded' }]);
    expect(await texts()).toEqual(['Bread is baked from flour and water.']);
    expect((await a.get(`/v1/receipts/${json.receipt_id}`)).json.status).toBe('pending');
    expect(await complete(a, json.receipt_id)).toMatchObject({
      ...{ status: 'complete', vectors: 1, completed_at: expect.stringMatching(/Z$/) },
    });
    expect((await a.erase('/v1/vectors/book/1')).status).toBe(404);
  });

  test('of an asset takes all its segments, and of one text its verdict', async () => {
    const a = await documents.as('a');
    await a.embed('1', LIGHTHOUSE);
    await a.embed('2', LIGHTHOUSE);
    await documents.run();
    const { spaceId } = documents.spaces[0]!;
    await sql`INSERT INTO freshet.failures (space_id, content_hash, failure_class, code, attempts)
      SELECT DISTINCT ${spaceId}::int, decode(text_hash, 'hex'), 'item', 'http_400', 1
        FROM freshet.documents`.execute(documents.database.kysely);
    const verdicts = async () =>
      (await sql`SELECT FROM freshet.failures`.execute(documents.database.kysely)).rows.length;

    await a.erase('/v1/vectors/book/1');
    expect(await verdicts()).toBe(1);
    const { json } = await a.erase('/v1/vectors/book');
    expect(json).toMatchObject({ asset_id: 'book', segment_id: null, vectors: 1 });
    expect(await verdicts()).toBe(0);
    expect(await outcomes()).toEqual([]);
    expect((await a.search(LIGHTHOUSE)).json.hits).toEqual([]);
  });

  test('spares what was given anew after it', async () => {
    const a = await documents.as('a');
    await a.embed('1', LIGHTHOUSE);
    await documents.run();
    const { receipt_id } = (await a.erase('/v1/vectors/book')).json;
    await sql`UPDATE freshet.erasures SET erased_at = erased_at - interval '2 seconds'`.execute(
      documents.database.kysely,
    );
    await a.embed('1', 'Bread is baked from flour and water.');
    await documents.run();

    expect((await a.get(`/v1/receipts/${receipt_id}`)).json.status).toBe('complete');
    expect(await outcomes()).toEqual([{ segment: '1', outcome: 'embedded' }]);
  });
});
