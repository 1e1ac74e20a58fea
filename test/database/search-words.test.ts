import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { Reranker } from '../../lib/ports/reranker.ts';
import { clientOf, openSearched } from './open-searched.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

const section = {
  ...{ columns: ['title'], filters: ['price'], tenant: 'tenant', keywords: { language: 'english' } },
};
const animals = [
  { id: 1, title: 'a small furry animal', vector: [0, 1, 0] },
  { id: 2, title: 'animals of the sea', vector: [1, 0, 0] },
  { id: 3, title: 'the sea', vector: [0.9, 0.1, 0] },
  { id: 4, title: 'a small boat', vector: [0.5, 0.5, 0] },
];

const open = (rerankers?: ReadonlyMap<string, Reranker>) =>
  openSearched(db, { search: section, ...(rerankers && { rerankers }) });

const idsOf = ({ hits }: { readonly hits: readonly { readonly id: string }[] }) => hits.map(({ id }) => id);

describe('a search by words', () => {
  it('finds rows with all words first, then those with the rarer ones, and asks no model', async () => {
    const { write, search } = await open();
    await write(animals);

    const found = await search({ query: 'the small animals', mode: 'keyword' });

    expect(idsOf(found)).toEqual(['1', '2', '4']);
    expect(found).toMatchObject({ keyword: 'complete', exact: true, degraded: [], without_keywords: 0 });
    expect(found.hits[0]?.scores).toEqual({ semantic: null, keyword: found.hits[0]?.score, rerank: null });
    expect(idsOf(await search({ query: "furry' | & !sea \\", mode: 'keyword' }))).toEqual(['1', '3', '2']);
    expect(idsOf(await search({ query: 'the of a', mode: 'keyword' }))).toEqual([]);
    const filter = { type: 'lte', key: 'price', value: 2 };
    expect(idsOf(await search({ query: 'small animals', mode: 'keyword', filter }))).toEqual(['1', '2']);
  });

  it('reads the query as the text of a row is read: NUL and half characters are no words', async () => {
    const { write, search } = await open();
    await write(animals);
    const query = 'fur\0ry \ud800';

    expect(idsOf(await search({ query, mode: 'keyword' }))).toEqual(['1']);
    expect(await search({ query, mode: 'hybrid' })).toMatchObject({ keyword: 'complete', degraded: [] });
  });

  it('pages to the end of its list', async () => {
    const { write, search } = await open();
    await write(animals);
    const asked = { query: 'small animals sea', mode: 'keyword' as const, limit: 1 };
    const ids: string[] = [];

    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await search({ ...asked, cursor: cursor ?? undefined });
      ids.push(...idsOf(page));
      cursor = page.next;
    }

    expect(ids).toEqual(idsOf(await search({ ...asked, limit: 10 })));
    expect(ids).toHaveLength(4);
  });

  it('shows no other tenant’s row, and its words weigh nothing', async () => {
    const { write, search } = await open();
    await write(animals.map(note => ({ ...note, tenant: 'a' })));
    const alone = await search({ query: 'small sea', mode: 'keyword' }, clientOf('a'));
    await write([10, 11, 12, 13].map(id => ({ id, title: 'the sea and the small', tenant: 'b' })));

    for (const mode of ['keyword', 'hybrid'] as const) {
      const found = await search({ query: 'small sea', mode }, clientOf('a'));
      expect(found.hits.every(({ id }) => Number(id) < 10)).toBe(true);
    }
    const beside = await search({ query: 'small sea', mode: 'keyword' }, clientOf('a'));
    expect(beside.hits).toEqual(alone.hits);
  });

  it('leaves out words of another reading than the vector’s, and counts the rows without any', async () => {
    const { write, search, space } = await open();
    await write(animals);
    // As code does that knows of no words: it writes the outcome of a later reading.
    await sql`UPDATE ${sql.id('freshet', space.vectorTable)}
      SET read_at = read_at + interval '1 second' WHERE item_id = 1`.execute(db.kysely);

    const found = await search({ query: 'furry', mode: 'keyword' });

    expect(found).toMatchObject({ hits: [], without_keywords: 1 });
  });

  it('ranks at most 5,000 rows, rarer words first, and says that there are more', async () => {
    const { write, search, space } = await open();
    await write([{ id: 1, title: 'seldom sea' }]);
    await sql`INSERT INTO public.notes (id, title, tenant) SELECT n, 'sea of sand', 'a' FROM generate_series(2, 5100) AS n`.execute(
      db.kysely,
    );
    await sql`INSERT INTO ${sql.id('freshet', space.vectorTable)}
        (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at, keywords, keywords_read_at)
      SELECT s.id, 'embedded', s.updated_at, s.xmin, now(), '[0,1,0]', now(), to_tsvector('english', s.title), now()
        FROM public.notes AS s WHERE s.id > 1`.execute(db.kysely);

    const rare = await search({ query: 'seldom sand', mode: 'keyword' });
    const common = await search({ query: 'sea sand', mode: 'keyword', limit: 3 });

    expect(rare).toMatchObject({ keyword: 'partial', exact: false });
    expect(idsOf(rare)).toEqual(['1']);
    expect(common.keyword).toBe('partial');
    expect(common.hits).toHaveLength(3);
  });
});

describe('a hybrid search', () => {
  it('puts first what vectors are blind to, and gives each hit the scores of its legs', async () => {
    const { write, search } = await open();
    await write(animals);

    const found = await search({ query: 'furry', mode: 'hybrid' });

    // The text asks for [1, 0, 0]: 1 is farthest by its vector and the only one by its words.
    expect(idsOf(found)).toEqual(['1', '2', '3', '4']);
    expect(found.hits[0]).toMatchObject({
      score: 1.5,
      scores: { semantic: expect.closeTo(0), keyword: expect.any(Number), rerank: null },
    });
    expect(found).toMatchObject({ keyword: 'complete', exact: true, degraded: [], next: null });
    const weights = { semantic: 1, keyword: 0 };
    expect(idsOf(await search({ query: 'furry', mode: 'hybrid', weights }))).toEqual(['2', '3', '4', '1']);
  });

  it('gives words that no row has their share of the query', async () => {
    const { write, search } = await open();
    await write(animals);

    const found = await search({ query: 'boats, dragons, unicorns', mode: 'hybrid' });

    const boat = found.hits.find(({ id }) => id === '4');
    expect(boat?.score).toBeCloseTo(Math.SQRT1_2 + 1.5 / 3);
  });

  it('puts no row before what is meant for a word that the nearest rows have', async () => {
    const { write, search } = await open();
    await write([
      { id: 1, title: 'a harbour at the sea', vector: [0.9, 0.44, 0] },
      { id: 2, title: 'a harbour', vector: [1, 0, 0] },
      { id: 3, title: 'a pier', vector: [0.95, 0.31, 0] },
      { id: 4, title: 'harbour thoughts', vector: [0, 1, 0] },
    ]);

    const found = await search({ query: 'harbour', mode: 'hybrid' });

    expect(idsOf(found)).toEqual(['2', '1', '3', '4']);
  });

  it('takes no row by its words that has less than a fifth of their weight', async () => {
    const { write, search } = await open();
    await write(animals);
    const query = 'small furry animal boat sea';

    const found = await search({ query, mode: 'hybrid' });

    const byWords = found.hits.filter(({ scores }) => scores.keyword !== null);
    expect(idsOf({ hits: byWords }).sort()).toEqual(['1', '2', '4']);
    expect(idsOf(await search({ query, mode: 'keyword' }))).toEqual(['1', '4', '2', '3']);
  });

  it('answers without the words where they take too long, and says so', async () => {
    const { write, search, store } = await open();
    await write(animals);
    store.findByWords = async () => undefined;

    const found = await search({ query: 'furry', mode: 'hybrid' });

    expect(found).toMatchObject({ degraded: ['keyword'], keyword: null });
    expect(idsOf(found)).toEqual(['2', '3', '4', '1']);
    await expect(search({ query: 'furry', mode: 'keyword' })).rejects.toMatchObject({ code: 'deadline' });
  });

  it('answers without the words while they are being made', async () => {
    const { write, search, space } = await open();
    await write(animals);
    await sql`COMMENT ON COLUMN ${sql.id('freshet', space.vectorTable)}.keywords IS 'filling english'`.execute(
      db.kysely,
    );

    expect(await search({ query: 'furry', mode: 'hybrid' })).toMatchObject({ degraded: ['keyword'] });
    await expect(search({ query: 'furry', mode: 'keyword' })).rejects.toMatchObject({ code: 'not_ready' });
  });

  const refused: readonly [object, RegExp][] = [
    [{ mode: 'hybrid' }, /mode: hybrid needs query/],
    [{ mode: 'keyword', like: '1' }, /mode: keyword needs query/],
    [{ mode: 'hybrid', query: 'a', cursor: 'x' }, /cursor: stands beside/],
    [{ mode: 'hybrid', query: 'a', minScore: 0.5 }, /goes without diversity and min_score/],
    [{ mode: 'keyword', query: 'a', weights: { keyword: 2 } }, /weights: stands without mode hybrid/],
    [{ mode: 'hybrid', query: 'a', weights: { keyword: 0, semantic: 0 } }, /expected one of them above 0/],
    [{ query: 'a', rerank: { model: 'teh' } }, /rerank\.model: is no reranker.*did you mean "tei"/],
    [{ like: '1', rerank: { model: 'tei' } }, /rerank: needs query/],
  ];
  it('refuses what does not go together', async () => {
    const { write, search } = await open(new Map([['tei', rerankerOf(() => [])]]));
    await write(animals);

    for (const [asked, words] of refused) await expect(search(asked)).rejects.toThrow(words);
  });

  it('is refused for a source that keeps no words', async () => {
    const { write, search } = await openSearched(db);
    await write(animals);

    await expect(search({ query: 'furry', mode: 'hybrid' })).rejects.toThrow(/keeps none/);
    expect(await search({ query: 'furry' })).toMatchObject({ keyword: null, without_keywords: null });
  });
});

describe('a reranked search', () => {
  it('orders the first hits by scores of their texts, read as this caller sees them', async () => {
    const asked: [string, readonly string[]][] = [];
    const reranker = rerankerOf((query, texts) => {
      asked.push([query, texts]);
      return texts.map(text => (text.includes('boat') ? 0.9 : 0.1));
    });
    const { write, search } = await open(new Map([['tei', reranker]]));
    await write([...animals, { id: 5, title: 'a boat of theirs', tenant: 'b', vector: [1, 0, 0] }]);

    const found = await search({ query: 'ship', rerank: { model: 'tei' }, limit: 2 }, clientOf('a'));
    const few = await search({ query: 'ship', rerank: { model: 'tei', candidates: 2 } }, clientOf('a'));

    expect(idsOf(found)).toEqual(['4', '2']);
    expect(found.hits[0]).toMatchObject({
      score: 0.9,
      scores: { rerank: 0.9, semantic: expect.any(Number) },
    });
    expect(found).toMatchObject({ degraded: [], next: null });
    expect(asked[0]).toEqual([
      'ship',
      ['animals of the sea', 'the sea', 'a small boat', 'a small furry animal'],
    ]);
    expect(idsOf(few)).toEqual(['2', '3']);
  });

  it('answers in the former order where the reranker fails, and says so', async () => {
    const reranker = rerankerOf(() => {
      throw new FreshetError('late', { failureClass: 'transient', code: 'timeout' });
    });
    const { write, search } = await open(new Map([['tei', reranker]]));
    await write(animals);

    const found = await search({ query: 'ship', rerank: { model: 'tei' }, limit: 2 });

    expect(idsOf(found)).toEqual(['2', '3']);
    expect(found).toMatchObject({ degraded: ['rerank'] });
    expect(found.hits[0]?.scores.rerank).toBeNull();
  });

  it('sends no text of a row that is gone, or another tenant’s, when it is read', async () => {
    const { write, search, store } = await open(
      new Map([['tei', rerankerOf((_, texts) => texts.map(() => 1))]]),
    );
    await write(animals);
    const { readTexts } = store;
    store.readTexts = async (...asked) => {
      await sql`DELETE FROM public.notes WHERE id = 2`.execute(db.kysely);
      await sql`UPDATE public.notes SET tenant = 'b' WHERE id = 3`.execute(db.kysely);
      return readTexts(...asked);
    };

    const found = await search({ query: 'ship', rerank: { model: 'tei' } }, clientOf('a'));

    expect(idsOf(found)).toEqual(['4', '1']);
  });
});

function rerankerOf(score: (query: string, texts: readonly string[]) => readonly number[]): Reranker {
  return { maxTexts: 100, maxCharacters: 1000, score: async (query, texts) => score(query, texts) };
}
