import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { clientOf, openSearched, operator } from './open-searched.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;
let nowMs = 0;

beforeEach(async () => {
  db = await openTestDatabase();
  notes = await openSearched(db, { clock: { ...createSystemClock(), now: () => nowMs } });
});
afterEach(() => db.close());

const idsOf = ({ hits }: { readonly hits: readonly { readonly id: string }[] }) => hits.map(({ id }) => id);

describe('a search', () => {
  it('gives the nearest rows first, with scores, asked columns and what to trust', async () => {
    await notes.write([
      { id: 1, vector: [1, 0, 0] },
      { id: 2, vector: [0, 1, 0] },
      { id: 3, vector: [0.6, 0.8, 0], price: null },
    ]);

    const found = await notes.search({ limit: 2 });

    expect(found).toMatchObject({
      source: 'notes',
      model: { alias: 'small', model_id: 'hash-1', revision: '1', dimensions: 3, space: notes.space.spaceId },
      hits: [
        { id: '1', rank: 1, columns: { title: 'note 1', price: 1, big: '9007199254740993' } },
        { id: '3', rank: 2, columns: { title: 'note 3', price: null } },
      ],
      ...{ exact: true, coverage_percent: 100, stale: 0, degraded: [] },
    });
    expect(found.hits.map(({ score }) => score)).toEqual([expect.closeTo(1), expect.closeTo(0.6)]);
    expect(idsOf(await notes.search({ minScore: 0.7 }))).toEqual(['1']);
    expect((await notes.search({ columns: ['title'] })).hits[0]?.columns).toEqual({ title: 'note 1' });
  });

  it('does not find rows that are gone or failed, and counts an edited one as stale', async () => {
    await notes.write([{ id: 1 }, { id: 2 }, { id: 3 }]);
    await sql`DELETE FROM public.notes WHERE id = 1`.execute(db.kysely);
    await sql`UPDATE public.notes SET title = 'edited' WHERE id = 2`.execute(db.kysely);

    const found = await notes.search({});

    expect(idsOf(found)).toEqual(['2', '3']);
    expect(found).toMatchObject({ stale: 1, coverage_percent: 50 });
  });

  it('is by a text, by a vector, or by the id of a row, which is no hit itself', async () => {
    await notes.write([
      { id: 1, vector: [0, 1, 0] },
      { id: 2, vector: [0, 0.9, 0.1] },
      { id: 3, vector: [1, 0, 0] },
    ]);

    expect(idsOf(await notes.search({ like: '1' }))).toEqual(['2', '3']);
    expect(idsOf(await notes.search({ query: 'anything' }))[0]).toBe('3');
    await expect(notes.search({ like: '77' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(notes.search({ like: 'x; DROP TABLE notes' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(notes.search({ like: '1', query: 'b' })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(notes.search({ vector: [1, 0] })).rejects.toThrow('has 2 numbers; model small has 3');
    await expect(notes.search({ vector: [0, 0, 0] })).rejects.toThrow('not all of them 0');
  });

  const kept: readonly [object, readonly string[]][] = [
    [{ type: 'eq', key: 'price', value: 2 }, ['2']],
    [{ type: 'ne', key: 'price', value: 2 }, ['1', '3']],
    [{ type: 'gte', key: 'price', value: 2 }, ['2']],
    [{ type: 'in', key: 'mood', value: ['wild'] }, ['1']],
    [{ type: 'nin', key: 'price', value: [1, 2] }, ['3']],
    [{ type: 'is_null', key: 'price', value: true }, ['3']],
    [{ type: 'like', key: 'title', value: "it's%" }, ['2']],
    [{ type: 'like', key: 'title', value: 'note 1\\\\' }, []],
    [{ type: 'lt', key: 'made', value: '2026-06-01' }, ['1', '2', '3']],
    [
      {
        type: 'or',
        filters: [
          { type: 'eq', key: 'mood', value: 'wild' },
          { type: 'and', filters: [{ type: 'is_null', key: 'price', value: true }] },
        ],
      },
      ['1', '3'],
    ],
    // A value that fits into no varchar(4) is not cut to one that does.
    [{ type: 'eq', key: 'code', value: 'abcde' }, []],
  ];
  it('by a vector asks for its direction alone: tiny and huge numbers find what others find', async () => {
    await notes.write([
      { id: 1, vector: [0, 1, 0] },
      { id: 2, vector: [1, 0.1, 0] },
    ]);
    const { hits } = await notes.search({ vector: [1, 0.5, 0] });

    expect(hits.map(({ id }) => id)).toEqual(['2', '1']);
    for (const size of [1e-320, 1e-30, 1e30, 1e307])
      expect((await notes.search({ vector: [2 * size, size, 0] })).hits).toEqual(
        hits.map(hit => ({ ...hit, score: expect.closeTo(hit.score, 3), scores: expect.anything() })),
      );
  });

  it('keeps to its filter', async () => {
    await notes.write([
      { id: 1, mood: 'wild' },
      { id: 2, title: "it's" },
      { id: 3, price: null },
    ]);
    await sql`UPDATE public.notes SET code = 'abcd'`.execute(db.kysely);

    for (const [filter, ids] of kept)
      expect(idsOf(await notes.search({ filter })), JSON.stringify(filter)).toEqual(ids);
  });

  const refused: readonly [object, RegExp][] = [
    [{ type: 'eq', key: 'prices', value: 1 }, /filter\.key: is no column to filter by; did you mean "price"/],
    [{ type: 'eq', key: 'tenant', value: 'b' }, /filter\.key: is no column to filter by/],
    [{ type: 'eqq', key: 'price', value: 1 }, /filter\.type: is no operator; did you mean "eq"/],
    [{ type: 'eq', key: 'price', value: '1 OR 1=1' }, /filter\.value: expected a whole number/],
    [{ type: 'eq', key: 'price', value: 99999999999 }, /filter: a value is none of its column’s type/],
    [{ type: 'eq', key: 'mood', value: 'angry' }, /filter: a value is none of its column’s type/],
    [{ type: 'eq', key: 'made', value: '2026-02-30' }, /filter\.value: expected a time/],
    [{ type: 'like', key: 'price', value: '1%' }, /"like" is for columns of text/],
    [{ type: 'like', key: 'title', value: 'no\\' }, /filter\.value: "like" takes no pattern that ends/],
    [{ type: 'eq', key: 'title', value: 'a\0' }, /filter\.value: expected a text .*, none of them NUL/],
    [{ type: 'and', filters: [] }, /filter\.filters: expected an array of filters/],
    [{ type: 'eq', key: 'price', value: 1, sql: 'x' }, /filter\.sql: is not a known field/],
    [nest(9), /is nested deeper than 8 levels/],
  ];
  it('refuses a filter in words that name the place', async () => {
    await notes.write([{ id: 1 }]);

    for (const [filter, words] of refused) {
      await expect(notes.search({ filter })).rejects.toThrow(words);
      await expect(notes.search({ filter })).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  it('takes a filter of eight levels', async () => {
    await notes.write([{ id: 1 }]);

    expect(idsOf(await notes.search({ filter: nest(8) }))).toEqual(['1']);
  });

  it('refuses an unknown source and column with the nearest name', async () => {
    await expect(notes.search({ source: 'note' })).rejects.toThrow('did you mean "notes"?');
    await expect(notes.search({ columns: ['titel'] })).rejects.toThrow('did you mean "title"?');
  });

  it('names what the application changed in the table', async () => {
    await notes.write([{ id: 1 }]);
    await notes.search({});
    await sql`ALTER TABLE public.notes RENAME COLUMN title TO heading`.execute(db.kysely);

    await expect(notes.search({})).rejects.toMatchObject({
      code: 'source-fault:column-missing',
      message: expect.stringContaining('has no column "title" any more'),
    });
  });

  it('answers page after page without a gap or a repetition, ties included', async () => {
    const ids = Array.from({ length: 23 }, (_, place) => place + 1);
    await notes.write(ids.map(id => ({ id, vector: [1, Math.floor(id / 5), 0] })));

    const seen: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 5; page += 1) {
      const found = await notes.search({ limit: 5, cursor });
      seen.push(...idsOf(found));
      expect(found.hits[0]?.rank).toBe(page * 5 + 1);
      cursor = found.next ?? undefined;
    }

    expect(seen).toEqual(ids.map(String));
    expect(cursor).toBeUndefined();
  });

  it('refuses a cursor of another search, another caller, or with a letter changed', async () => {
    await notes.write([{ id: 1 }, { id: 2 }, { id: 3, tenant: 'b' }]);
    const { next } = await notes.search({ limit: 1 }, clientOf('a'));
    const changed = `${next!.slice(0, -2)}AA`;

    for (const [asked, caller] of [
      [{ cursor: next! }, clientOf('b')],
      [{ cursor: next! }, operator],
      [{ cursor: next!, minScore: 0.1 }, clientOf('a')],
      [{ cursor: changed }, clientOf('a')],
      [{ cursor: '' }, clientOf('a')],
    ] as const)
      await expect(notes.search({ limit: 1, ...asked }, caller)).rejects.toMatchObject({
        ...{ code: 'invalid_request', param: 'cursor' },
      });
    expect(idsOf(await notes.search({ limit: 1, cursor: next! }, clientOf('a')))).toEqual(['2']);
  });

  it('answers a cursor of replaced vectors with a conflict, and searches the new ones', async () => {
    await notes.write([{ id: 1 }, { id: 2 }]);
    const { next } = await notes.search({ limit: 1 });
    const other = notes.spaces[1]!.spaceId;
    nowMs += 100;
    await sql`UPDATE freshet.spaces SET status = 'building'`.execute(db.kysely);
    await sql`UPDATE freshet.spaces SET status = 'active' WHERE space_id = ${other}`.execute(db.kysely);

    await expect(notes.search({ limit: 1, cursor: next! })).rejects.toMatchObject({ code: 'space_changed' });
    expect((await notes.search({ limit: 1 })).model.space).toBe(other);
  });

  it('chooses hits that differ where diversity asks for it', async () => {
    await notes.write([
      { id: 1, vector: [1, 0.1, 0] },
      { id: 2, vector: [1, 0.11, 0] },
      { id: 3, vector: [1, 0, 0.5] },
    ]);

    expect(idsOf(await notes.search({ limit: 2 }))).toEqual(['1', '2']);
    const diverse = await notes.search({ limit: 2, diversity: 0.7 });
    expect([idsOf(diverse), diverse.next]).toEqual([['1', '3'], null]);
    await expect(notes.search({ diversity: 0.5, cursor: 'x' })).rejects.toThrow('answers one list');
  });
});

describe('a tenant', () => {
  it('sees its own rows alone, whatever it asks by', async () => {
    await notes.write([
      { id: 1, tenant: 'a' },
      { id: 2, tenant: 'b' },
    ]);

    const found = await notes.search({}, clientOf('a'));

    expect(idsOf(found)).toEqual(['1']);
    expect(found.coverage_percent).toBe(100);
    expect(idsOf(await notes.search({}, { kind: 'operator', tenant: 'b' }))).toEqual(['2']);
    await expect(notes.search({ like: '2' }, clientOf('a'))).rejects.toMatchObject({ code: 'not_found' });
    const everything = { type: 'or', filters: [{ type: 'is_null', key: 'price', value: false }] };
    expect(idsOf(await notes.search({ filter: everything }, clientOf('a')))).toEqual(['1']);
  });

  it('does not find a row that moved to another tenant since it was embedded', async () => {
    await notes.write([{ id: 1, tenant: 'a' }]);
    await sql`UPDATE public.notes SET tenant = 'b'`.execute(db.kysely);

    expect(idsOf(await notes.search({}, clientOf('a')))).toEqual([]);
    expect(idsOf(await notes.search({}, clientOf('b')))).toEqual(['1']);
  });

  it('sees nothing of a row of another tenant that has the key of one of its own', async () => {
    await notes.write([{ id: 1, tenant: 'a' }]);
    await sql`CREATE TABLE public.archive () INHERITS (public.notes)`.execute(db.kysely);
    await sql`INSERT INTO public.archive (id, title, tenant) VALUES (1, 'of b', 'b')`.execute(db.kysely);

    const { hits } = await notes.search({}, clientOf('a'));

    expect(hits.map(({ columns }) => columns.title)).toEqual(['note 1']);
  });

  it('cannot be asked for where the source names no column of tenants', async () => {
    await db.close();
    db = await openTestDatabase();
    const shared = await openSearched(db, { search: { columns: ['title'] } });
    await shared.write([{ id: 1 }]);

    await expect(shared.search({}, { ...operator, tenant: 'a' })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('search.tenant'),
    });
    expect(idsOf(await shared.search({}, operator))).toEqual(['1']);
  });

  it('must be named by a token, and is no text of SQL', async () => {
    await notes.write([{ id: 1 }]);

    await expect(notes.search({}, { kind: 'client' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(idsOf(await notes.search({}, clientOf("a' OR 'a' = 'a")))).toEqual([]);
  });
});

function nest(levels: number): object {
  const leaf = { type: 'eq', key: 'price', value: 1 };
  return levels === 1 ? leaf : { type: 'and', filters: [nest(levels - 1)] };
}
