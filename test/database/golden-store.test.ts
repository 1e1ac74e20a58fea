import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createGoldenStore } from '../../lib/adapters/sql/golden-store.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

const key = { modelFingerprint: 'f', textVersion: 1 };

it('keeps the vectors that were recorded first, bit for bit', async () => {
  const golden = createGoldenStore(db);
  const vectors = ['one', 'two', 'three'].map(text => vectorForText(text, 1536));

  expect(await golden.find(key)).toBeUndefined();
  await golden.insert(key, 'small', vectors);
  await golden.insert(key, 'small', [vectorForText('other', 1536)]);

  expect((await golden.find(key))?.vectors).toEqual(vectors);
  expect(await golden.find({ ...key, textVersion: 2 })).toBeUndefined();
  expect(await golden.find({ ...key, modelFingerprint: 'g' })).toBeUndefined();
});

it('counts the age from the last time that the vectors agreed', async () => {
  const golden = createGoldenStore(db);
  await golden.insert(key, 'small', [vectorForText('one', 8)]);
  await sql`UPDATE freshet.golden_vectors SET agreed_at = now() - interval '2 days'`.execute(db.kysely);

  expect((await golden.find(key))?.ageSeconds).toBeGreaterThan(172_000);
  await golden.confirm(key);
  expect((await golden.find(key))?.ageSeconds).toBeLessThan(60);
});
