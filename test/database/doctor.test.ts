import { randomBytes } from 'node:crypto';
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
      'writes',
      'creation',
      'time-limits',
      ...(db.engine === 'pglite' ? [] : ['connections']),
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

  it('finds a role that may write nothing', async () => {
    await sql`SET default_transaction_read_only = on`.execute(db.kysely);
    const found = await findingOf('writes');
    await sql`RESET default_transaction_read_only`.execute(db.kysely);

    expect(found).toMatchObject({
      ok: false,
      severity: 'error',
      statement: expect.stringContaining('SET default_transaction_read_only = off'),
    });
  });

  it('finds time limits that are too short for a pass, by their names', async () => {
    await sql`SELECT set_config('statement_timeout', '5s', false),
      set_config('idle_in_transaction_session_timeout', '2s', false)`.execute(db.kysely);

    const found = await findingOf('time-limits');
    await sql`RESET statement_timeout`.execute(db.kysely);
    await sql`RESET idle_in_transaction_session_timeout`.execute(db.kysely);

    expect(found).toMatchObject({ ok: false, severity: 'warning' });
    expect(found?.message).toContain(
      'statement_timeout is 5000 ms, idle_in_transaction_session_timeout is 2000',
    );
    expect(found?.statement).toMatch(
      /^ALTER ROLE .* SET statement_timeout = '1min';\nALTER ROLE .* SET idle_in_tr/,
    );
  });

  it('finds a role that may not make the schemas, and gives the statement', async () => {
    await sql`DROP SCHEMA IF EXISTS freshet CASCADE`.execute(db.kysely);
    const role = `freshet_doctor_${randomBytes(6).toString('hex')}`;
    await sql.raw(`CREATE ROLE ${role}`).execute(db.kysely);
    await sql.raw(`SET ROLE ${role}`).execute(db.kysely);
    try {
      expect(await findingOf('creation')).toMatchObject({
        ok: false,
        severity: 'error',
        message: expect.stringContaining('schema freshet and embeddings'),
        statement: expect.stringMatching(new RegExp(`^GRANT CREATE ON DATABASE .* TO "${role}";$`)),
      });
    } finally {
      await sql`RESET ROLE`.execute(db.kysely);
      await sql.raw(`DROP ROLE ${role}`).execute(db.kysely);
    }
  });

  it('finds fewer free connections than a run takes', async () => {
    if (db.engine === 'pglite') return;
    const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(db.kysely);
    const set = (limit: number) =>
      sql`ALTER DATABASE ${sql.id(rows[0]!.name)} CONNECTION LIMIT ${sql.lit(limit)}`.execute(db.kysely);
    await set(3);

    expect(await findingOf('connections')).toMatchObject({
      ok: false,
      severity: 'warning',
      message: expect.stringMatching(
        /takes up to \d+ connections.*CONNECTION LIMIT of database .* leaves \d/,
      ),
      statement: `ALTER DATABASE "${rows[0]!.name}" CONNECTION LIMIT -1;`,
    });
    await set(-1);
    expect(await findingOf('connections')).toMatchObject({ ok: true });
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

  it('warns of a changed configuration that takes vectors from searches', async () => {
    const [space] = await ensureSpaces(db, buildConfig());
    await sql`INSERT INTO ${sql.id('freshet', space?.vectorTable ?? '')} (item_id, outcome, read_at, embedding, embedded_at)
      VALUES (1, 'embedded', now(), '[1,0,0]', now())`.execute(db.kysely);
    expect(await findingOf('space')).toBeUndefined();

    const changed = buildConfig([buildSourceConfig({ text: { columns: ['title'] } })]);

    expect(await findingOf('space', changed)).toMatchObject({
      ok: false,
      severity: 'warning',
      message: expect.stringMatching(/searches see 1 vectors, .* as it is configured now: 0 vectors\./),
    });
  });

  it('asks for a search index once there are over 10,000 vectors', async () => {
    const [space] = await ensureSpaces(db, buildConfig());
    await sql`INSERT INTO ${sql.id('freshet', space?.vectorTable ?? '')} (item_id, outcome, read_at, embedding, embedded_at)
      SELECT n, 'embedded', now(), '[1,0,0]', now() FROM generate_series(1, 10001) AS n`.execute(db.kysely);

    const finding = await findingOf('search-index');

    expect(finding).toMatchObject({ ok: false, severity: 'warning' });
    expect(finding?.statement).toBe(
      `CREATE INDEX CONCURRENTLY ON "freshet"."${space?.vectorTable}" USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 200);`,
    );
  });

  it('asks for an invalid search index to be built anew', async () => {
    const [space] = await ensureSpaces(db, buildConfig());
    const vectors = sql.id('freshet', space?.vectorTable ?? '');
    await sql`CREATE INDEX by_meaning ON ${vectors} USING hnsw (embedding vector_cosine_ops)`.execute(
      db.kysely,
    );
    await sql`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'freshet.by_meaning'::regclass`.execute(
      db.kysely,
    );

    expect(await findingOf('search-index')).toMatchObject({
      ...{ ok: false, severity: 'warning' },
      statement: 'REINDEX INDEX CONCURRENTLY freshet.by_meaning;',
    });
  });
});
