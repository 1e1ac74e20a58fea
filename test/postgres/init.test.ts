import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { makeFolder, readObject, runCli } from '../bin/run-cli.ts';
import { dropRoles, openTestDatabase } from '../database/open-test-database.ts';

const { directory, remove } = makeFolder();
const role = `freshet_reader_${randomBytes(6).toString('hex')}`;

let db: SqlDatabase;
let environment: Record<string, string>;
beforeAll(async () => {
  db = await openTestDatabase({ migrated: false });
  const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(db.kysely);
  const url = new URL(process.env.DATABASE_URL ?? '');
  url.pathname = `/${rows[0]!.name}`;
  url.username = role;
  environment = { DATABASE_URL: url.href };
  for (const statement of [
    `CREATE ROLE ${role} LOGIN`,
    `GRANT CREATE ON DATABASE ${rows[0]!.name} TO ${role}`,
    `CREATE TABLE public.events (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now())
       PARTITION BY HASH (id)`,
    'CREATE TABLE public.events_0 PARTITION OF public.events FOR VALUES WITH (MODULUS 1, REMAINDER 0)',
    `INSERT INTO public.events SELECT n, 'a thief in the night, number ' || n FROM generate_series(1, 30) AS n`,
    'CREATE TABLE public.hidden (id bigint PRIMARY KEY, note text, updated_at timestamptz)',
    'CREATE SCHEMA closed',
    'CREATE TABLE closed.far (id bigint PRIMARY KEY, note text, updated_at timestamptz)',
    `GRANT SELECT ON public.events TO ${role}`,
  ])
    await sql.raw(statement).execute(db.kysely);
});
afterAll(async () => {
  await dropRoles(db, [role]);
  await db.close();
  remove();
});
afterEach(() => {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
});

const freshet = (words: readonly string[], variables = environment) => runCli(directory, words, variables);

describe('init on a server', () => {
  it('takes the one table that its role may read, and a run embeds it', async () => {
    const written = await freshet(['init', '--yes', '--json', '--github-action']);

    expect(readObject(written), written.errors).toMatchObject({
      ok: true,
      source: {
        schema: 'public',
        table: 'events',
        key: ['id'],
        updatedAt: 'updated_at',
        textColumns: ['note'],
      },
      workflow: join('.github', 'workflows', 'freshet.yml'),
      estimate: { rows: 30, duplicates: 0, isCounted: true },
      next: ['npm run freshet -- run'],
    });
    expect(existsSync(join(directory, '.github/workflows/freshet.yml'))).toBe(true);

    const run = await freshet(['run', '--json']);
    expect(readObject(run), run.errors).toMatchObject({ end: 'complete', embedded: 30, failed: 0 });
  });

  it('names the grants of a table that its role may not read, and the variables that a run needs', async () => {
    const refused = await freshet(['init', '--yes', '--table', 'far']);
    expect(refused.code).toBe(2);
    expect(refused.errors).toContain('closed.far may not be read by this role.');
    expect(refused.errors).toContain(`GRANT USAGE ON SCHEMA "closed" TO "${role}";`);
    expect(refused.errors).toContain(`GRANT SELECT ON "closed"."far" TO "${role}";`);

    const url = environment.DATABASE_URL!;
    const words = ['init', '--yes', '--model', 'text-embedding-3-small', '--database-url', url];
    const { code, output, errors } = await freshet(words, {});
    expect(code, errors).toBe(0);
    expect(output).toMatch(
      / {2}export DATABASE_URL=…\n {2}export OPENAI_API_KEY=…\n {2}npm run freshet -- run\n$/,
    );
    expect(output).toMatch(
      /to embed: 30 rows = 30 texts to buy\n {2}about \d+ tokens \(\d+ to \d+\) in 1 calls, \$0\.0000/,
    );
  });

  it('leaves no file behind where the database cannot be reached', async () => {
    const { code } = await freshet(['init', '--yes'], { DATABASE_URL: 'postgres://127.0.0.1:1/none' });

    expect(code).not.toBe(0);
    expect(readdirSync(directory).filter(name => name !== '.freshet')).toEqual([]);
  });
});
