import { type RawBuilder, sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { openSearched } from '../database/open-searched.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

/** Opens a source that keeps words, with two rows. */
async function openWords() {
  const notes = await openSearched(db);
  await notes.write([
    { id: 1, title: 'Running dogs' },
    { id: 2, title: 'a cat' },
  ]);
  const [source] = notes.config.sources;
  const search = { filters: [], keywords: { language: 'english' } };
  const config = { ...notes.config, sources: [{ ...source!, models: ['small'], search }] };
  await ensureSpaces(db, config, { mendsIndexes: true });
  const { vectorTable } = notes.space;
  return { config, vectors: sql.id('freshet', vectorTable), index: `${vectorTable}_by_keywords` };
}

/** Writes a row in a transaction that stays open, for which an index waits that is being built. */
async function holdWrite(vectors: RawBuilder<unknown>): Promise<() => Promise<void>> {
  let release = () => {};
  const mayCommit = new Promise<void>(resolve => {
    release = resolve;
  });
  let begin = () => {};
  const hasBegun = new Promise<void>(resolve => {
    begin = resolve;
  });
  const writer = db.kysely.transaction().execute(async transaction => {
    await sql`INSERT INTO ${vectors} (item_id, outcome, read_at) VALUES (99, 'excluded:empty', now())`.execute(
      transaction,
    );
    begin();
    await mayCommit;
  });
  await hasBegun;
  return async () => {
    release();
    await writer;
  };
}

/** Resolves once a session waits in such a statement: for a lock, or for time to pass. */
const untilWaits = (statement: string, event: 'Lock' | 'Timeout') =>
  expect
    .poll(async () => {
      const { rows } = await sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND query ~ ${statement} AND pid <> pg_backend_pid()
          AND wait_event_type = ${event}`.execute(db.kysely);
      return rows.length;
    })
    .toBeGreaterThan(0);

async function readIndex(index: string) {
  const { rows } = await sql<{ oid: number; isValid: boolean; state: string }>`
    SELECT i.indexrelid::int AS oid, i.indisvalid AS "isValid", col_description(a.attrelid, a.attnum) AS state
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'keywords'
     WHERE i.indexrelid = to_regclass(${`freshet.${index}`})`.execute(db.kysely);
  return rows[0];
}

test('the index of words is built without holding up writers, and one that was left half built is built anew', async () => {
  const { config, vectors, index } = await openWords();
  // As it stands while migrate makes the words, with an index whose build was ended.
  await sql`COMMENT ON COLUMN ${vectors}.keywords IS 'filling english'`.execute(db.kysely);
  await sql`UPDATE pg_index SET indisvalid = false
    WHERE indexrelid = ${`freshet.${index}`}::regclass`.execute(db.kysely);
  const commit = await holdWrite(vectors);
  const built = ensureSpaces(db, config, { mendsIndexes: true });
  await untilWaits('INDEX', 'Lock');
  const other = db.kysely.transaction().execute(async transaction => {
    await sql`SET LOCAL lock_timeout = '2s'`.execute(transaction);
    await sql`UPDATE ${vectors} SET tokens = tokens + 1 WHERE item_id = 1`.execute(transaction);
    return 'written';
  });
  const written = await other.catch((error: Error) => error.message);
  await commit();
  await built;

  expect(written).toBe('written');
  expect(await readIndex(index)).toMatchObject({ isValid: true, state: 'english' });
});

test.each(['english', 'filling english'])(
  'an index of words that is being built is left to its builder: %s',
  async state => {
    const { config, vectors, index } = await openWords();
    await sql`DROP INDEX ${sql.id('freshet', index)}`.execute(db.kysely);
    await sql
      .raw(`COMMENT ON COLUMN freshet.${index.replace('_by_keywords', '')}.keywords IS '${state}'`)
      .execute(db.kysely);
    const commit = await holdWrite(vectors);
    const built = ensureSpaces(db, config, { mendsIndexes: true });
    await untilWaits('CREATE INDEX', 'Lock');
    const before = await readIndex(index);

    const other = ensureSpaces(db, config, { mendsIndexes: true });
    await untilWaits('pg_sleep', 'Timeout');
    expect(await readIndex(index)).toEqual(before);
    expect(before).toMatchObject({ isValid: false, state });
    await commit();
    await Promise.all([built, other]);

    expect(await readIndex(index)).toEqual({ ...before, isValid: true, state: 'english' });
  },
);
