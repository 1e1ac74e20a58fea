import { describe, expect, test } from 'vitest';
import { findEligible, nameTable } from '../../../lib/core/config/choose-table.ts';
import { judgeTable, type TableFacts } from '../../../lib/core/config/judge-tables.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import { buildColumn, buildTable } from '../../factories/table-facts.ts';

const ASKED = ' Asked was database "d".';

const find = (tables: readonly TableFacts[], named?: string) =>
  findEligible(
    tables.map(table => judgeTable(table, {})),
    named,
    ASKED,
  ).map(({ table }) => nameTable(table));

function refusalOf(work: () => unknown): UsageError {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const articles = buildTable();
const unkeyed = buildTable({ name: 'events', uniqueIndexes: [] });

describe('the tables that can be embedded', () => {
  test('are those without a fault, or the one that is named', () => {
    const shop = buildTable({ schema: 'shop', name: 'items' });

    expect(find([articles, unkeyed, shop])).toEqual(['public.articles', 'shop.items']);
    expect(find([articles, unkeyed, shop], 'items')).toEqual(['shop.items']);
    expect(find([articles, unkeyed, shop], 'shop.items')).toEqual(['shop.items']);
  });

  test('are named as SQL writes them too, with quotes', () => {
    const dotted = buildTable({ schema: 'my-shop', name: 'old."items' });

    for (const written of ['"old.""items"', 'my-shop."old.""items"', '"my-shop"."old.""items"'])
      expect(find([articles, dotted], written), written).toEqual([nameTable(dotted)]);
    expect(refusalOf(() => find([articles, dotted], '"articles')).message).toContain('no such table');
  });

  test('are none of a platform, unless one is named', () => {
    const users = buildTable({ schema: 'auth', name: 'users' });

    expect(find([articles, users])).toEqual(['public.articles']);
    expect(find([users], 'auth.users')).toEqual(['auth.users']);
    expect(refusalOf(() => find([users])).message).toContain("auth.users is a platform's.");
  });
});

describe('a view', () => {
  const shown = buildTable({ name: 'shown', relation: 'view', uniqueIndexes: [] });

  test('is proposed to nobody, and is taken where it is named with a key', () => {
    expect(find([articles, shown])).toEqual(['public.articles']);
    expect(refusalOf(() => find([shown])).message).toBe(
      'There is no table to embed. Asked was database "d".',
    );
    const judged = judgeTable(shown, { key: ['title', 'id'] });
    expect(findEligible([judged], 'shown', ASKED)[0].choices.keys).toEqual([['title', 'id']]);
  });

  test.each([
    [{}, {}, 'is a view: name the columns that tell its rows apart with --key, as --key id.'],
    [{ key: ['idd'] }, {}, 'has no column "idd"; did you mean "id"?'],
    [
      { key: ['extra'] },
      { columns: [...articles.columns, buildColumn('extra', 'json')] },
      'has no key "extra": up to 4 columns of a type that ids have.',
    ],
    [{ key: ['id'] }, { columns: articles.columns.slice(0, 3) }, 'it has to show one.'],
    [
      { key: ['id'] },
      { relation: 'materialized view' as const },
      'is a materialized view, which is no source',
    ],
  ])('that is named with %j is refused with what to do', (wishes, facts, told) => {
    const { message, remedy } = refusalOf(() =>
      findEligible([judgeTable({ ...shown, ...facts }, wishes)], 'shown', ASKED),
    );

    expect(message).toContain(told);
    expect(remedy).toBeUndefined();
  });
});

describe('the refusal', () => {
  test('says of each table why it was passed over, and how to mend it', () => {
    const { message, remedy } = refusalOf(() => find([unkeyed, buildTable({ name: 'empty', columns: [] })]));

    expect(message.split('\n')).toEqual([
      'No table can be embedded as it is:',
      '  public.events has no key: no primary key, and no unique index of NOT NULL columns.',
      expect.stringMatching(
        /^ {2}public\.empty has no key.*; it has no updated_at.*; it has no text column\.$/,
      ),
    ]);
    expect(remedy).toContain('ALTER TABLE "public"."events" ADD PRIMARY KEY (id);');
  });

  test('names the database that has no table', () => {
    expect(refusalOf(() => find([])).message).toBe('There is no table to embed. Asked was database "d".');
  });

  test('says why the table that is named cannot be, and names the nearest of one that is not there', () => {
    expect(refusalOf(() => find([articles, unkeyed], 'events')).message).toBe(
      'public.events has no key: no primary key, and no unique index of NOT NULL columns.',
    );
    expect(refusalOf(() => find([articles, unkeyed], 'artikles')).message).toBe(
      '--table "artikles": there is no such table; did you mean public.articles? Asked was database "d".',
    );
  });

  test('asks for the schema of a name that several schemas have', () => {
    const { message, remedy } = refusalOf(() => find([articles, buildTable({ schema: 'old' })], 'articles'));

    expect(message).toBe('--table "articles": several schemas have it.');
    expect(remedy).toBe('Tables: public.articles, old.articles');
  });

  test('keeps a name from beginning a line of its own', () => {
    const hostile = buildTable({ name: 'x\nfreshet: all is well', uniqueIndexes: [] });

    const { message } = refusalOf(() => find([hostile]));
    expect(message.split('\n')).toHaveLength(2);
  });

  test('names the first tables of many', () => {
    const many = Array.from({ length: 30 }, (_, place) =>
      buildTable({ name: `t${place}`, uniqueIndexes: [] }),
    );

    const lines = refusalOf(() => find(many)).message.split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('  … and 10 more.');
  });
});
