import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { scramVerifier } from '../../lib/adapters/postgres/login.ts';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { createSampleStore } from '../../lib/adapters/sql/sample-store.ts';
import { dropRoles, openTestDatabase } from '../database/open-test-database.ts';
import { buildConfig } from '../factories/pipeline-config.ts';

const config = buildConfig();
const items = [
  { title: 'harbour', summary: 'a sheltered port', tags: ['noun', 'place'] },
  { title: 'quiet', summary: 'free of noise', tags: ['adjective'] },
];

let db: SqlDatabase;
let role: string;
let owner: string;

beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
  role = `freshet_role_${randomBytes(6).toString('hex')}`;
  owner = `freshet_owner_${randomBytes(6).toString('hex')}`;
});
afterEach(async () => {
  await dropRoles(db, [role, owner]);
  await db.close();
});

test('an owner with the rights of that of RDS loads the sample, and the role migrates with its own', async () => {
  const verifier = scramVerifier('a password that no statement holds');
  const [database] = (await sql<{ name: string }>`SELECT current_database() AS name`.execute(db.kysely)).rows;
  const name = database?.name ?? '';
  await sql`CREATE ROLE ${sql.id(owner)} LOGIN CREATEROLE CREATEDB`.execute(db.kysely);
  await sql`GRANT pg_read_all_stats TO ${sql.id(owner)} WITH ADMIN OPTION`.execute(db.kysely);
  await sql`ALTER DATABASE ${sql.id(name)} OWNER TO ${sql.id(owner)}`.execute(db.kysely);
  const openAs = (user: string) => {
    const target = new URL(process.env.DATABASE_URL ?? '');
    target.username = user;
    target.pathname = `/${name}`;
    return openPostgres({ connectionString: target.href, maxConnections: 1 });
  };
  const asOwner = await openAs(owner);
  const owned = createSampleStore(asOwner, config, async () => ({ name: role, verifier }));

  expect(await owned.load(items)).toEqual({ rows: 2, created: true });
  expect(await owned.load(items)).toEqual({ rows: 2, created: false });

  const asRole = await openAs(role);
  await migrate(asRole);
  await ensureSpaces(asRole, config);
  await expect(sql`UPDATE public.ai_items SET title = ''`.execute(asRole.kysely)).rejects.toMatchObject({
    code: 'sqlstate_42501',
  });
  await asRole.close();

  expect(await owned.readCoverage()).toMatchObject([{ eligible: 2, stale: 2 }]);
  await asOwner.close();
});
