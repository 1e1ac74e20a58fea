import { sql } from 'kysely';
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

test('the index of words is built without holding up writers, and one that was left half built is built anew', async () => {
  const notes = await openSearched(db);
  await notes.write([
    { id: 1, title: 'Running dogs' },
    { id: 2, title: 'a cat' },
  ]);
  const [source] = notes.config.sources;
  const search = { filters: [], keywords: { language: 'english' } };
  const config = { ...notes.config, sources: [{ ...source!, models: ['small'], search }] };
  await ensureSpaces(db, config);
  const vectors = sql.id('freshet', notes.space.vectorTable);
  const index = `${notes.space.vectorTable}_by_keywords`;
  // As it stands while migrate makes the words, with an index whose build was ended.
  await sql`COMMENT ON COLUMN ${vectors}.keywords IS 'filling english'`.execute(db.kysely);
  await sql`UPDATE pg_index SET indisvalid = false
    WHERE indexrelid = ${`freshet.${index}`}::regclass`.execute(db.kysely);

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
  const built = ensureSpaces(db, config);
  for (let waits = 0; waits === 0; ) {
    const { rows } = await sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND query ~ 'INDEX' AND pid <> pg_backend_pid()
        AND wait_event_type = 'Lock'`.execute(db.kysely);
    waits = rows.length;
  }
  const other = db.kysely.transaction().execute(async transaction => {
    await sql`SET LOCAL lock_timeout = '2s'`.execute(transaction);
    await sql`UPDATE ${vectors} SET tokens = tokens + 1 WHERE item_id = 1`.execute(transaction);
    return 'written';
  });
  const written = await other.catch((error: Error) => error.message);
  release();
  await Promise.all([writer, built]);

  expect(written).toBe('written');
  const { rows } = await sql<{ isValid: boolean; state: string }>`
    SELECT i.indisvalid AS "isValid", col_description(a.attrelid, a.attnum) AS state
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'keywords'
     WHERE i.indexrelid = ${`freshet.${index}`}::regclass`.execute(db.kysely);
  expect(rows).toEqual([{ isValid: true, state: 'english' }]);
});
