import { createQueryId, type KyselyPlugin, type RootOperationNode, sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCoverage } from '../../lib/adapters/sql/coverage.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

const ROWS = 5000;

let db: SqlDatabase;
let space: OpenedSpace;
beforeAll(async () => {
  db = await openTestDatabase();
  space = await openSpace(db);
  await space.run(
    `INSERT INTO ai_items (id, title) SELECT n, 'title ' || n FROM generate_series(1, ${ROWS}) n`,
  );
  await space.run(`INSERT INTO freshet.${space.space.vectorTable}
      (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT id, 'embedded', updated_at, xmin, now(), '[1,0,0]', now() FROM ai_items WHERE id % 5 > 0`);
  await space.run('ANALYZE');
});
afterAll(() => db.close());

/** Keeps every statement that goes through it. */
function keepStatements(kept: RootOperationNode[]): KyselyPlugin {
  return {
    transformQuery: ({ node }) => {
      kept.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  };
}

it('is counted by several workers, where no key stands twice', async () => {
  const { counted, plan } = await db.kysely.transaction().execute(async transaction => {
    for (const setting of ['min_parallel_table_scan_size', 'parallel_setup_cost', 'parallel_tuple_cost'])
      await sql`SELECT set_config(${setting}, '0', true)`.execute(transaction);
    const kept: RootOperationNode[] = [];
    const kysely = transaction.withPlugin(keepStatements(kept));
    const counted = await readCoverage({ ...db, kysely }, space.space);
    const count = transaction.getExecutor().compileQuery(kept.at(-1)!, createQueryId());
    const explained = await transaction.executeQuery<{ 'QUERY PLAN': string }>({
      ...count,
      sql: `EXPLAIN ${count.sql}`,
    });
    return { counted, plan: explained.rows.map(row => row['QUERY PLAN']).join('\n') };
  });

  expect(counted).toMatchObject({ eligible: ROWS, fresh: (ROWS * 4) / 5, stale: ROWS / 5 });
  // The workers count; that they read alone leaves the counting to one.
  expect(plan).toMatch(/Partial \w*Aggregate/);
  expect(plan).toMatch(/Parallel Seq Scan on vectors_/);
});
