import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { embedStaleRows } from '../database/embed-stale-rows.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';

const WHOLE = { after: null, through: null };
let db: SqlDatabase;
const run = (statement: string) => sql.raw(statement).execute(db.kysely);

beforeAll(async () => {
  db = await openTestDatabase();
  const { hostname, port, username } = new URL(process.env.DATABASE_URL ?? '');
  await run('CREATE TABLE public.there (id bigint PRIMARY KEY, title text, updated_at timestamptz)');
  await run(`INSERT INTO public.there VALUES (1, 'one', '2026-01-01Z'), (2, 'two', '2026-01-01Z')`);
  await run('CREATE EXTENSION postgres_fdw');
  await run(`DO $$ BEGIN EXECUTE format('CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host %L, port %L, dbname %L)', '${hostname}', '${port}', current_database()); END $$`);
  await run(`CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user '${username}')`);
  await run(`CREATE FOREIGN TABLE public.here (id bigint, title text, updated_at timestamptz)
    SERVER loop OPTIONS (schema_name 'public', table_name 'there')`);
}, 60_000);
afterAll(() => db.close());

it('a foreign table is found by the reconcile pass alone, and its vectors go only when confirmed', async () => {
  const config = buildConfig([buildSourceConfig({ table: 'here', key: 'id', text: { columns: ['title'] } })]);
  const [space] = await ensureSpaces(db, config);
  if (space === undefined) throw new Error('No space was made.');
  const [detection, _embedding] = [createDetectionStore(db), createEmbeddingStore(db)];
  const embedAll = () => embedStaleRows(db, space);

  expect(space.source.relation).toBe('foreign table');
  expect(await detection.readHorizon(space)).toBeNull();
  expect(await embedAll()).toEqual(['1', '2']);
  expect(await embedAll()).toEqual([]);
  await run(`UPDATE public.there SET title = 'new' WHERE id = 2`);
  expect(await embedAll()).toEqual(['2']);
  await run('DELETE FROM public.there WHERE id = 1');
  expect(await detection.removeOrphans(space, WHOLE)).toEqual({
    marked: 0,
    deleted: 0,
    stopped: 'unconfirmed',
  });
}, 60_000);
