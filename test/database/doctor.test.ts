import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import type { DoctorFinding } from '../../lib/adapters/sql/doctor-sources.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { createSourceTable } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
  await createSourceTable(db);
});
afterEach(() => db.close());

async function findingOf(check: string, config = buildConfig()): Promise<DoctorFinding | undefined> {
  return (await inspectDatabase(db, config)).find(finding => finding.check === check);
}

async function mend(finding: DoctorFinding | undefined): Promise<void> {
  await sql.raw(finding?.statement ?? '').execute(db.kysely);
}

describe('inspectDatabase', () => {
  it('finds nothing to mend in a database that has all', async () => {
    await sql`CREATE INDEX ON public.ai_items (updated_at, id)`.execute(db.kysely);
    await ensureSpaces(db, buildConfig());

    const findings = await inspectDatabase(db, buildConfig());

    const faults = findings.filter(finding => !finding.ok && finding.check !== 'pgvector');
    expect(faults).toEqual([]);
    expect(findings.map(finding => finding.check)).toEqual([
      'server',
      'pgvector',
      'schema',
      'transactions',
      'prepared-transactions',
      'oldest-transaction',
      'source',
      'updated-at-index',
      'row-security',
      'search-index',
      'orphans',
    ]);
  });

  it('asks for migrate where schema or space is missing', async () => {
    expect(await findingOf('space')).toMatchObject({
      ok: false,
      severity: 'error',
      statement: 'npm run freshet -- migrate',
    });
    await sql`DROP SCHEMA freshet CASCADE`.execute(db.kysely);

    expect(await findingOf('schema')).toMatchObject({
      ok: false,
      severity: 'error',
      statement: 'npm run freshet -- migrate',
    });
  });

  it('gives the statement for the index that the incremental pass lacks', async () => {
    const finding = await findingOf('updated-at-index');
    await mend(finding);

    expect(finding).toMatchObject({ ok: false, severity: 'warning' });
    expect(finding?.statement).toBe('CREATE INDEX CONCURRENTLY ON "public"."ai_items" ("updated_at", "id");');
    expect(await findingOf('updated-at-index')).toMatchObject({ ok: true });
  });

  it('reports a source that is broken and goes on with the others', async () => {
    const config = buildConfig([
      buildSourceConfig({ name: 'broken', table: 'nowhere' }),
      buildSourceConfig(),
    ]);

    const sources = (await inspectDatabase(db, config)).filter(finding => finding.check === 'source');

    expect(sources.map(finding => finding.ok)).toEqual([false, true]);
    expect(sources[0]?.message).toContain('table "nowhere" does not exist');
  });

  it('says when row-level security applies', async () => {
    await sql`ALTER TABLE public.ai_items ENABLE ROW LEVEL SECURITY`.execute(db.kysely);
    const role = 'freshet_test_secured';
    await sql`CREATE ROLE ${sql.id(role)}`.execute(db.kysely);
    await sql`GRANT SELECT ON public.ai_items TO ${sql.id(role)}`.execute(db.kysely);
    await sql`DROP SCHEMA freshet CASCADE`.execute(db.kysely);

    const findings = await db.kysely.connection().execute(async connection => {
      await sql`SET ROLE ${sql.id(role)}`.execute(connection);
      const found = await inspectDatabase({ ...db, kysely: connection }, buildConfig());
      await sql`RESET ROLE`.execute(connection);
      return found;
    });
    await sql`DROP OWNED BY ${sql.id(role)}`.execute(db.kysely);
    await sql`DROP ROLE ${sql.id(role)}`.execute(db.kysely);

    expect(findings.find(finding => finding.check === 'row-security')).toMatchObject({
      ok: false,
      severity: 'warning',
    });
    expect(findings.find(finding => finding.check === 'transactions')?.statement).toBe(
      `GRANT pg_read_all_stats TO "${role}";`,
    );
  });

  it('asks for a search index once there are over 10,000 vectors', async () => {
    const [space] = await ensureSpaces(db, buildConfig());
    await sql`INSERT INTO ${sql.id('freshet', space?.vectorTable ?? '')} (item_id, outcome, read_at, embedding, embedded_at)
      SELECT n, 'embedded', now(), '[1,0,0]', now() FROM generate_series(1, 10001) AS n`.execute(db.kysely);

    const finding = await findingOf('search-index');

    expect(finding).toMatchObject({ ok: false, severity: 'warning' });
    expect(finding?.statement).toBe(
      `CREATE INDEX CONCURRENTLY ON "freshet"."${space?.vectorTable}" USING hnsw (embedding vector_cosine_ops);`,
    );
  });
});
