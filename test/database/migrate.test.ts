import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { migration0010OutcomeIndexes } from '../../lib/adapters/sql/migrations/0010.ts';
import { MIGRATIONS, migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { readSchemaVersion } from '../../lib/adapters/sql/migrations/schema-version.ts';
import { buildConfig } from '../factories/pipeline-config.ts';
import { createSourceTable } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
});
afterEach(() => db.close());

const latest = MIGRATIONS.at(-1)?.version ?? 0;

describe('migrate', () => {
  it('numbers its migrations in rising order', () => {
    const versions = MIGRATIONS.map(migration => migration.version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
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

  it('leaves no table two indexes that are the same', async () => {
    await migrate(db);
    const { rows } = await sql<{ indexes: string[] }>`
      SELECT array_agg(i.indexrelid::regclass::text ORDER BY 1) AS indexes
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
       WHERE c.relnamespace = 'freshet'::regnamespace
       GROUP BY i.indrelid, i.indkey, i.indclass, i.indisunique, pg_get_expr(i.indpred, i.indrelid)
      HAVING count(*) > 1`.execute(db.kysely);

    expect(rows).toEqual([]);
  });

  it('leaves nothing of a migration that fails, and keeps those before it', async () => {
    const broken = {
      version: latest + 1,
      compatibleFrom: latest,
      name: 'broken',
      statements: ['CREATE TABLE freshet.half (a integer)', 'SELECT 1/0'],
    };

    await migrate(db, MIGRATIONS.slice(0, -1));
    await expect(migrate(db, [...MIGRATIONS, broken])).rejects.toMatchObject({ code: 'sqlstate_22012' });

    expect(await migrate(db)).toMatchObject({ from: latest, applied: [] });
    const half = await sql`SELECT to_regclass('freshet.half') AS oid`.execute(db.kysely);
    expect(half.rows).toEqual([{ oid: null }]);
  });

  it('makes the schema of an empty database whole or not at all', async () => {
    const broken = { version: 2, compatibleFrom: 1, name: 'broken', statements: ['SELECT 1/0'] };

    await expect(migrate(db, [MIGRATIONS[0]!, broken])).rejects.toMatchObject({ code: 'sqlstate_22012' });

    const schemas = await sql`SELECT nspname FROM pg_namespace WHERE nspname = 'freshet'`.execute(db.kysely);
    expect(schemas.rows).toEqual([]);
  });

  it('applies only what a later version adds', async () => {
    await migrate(db);
    const next = {
      version: latest + 1,
      compatibleFrom: latest,
      name: 'next',
      statements: ['CREATE TABLE freshet.next (a integer)'],
    };

    expect(await migrate(db, [...MIGRATIONS, next])).toEqual({
      from: latest,
      to: latest + 1,
      applied: ['next'],
    });
  });

  it('says of each version which older code may run on it, and takes no permission back', async () => {
    await migrate(db);

    const rows = await sql<{ version: number; from: number }>`
      SELECT version, compatible_from AS "from" FROM freshet.migrations ORDER BY version`.execute(db.kysely);
    expect(rows.rows).toEqual(MIGRATIONS.map(({ version, compatibleFrom: from }) => ({ version, from })));
    const froms = MIGRATIONS.map(({ compatibleFrom }) => compatibleFrom);
    expect(froms).toEqual(froms.toSorted((a, b) => a - b));
    for (const { version, compatibleFrom } of MIGRATIONS) expect(compatibleFrom).toBeLessThanOrEqual(version);
  });

  it('gives the vector tables that exist the index that new ones have', async () => {
    await migrate(db);
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());
    const readIndexes = async () =>
      (
        await sql<{ definition: string }>`SELECT indexdef AS definition FROM pg_indexes
          WHERE schemaname = 'freshet' AND tablename = 'vectors_1' ORDER BY 1`.execute(db.kysely)
      ).rows;
    const created = await readIndexes();
    await sql`DROP INDEX freshet.vectors_1_by_outcome`.execute(db.kysely);

    for (const statement of migration0010OutcomeIndexes.statements)
      await sql.raw(statement).execute(db.kysely);

    expect(created).toHaveLength(3);
    expect(await readIndexes()).toEqual(created);
  });

  it('lets older code run only on what was added', () => {
    const takesAway =
      /\bDROP (TABLE|COLUMN|VIEW|SCHEMA|CONSTRAINT)\b|\bRENAME\b|\bSET NOT NULL\b|\bALTER COLUMN \S+ TYPE\b/i;
    const needed = /\bADD COLUMN\b(?![^,;]*\b(DEFAULT|GENERATED)\b)[^,;]*\bNOT NULL\b/i;
    const expanding = MIGRATIONS.filter(({ version, compatibleFrom }) => compatibleFrom < version);

    for (const { name, statements } of expanding)
      for (const statement of statements) {
        expect(statement, name).not.toMatch(takesAway);
        expect(statement, name).not.toMatch(needed);
      }
  });

  it('leaves a newer schema as it is where this code may run on it', async () => {
    await migrate(db);
    const next = { version: latest + 1, compatibleFrom: latest, name: 'next', statements: [] };
    await migrate(db, [...MIGRATIONS, next]);

    expect(await migrate(db)).toEqual({ from: latest + 1, to: latest + 1, applied: [] });
    expect(await readSchemaVersion(db.kysely)).toMatchObject({ version: latest + 1 });
  });

  it('refuses a newer schema that asks for newer code, and says which', async () => {
    await migrate(db);
    const contract = { version: latest + 1, compatibleFrom: latest + 1, name: 'contract', statements: [] };
    const next = { version: latest + 2, compatibleFrom: latest + 1, name: 'next', statements: [] };
    await migrate(db, [...MIGRATIONS, contract, next]);

    await expect(migrate(db)).rejects.toThrow(
      `has version ${latest + 2} and takes code of version ${latest + 1} or newer; ` +
        `this Freshet is of version ${latest}. Run or deploy a Freshet of version ${latest + 1}`,
    );
  });

  it('brings up a schema from before versions said which code may run on them', async () => {
    await migrate(db, MIGRATIONS.slice(0, 3));

    expect(await readSchemaVersion(db.kysely)).toEqual({ version: 3, compatibleFrom: 3 });
    expect(await migrate(db)).toMatchObject({ from: 3, to: latest });
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
