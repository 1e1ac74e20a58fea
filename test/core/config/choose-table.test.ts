import { describe, expect, test } from 'vitest';
import { findEligible, nameTable } from '../../../lib/core/config/choose-table.ts';
import { judgeTable, type TableFacts } from '../../../lib/core/config/judge-tables.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import { buildTable } from '../../factories/table-facts.ts';

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

  test('are none of a platform, unless one is named', () => {
    const users = buildTable({ schema: 'auth', name: 'users' });

    expect(find([articles, users])).toEqual(['public.articles']);
    expect(find([users], 'auth.users')).toEqual(['auth.users']);
    expect(refusalOf(() => find([users])).message).toContain("auth.users is a platform's.");
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
