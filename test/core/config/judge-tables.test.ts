import { describe, expect, test } from 'vitest';
import { findVectorColumns, judgeTable, type TableFacts } from '../../../lib/core/config/judge-tables.ts';
import { buildColumn, buildTable } from '../../factories/table-facts.ts';

const id = buildColumn('id', 'bigint', { notNull: true });
const updatedAt = buildColumn('updated_at', 'timestamp with time zone');

const withColumns = (...columns: TableFacts['columns']) => buildTable({ columns });
const reasonsOf = (table: TableFacts, wishes = {}) =>
  judgeTable(table, wishes).faults.map(({ reason }) => reason);
const textsOf = (...columns: TableFacts['columns']) =>
  judgeTable(withColumns(id, updatedAt, ...columns), {}).choices.texts;

describe('the proposal for a table', () => {
  test('takes its primary key, its text columns and updated_at', () => {
    const { choices, faults } = judgeTable(buildTable(), {});

    expect(faults).toEqual([]);
    expect(choices).toMatchObject({ keys: [['id']], texts: ['title', 'body'] });
    expect(choices.versions.map(({ name }) => name)).toEqual(['updated_at']);
  });

  test('never holds what a name calls a secret, a reference or a code', () => {
    const names = [
      'password_hash',
      'apiToken',
      'reset_token',
      'private_key',
      'salt',
      'imageUrl',
      'email',
      'status',
    ];

    expect(textsOf(buildColumn('body'), ...names.map(name => buildColumn(name)))).toEqual(['body']);
    expect(textsOf(buildColumn('body'), buildColumn('sort', 'character varying(8)'))).toEqual(['body']);
  });

  test('holds words that only look like secrets, codes and references', () => {
    const names = ['passage', 'tokenization_notes', 'statement', 'description', 'codebook', 'validity'];

    expect(textsOf(...names.map(name => buildColumn(name)))).toEqual(names);
  });

  test('holds arrays of texts, and no bytes, vectors, numbers or documents of JSON', () => {
    expect(
      textsOf(
        buildColumn('tags', 'text[]'),
        buildColumn('scan', 'bytea'),
        buildColumn('vec', 'vector(3)'),
        buildColumn('price', 'numeric'),
        buildColumn('extra', 'jsonb'),
      ),
    ).toEqual(['tags']);
  });

  test('leaves a key of text out of the texts', () => {
    const slug = buildColumn('title', 'text', { notNull: true });
    const table = buildTable({
      columns: [slug, buildColumn('body'), updatedAt],
      uniqueIndexes: [{ isPrimary: true, columns: ['title'] }],
    });

    expect(judgeTable(table, {}).choices).toMatchObject({ keys: [['title']], texts: ['body'] });
  });

  test.each([
    'updated_at',
    'updatedAt',
    'modified_on',
    'last_changed',
    'mtime',
    'date_updated',
    'lastEditedAt',
    'Updated At',
    'updated-at',
  ])('takes %s for the time of the last change', name => {
    const table = withColumns(id, buildColumn('body'), buildColumn(name, 'timestamp with time zone'));

    expect(judgeTable(table, {}).choices.versions.map(column => column.name)).toEqual([name]);
  });

  test('prefers updated_at, and a column with a time zone', () => {
    const table = withColumns(
      id,
      buildColumn('body'),
      buildColumn('modified', 'timestamp without time zone'),
      buildColumn('changed', 'timestamp with time zone'),
      buildColumn('updated_at', 'timestamp without time zone'),
    );

    const names = judgeTable(table, {}).choices.versions.map(({ name }) => name);
    expect(names).toEqual(['updated_at', 'changed', 'modified']);
  });

  test('prefers the primary key to another unique index', () => {
    const uniqueIndexes = [
      { isPrimary: false, columns: ['code'] },
      { isPrimary: true, columns: ['id'] },
    ];
    const code = buildColumn('code', 'uuid', { notNull: true });
    const table = buildTable({ columns: [id, code, buildColumn('body'), updatedAt], uniqueIndexes });

    expect(judgeTable(table, {}).choices.keys).toEqual([['id'], ['code']]);
    expect(judgeTable(table, { key: ['code'] }).choices.keys).toEqual([['code']]);
  });
});

describe('a key of several columns', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const judgeKey = (columns: readonly string[]) =>
    judgeTable(
      buildTable({
        columns: [
          ...names.map(name => buildColumn(name, 'integer', { notNull: true })),
          buildColumn('body'),
          updatedAt,
        ],
        uniqueIndexes: [{ isPrimary: true, columns }],
      }),
      {},
    );

  test('is proposed up to the columns that a key may have', () => {
    expect(judgeKey(['b', 'a'])).toMatchObject({ choices: { keys: [['b', 'a']] }, faults: [] });
    expect(judgeKey(names).faults.map(({ reason }) => reason)).toEqual([
      'has a primary key of 5 columns ("a", "b", "c", "d", "e")',
    ]);
  });
});

describe('a table is passed over', () => {
  test('for each thing that it lacks, with the statement that mends it', () => {
    const table = buildTable({ columns: [buildColumn('price', 'numeric')], uniqueIndexes: [] });

    const { faults } = judgeTable(table, {});
    expect(faults).toEqual([
      {
        reason: 'has no key: no primary key, and no unique index of NOT NULL columns',
        remedy:
          'ALTER TABLE "public"."articles" ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;',
      },
      {
        reason: "has no updated_at, the time of a row's last change",
        remedy: expect.stringContaining(
          'ALTER TABLE "public"."articles" ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();',
        ),
      },
      { reason: 'has no text column' },
    ]);
  });

  test('where it has an id that is no key yet', () => {
    const { faults } = judgeTable(buildTable({ uniqueIndexes: [] }), {});

    expect(faults.map(({ remedy }) => remedy)).toEqual([
      'ALTER TABLE "public"."articles" ADD PRIMARY KEY (id);',
    ]);
  });

  test('where its only time is that of the row’s creation', () => {
    const created = buildColumn('created_at', 'timestamp with time zone');

    expect(reasonsOf(withColumns(id, buildColumn('body'), created))).toEqual([
      `has no updated_at, the time of a row's last change ("created_at" may be something else)`,
    ]);
  });

  test('where its key may be NULL, is of no type of ids, or has the name of a column of the view', () => {
    const body = buildColumn('body');
    const keyed = (column: ReturnType<typeof buildColumn>) =>
      reasonsOf(
        buildTable({
          columns: [column, body, updatedAt],
          uniqueIndexes: [{ isPrimary: true, columns: [column.name] }],
        }),
      );

    expect(keyed(buildColumn('id', 'bigint'))).toHaveLength(1);
    expect(keyed(buildColumn('id', 'boolean', { notNull: true }))).toEqual([
      'has no key of a type that ids have: "id" is of type boolean',
    ]);
    expect(keyed(buildColumn('embedding', 'uuid', { notNull: true }))).toHaveLength(1);
  });

  test('where all of its texts are addresses and secrets, and says how to name them', () => {
    expect(reasonsOf(withColumns(id, buildColumn('email'), buildColumn('password'), updatedAt))).toEqual([
      'has no text column that looks like prose ("email", "password" can be named with --text)',
    ]);
  });

  test('where the role may not read it, with the grants', () => {
    const table = buildTable({ missingGrants: ['GRANT USAGE …;', 'GRANT SELECT …;'] });

    expect(judgeTable(table, {}).faults).toEqual([
      { reason: 'may not be read by this role', remedy: 'GRANT USAGE …;\nGRANT SELECT …;' },
    ]);
  });
});

describe('what somebody wishes', () => {
  test('is taken, in the order of the wish, whatever the name of a column says', () => {
    const table = withColumns(
      id,
      buildColumn('email'),
      buildColumn('body'),
      buildColumn('born', 'timestamp with time zone'),
    );

    const judged = judgeTable(table, { textColumns: ['body', 'email'], updatedAt: 'born' });
    expect(judged.faults).toEqual([]);
    expect(judged.choices.texts).toEqual(['body', 'email']);
    expect(judged.choices.versions.map(({ name }) => name)).toEqual(['born']);
  });

  test('is refused where the table has no such column, with the nearest', () => {
    expect(reasonsOf(buildTable(), { textColumns: ['titel'] })).toEqual([
      'has no column "titel"; did you mean "title"?',
    ]);
    expect(reasonsOf(buildTable(), { updatedAt: 'update_at', key: ['ib'] })).toEqual([
      'has no column "ib"; did you mean "id"?',
      'has no column "update_at"; did you mean "updated_at"?',
    ]);
  });

  test('is refused where the column cannot take the part', () => {
    const table = buildTable({
      columns: [id, buildColumn('vec', 'vector(3)'), updatedAt, buildColumn('body')],
    });

    expect(reasonsOf(table, { textColumns: ['vec'] })).toEqual(['holds no text in "vec"']);
    expect(reasonsOf(table, { updatedAt: 'body' })).toEqual([
      'cannot go by "body", which is no timestamptz, timestamp or date',
    ]);
    expect(reasonsOf(table, { key: ['body'] })).toEqual([
      'has no key "body": a key is unique, NOT NULL and of a type that ids have',
    ]);
  });
});

test('columns of vectors are found by their type, in whatever schema it lies', () => {
  const columns = [
    id,
    buildColumn('embedding', 'vector(1536)'),
    buildColumn('half', 'extensions.halfvec(3)'),
  ];

  expect(findVectorColumns(buildTable({ columns })).map(({ name }) => name)).toEqual(['embedding', 'half']);
});
