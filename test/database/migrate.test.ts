import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { MIGRATIONS, migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
});
afterEach(() => db.close());

const latest = MIGRATIONS.at(-1)?.version ?? 0;

describe('migrate', () => {
  it('numbers its migrations without gaps', () => {
    expect(MIGRATIONS.map(migration => migration.version)).toEqual(MIGRATIONS.map((_, place) => place + 1));
  });

  it('brings an empty database to the newest version, and changes nothing the second time', async () => {
    const first = await migrate(db);
    const second = await migrate(db);

    expect(first).toEqual({ from: 0, to: latest, applied: MIGRATIONS.map(migration => migration.name) });
    expect(second).toEqual({ from: latest, to: latest, applied: [] });
  });

  it('applies each migration once when several start at the same time', async () => {
    const reports = await Promise.all([migrate(db), migrate(db), migrate(db)]);

    expect(reports.flatMap(report => report.applied)).toHaveLength(MIGRATIONS.length);
  });

  it('leaves nothing of a migration that fails, and keeps those before it', async () => {
    const broken = {
      version: latest + 1,
      name: 'broken',
      statements: ['CREATE TABLE freshet.half (a integer)', 'SELECT 1/0'],
    };

    await expect(migrate(db, [...MIGRATIONS, broken])).rejects.toMatchObject({ code: 'sqlstate_22012' });

    expect(await migrate(db)).toMatchObject({ from: latest, applied: [] });
    const half = await sql`SELECT to_regclass('freshet.half') AS oid`.execute(db.kysely);
    expect(half.rows).toEqual([{ oid: null }]);
  });

  it('applies only what a later version adds', async () => {
    await migrate(db);
    const next = { version: latest + 1, name: 'next', statements: ['CREATE TABLE freshet.next (a integer)'] };

    expect(await migrate(db, [...MIGRATIONS, next])).toEqual({
      from: latest,
      to: latest + 1,
      applied: ['next'],
    });
  });

  it('refuses a database that a newer version made', async () => {
    await migrate(db);
    await db.kysely
      .insertInto('freshet.migrations')
      .values({ version: latest + 1, name: 'future' })
      .execute();

    await expect(migrate(db)).rejects.toThrow(/has version \d+; this version of Freshet knows \d+/);
  });

  it('names the grant that a role without rights needs', async () => {
    const role = 'freshet_test_migrator';
    await sql`CREATE ROLE ${sql.id(role)}`.execute(db.kysely);
    try {
      const error = await db.kysely.connection().execute(async connection => {
        await sql`SET ROLE ${sql.id(role)}`.execute(connection);
        const reason = await migrate({ ...db, kysely: connection }).catch(rejection => rejection);
        await sql`RESET ROLE`.execute(connection);
        return reason;
      });

      expect(error.message).toContain('may not create or change schema freshet');
      expect(error.remedy).toMatch(/^GRANT CREATE ON DATABASE \S+ TO freshet_test_migrator;$/);
    } finally {
      await sql`DROP ROLE ${sql.id(role)}`.execute(db.kysely);
    }
  });
});
