import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { prepared } from '../../lib/adapters/sql/prepared.ts';
import { openTestDatabase } from '../support/open-test-database.ts';

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
