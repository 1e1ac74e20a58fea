import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { prepared } from '../../lib/adapters/sql/fragments.ts';
import { openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildCall, buildResult, embedded } from '../factories/result-object.ts';

test('keeps the plan of a statement that is marked as prepared, and of no other', async () => {
  const database = await openTestDatabase();
  try {
    for (let round = 0; round < 2; round += 1) {
      await sql`${prepared}SELECT ${round}::int AS kept`.execute(database.kysely);
      await sql`SELECT ${round}::int AS forgotten`.execute(database.kysely);
    }

    const { rows } = await sql<{ statement: string; uses: number }>`
      SELECT statement, (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements`.execute(
      database.kysely,
    );

    expect(rows.map(({ statement }) => statement)).toEqual([expect.stringContaining('AS kept')]);
    expect(rows[0]?.uses).toBe(2);
  } finally {
    await database.close();
  }
});

test('plans what a write transaction repeats for any values, from its first execution, and nothing after the transaction', async () => {
  const database = await openTestDatabase();
  try {
    const items = await openSpace(database);
    await items.run(
      `INSERT INTO public.ai_items (id, title) SELECT n, 'text ' || n FROM generate_series(1, 3) AS n`,
    );
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });

    for (const id of ['1', '2', '3']) {
      const outcomes = [embedded(await items.readOne(id), [1, 0, 0])];
      await items.outcomes.writeResult(
        items.space,
        buildResult(items.space, dispatchId, { calls: [buildCall()], outcomes }),
      );
    }

    const { rows } = await sql<{ verb: string; generic: number; custom: number }>`
      SELECT substring(statement FROM 'INSERT INTO "|RETURNING l.item_id|readAt') AS verb, generic_plans::int AS generic, custom_plans::int AS custom
        FROM pg_prepared_statements WHERE statement ~ 'INSERT INTO "|RETURNING l.item_id|readAt' ORDER BY verb`.execute(
      database.kysely,
    );
    expect(rows).toEqual([
      { verb: 'INSERT INTO "', generic: 3, custom: 0 },
      { verb: 'RETURNING l.item_id', generic: 3, custom: 0 },
      { verb: 'readAt', generic: 0, custom: 3 },
    ]);
  } finally {
    await database.close();
  }
});
