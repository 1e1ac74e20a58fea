import { sql } from 'kysely';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createControlStore,
  createProbeClaims,
  requireWritable,
  tryWriting,
} from '../../lib/adapters/sql/control-store.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  await db?.close();
  db = await openTestDatabase();
});
afterAll(() => db.close());

const run = (statement: string) => sql.raw(statement).execute(db.kysely);

describe('the claim of a probe', () => {
  it('is given once in its interval, which begins with the pause', async () => {
    const probes = createProbeClaims(db);
    await createControlStore(db).pause('model:small', 'provider:unauthorized', '');
    const claim = () => probes.claim('model:small', 'provider:unauthorized', 60);

    expect(await claim()).toBe(false);
    await run("UPDATE freshet.control SET since = since - interval '60 seconds'");
    expect([await claim(), await claim()]).toEqual([true, false]);
    await run("UPDATE freshet.control SET probed_at = probed_at - interval '60 seconds'");
    expect([await claim(), await claim()]).toEqual([true, false]);
  });

  it('is not given for a reason that is gone', async () => {
    expect(await createProbeClaims(db).claim('pipeline', 'database', 0)).toBe(false);
  });
});

describe('a try to write', () => {
  it('leaves nothing behind', async () => {
    await tryWriting(db);

    expect(await createControlStore(db).reasons()).toEqual([]);
  });

  it('says what the database says', async () => {
    await run('ALTER TABLE freshet.control RENAME TO control_away');

    await expect(tryWriting(db)).rejects.toMatchObject({ code: 'sqlstate_42P01' });
  });

  it('is not needed where the server is read-only', async () => {
    await requireWritable(db);
    const refused = db.kysely.transaction().execute(async transaction => {
      await sql`SET TRANSACTION READ ONLY`.execute(transaction);
      await requireWritable({ ...db, kysely: transaction });
    });

    await expect(refused).rejects.toMatchObject({ failureClass: 'stop', code: 'sqlstate_25006' });
  });
});
