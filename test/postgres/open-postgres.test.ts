import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createSourceTable } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildConfig } from '../factories/pipeline-config.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

async function terminateOthers(): Promise<void> {
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(db.kysely);
}

describe('openPostgres', () => {
  it('tells a run that its lock is lost when the server ends the connection', async () => {
    const run = await db.beginRun();

    await terminateOthers();

    await run.lost;
  });

  it('does not report the lock of a run that ended as lost', async () => {
    const run = await db.beginRun();
    const lost = run.lost.then(() => 'lost');

    await run.end();

    expect(await Promise.race([lost, Promise.resolve('ended')])).toBe('ended');
  });

  it('goes on with new connections when the server ended idle ones', async () => {
    await Promise.all([1, 2, 3].map(() => sql`SELECT pg_sleep(0.05)`.execute(db.kysely)));

    await terminateOthers();

    const answers = await Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => sql`SELECT 1`.execute(db.kysely)));
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ failureClass: 'transient' });
    }
    await sql`SELECT 1`.execute(db.kysely);
  });

  it('classifies a statement whose connection the server ends as transient', async () => {
    const failure = db.kysely.transaction().execute(async transaction => {
      const me = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(transaction);
      await sql`SELECT pg_terminate_backend(${me.rows[0]?.pid}::int)`.execute(db.kysely);
      await sql`SELECT 1`.execute(transaction);
    });

    await expect(failure).rejects.toMatchObject({ name: 'FreshetError', failureClass: 'transient' });
  });

  it('makes each space once when several processes start at the same time', async () => {
    await createSourceTable(db);

    const made = await Promise.all([1, 2, 3].map(() => ensureSpaces(db, buildConfig())));

    expect(new Set(made.map(spaces => spaces[0]?.spaceId)).size).toBe(1);
  });
});
