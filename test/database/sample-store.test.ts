import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scramVerifier } from '../../lib/adapters/postgres/login.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { createSampleStore } from '../../lib/adapters/sql/sample-store.ts';
import type { SampleStore } from '../../lib/ports/report-store.ts';
import { buildConfig } from '../factories/pipeline-config.ts';
import { dropRoles, openTestDatabase } from './open-test-database.ts';

const items = [
  { title: 'harbour', summary: 'a sheltered port', tags: ['noun', 'place'] },
  { title: 'quiet', summary: 'free of noise', tags: ['adjective'] },
];
const config = buildConfig();

let db: SqlDatabase;
/** A database of its own has, roles are the whole server's. */
let role: string;
let store: SampleStore;

const verifier = scramVerifier('a password that no statement holds');

beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
  role = `freshet_role_${randomBytes(6).toString('hex')}`;
  store = createSampleStore(db, config, async () => ({ name: role, verifier }));
});
afterEach(async () => {
  await sql`RESET ROLE`.execute(db.kysely);
  await dropRoles(db, [role]);
  await db.close();
});

async function rightsOfRole(): Promise<Record<string, boolean>> {
  const { rows } = await sql<Record<string, boolean>>`
    SELECT has_table_privilege(${role}, 'public.ai_items', 'SELECT') AS reads,
           has_table_privilege(${role}, 'public.ai_items', 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS changes,
           has_schema_privilege(${role}, 'freshet', 'CREATE') AS "creates in freshet",
           has_schema_privilege(${role}, 'embeddings', 'CREATE') AS "creates in embeddings",
           has_database_privilege(${role}, current_database(), 'CREATE') AS "creates schemas",
           has_schema_privilege(${role}, 'public', 'CREATE') AS "creates in public",
           pg_has_role(${role}, 'pg_read_all_stats', 'USAGE') AS "sees transactions",
           (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
              FROM pg_roles WHERE rolname = ${role}) AS powerful`.execute(db.kysely);
  return rows[0]!;
}

describe('the sample', () => {
  it('is loaded once, however often it is asked for', async () => {
    expect(await store.load(items)).toEqual({ rows: 2, created: true });
    expect(await store.load(items)).toEqual({ rows: 2, created: false });
  });

  it('grows by copies with texts of their own, and no further than it is told', async () => {
    await store.load(items);

    expect(await store.grow(7)).toBe(7);
    expect(await store.grow(7)).toBe(7);
    expect(await store.grow(3)).toBe(7);

    const { rows } = await sql<{ texts: number; summaries: number }>`
      SELECT count(DISTINCT title)::float8 AS texts, count(DISTINCT summary)::float8 AS summaries
        FROM public.ai_items`.execute(db.kysely);
    expect(rows).toEqual([{ texts: 7, summaries: 2 }]);
  });

  it('comes with a role that reads the table, owns its two schemas, and may do nothing else', async () => {
    await store.load(items);

    expect(await rightsOfRole()).toEqual({
      reads: true,
      changes: false,
      'creates in freshet': true,
      'creates in embeddings': true,
      'creates schemas': false,
      'creates in public': false,
      'sees transactions': true,
      powerful: false,
    });
  });

  it('keeps the verifier of the password alone', async () => {
    await store.load(items);
    const { rows } = await sql<{ stored: string }>`
      SELECT rolpassword AS stored FROM pg_authid WHERE rolname = ${role}`.execute(db.kysely);

    expect(rows[0]?.stored).toBe(verifier);
  });

  it('tells the coverage of its rows as they are inserted and edited', async () => {
    await store.load(items);
    expect(await store.readCoverage()).toEqual([]);
    await migrate(db);
    await ensureSpaces(db, config);
    const id = await store.insert('a third');

    expect(await store.readCoverage()).toMatchObject([{ eligible: 3, stale: 3, coveragePercent: 0 }]);
    expect(await store.edit(id, 'another')).toBe(true);
    expect(await store.edit('999', 'nobody')).toBe(false);
    const { rows } = await sql`SELECT title FROM public.ai_items WHERE id = 3`.execute(db.kysely);
    expect(rows).toEqual([{ title: 'another' }]);
  });
});
