import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildHash } from '../factories/result-object.ts';

const ROWS = 3000;
const [HELD, REFUSED, NEW] = [buildHash(1), buildHash(2), buildHash(3)];

let db: SqlDatabase;
let items: OpenedSpace;
beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
});
afterEach(() => db.close());

/** Rows of a table that this session's statements came across since it was opened, in any way of reading. */
async function countRead(table: string): Promise<number> {
  await sql`SELECT pg_stat_force_next_flush()`.execute(db.kysely);
  const { rows } = await sql<{ read: number }>`
    SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS read FROM pg_stat_user_tables
     WHERE schemaname = 'freshet' AND relname = ${table}`.execute(db.kysely);
  return rows[0]?.read ?? 0;
}

test('reads one row of the thousands that hold a hash or were refused, by a plan that was made while there were none', async () => {
  const { vectorTable, spaceId } = items.space;
  for (let round = 0; round < 6; round += 1) await items.embedding.lookUpHashes(items.space, [NEW]);
  await items.run(`INSERT INTO freshet.${vectorTable} (item_id, outcome, content_hash, read_at, embedding)
    SELECT n, 'embedded', decode('${HELD}', 'hex'), now(), '[1,2,3]' FROM generate_series(1, ${ROWS}) AS n`);
  await items.run(`INSERT INTO freshet.failures (space_id, content_hash, failure_class, code)
    SELECT ${spaceId}, sha256(n::text::bytea), 'item', 'policy' FROM generate_series(1, ${ROWS}) AS n
     UNION ALL SELECT ${spaceId}, decode('${REFUSED}', 'hex'), 'item', 'policy'`);
  const before = [await countRead(vectorTable), await countRead('failures')];

  const found = await items.embedding.lookUpHashes(items.space, [NEW, HELD, REFUSED]);

  expect(found).toEqual({ embedded: new Set([HELD]), refused: new Map([[REFUSED, 'policy']]) });
  const after = [await countRead(vectorTable), await countRead('failures')];
  expect(after.map((count, place) => count - (before[place] ?? 0))).toEqual([1, 1]);
});
