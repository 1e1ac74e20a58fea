import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLambda as createDetect } from '../../functions/detect/handler.ts';
import { createLambda as createEmbed } from '../../functions/embed/handler.ts';
import { createLambda as createMigrate } from '../../functions/migrate/handler.ts';
import { createLambda as createWrite } from '../../functions/write/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { MIGRATIONS, migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import {
  createRows,
  embedEverything,
  expectEverythingEmbedded,
  type Functions,
  misbehave,
} from '../deployments/embed-everything.ts';
import { type Deployment, describeConfig, openDeployment } from '../deployments/open-deployment.ts';
import { makeContext } from '../factories/lambda-event.ts';

const DIMENSIONS = 16;
const ROWS = 1_500;
const current = MIGRATIONS.at(-1)!.version;

/** What the next Freshet adds: a table, and columns that the code of today neither reads nor writes. */
const expand = {
  version: current + 1,
  compatibleFrom: current,
  name: 'expand',
  statements: [
    'CREATE TABLE freshet.additions (space_id integer PRIMARY KEY, note text NOT NULL)',
    ...['spaces', 'positions', 'leases', 'failures', 'ledger', 'grants', 'control', 'migrations'].map(
      table => `ALTER TABLE freshet.${table} ADD COLUMN addition text NOT NULL DEFAULT 'none'`,
    ),
    'ALTER TABLE freshet.vectors_1 ADD COLUMN addition text',
  ],
};
/** What the Freshet after that takes away, once nobody runs the code of today any more. */
const contract = {
  version: current + 2,
  compatibleFrom: current + 1,
  name: 'contract',
  statements: ['ALTER TABLE freshet.leases DROP COLUMN first_seen'],
};

let deployment: Deployment;
let database: SqlDatabase;
let directory: string;
/** The code of today, which the next Freshet makes the older one. */
let older: Functions;
let createOlder: () => Functions;

beforeEach(async () => {
  deployment = await openDeployment({ dimensions: DIMENSIONS });
  database = await openTestDatabase({ migrated: false });
  directory = mkdtempSync(path.join(tmpdir(), 'freshet-older-'));
  writeConfig(describeConfig(deployment.provider, DIMENSIONS));
  const dependencies = {
    variables: deployment.variables,
    directory,
    writeLine: () => undefined,
    openDatabase: async () => ({ ...database, close: async () => {} }),
  };
  createOlder = () => ({
    migrate: createMigrate(dependencies),
    detect: createDetect(dependencies),
    embed: createEmbed(dependencies),
    write: createWrite(dependencies),
  });
  older = createOlder();
  await createRows(database, ROWS);
});
afterEach(async () => {
  await deployment.close();
  await database.close();
  rmSync(directory, { recursive: true });
});

const writeConfig = (config: FreshetConfig) =>
  writeFileSync(path.join(directory, 'freshet.config.json'), JSON.stringify(config));

const readColumns = async () =>
  (
    await sql<{ place: string }>`
      SELECT table_name || '.' || column_name || ' ' || data_type AS place FROM information_schema.columns
       WHERE table_schema = 'freshet' ORDER BY 1`.execute(database.kysely)
  ).rows.map(({ place }) => place);

test('after the next migration the older migrate changes nothing, and older detect, embed and write embed every row', async () => {
  await older.migrate({}, makeContext());
  await migrate(database, [...MIGRATIONS, expand]);
  const columns = await readColumns();

  const rolledBack = await older.migrate({}, makeContext());
  misbehave(deployment);
  const polls = await embedEverything(deployment, older);

  expect(rolledBack).toMatchObject({ from: current + 1, to: current + 1, applied: [] });
  expect(await readColumns()).toEqual(columns);
  expect(polls.some(({ threw }) => threw)).toBe(false);
  await expectEverythingEmbedded(database, deployment, DIMENSIONS);
});

test('older code that was at work when the next migration came goes on with its work', async () => {
  await older.migrate({}, makeContext());
  await older.detect({ pass: 'reconcile' }, makeContext());
  await migrate(database, [...MIGRATIONS, expand]);

  misbehave(deployment);
  await embedEverything(deployment, older);

  await expectEverythingEmbedded(database, deployment, DIMENSIONS);
});

test('an older migrate makes no space of its own in a newer schema, whose tables it does not know', async () => {
  await older.migrate({}, makeContext());
  await migrate(database, [...MIGRATIONS, expand]);
  const config = describeConfig(deployment.provider, DIMENSIONS);
  writeConfig({ ...config, models: { served: { ...config.models!.served!, revision: 'another' } } });

  await expect(createOlder().migrate({}, makeContext())).rejects.toThrow(
    /no space yet for model "served".*may run but not make new tables/,
  );
});

test('what was taken away stops older code at its start, and says which version to deploy', async () => {
  await older.migrate({}, makeContext());
  await migrate(database, [...MIGRATIONS, expand, contract]);
  const says = `takes code of version ${current + 1} or newer; this Freshet is of version ${current}`;

  await expect(older.migrate({}, makeContext())).rejects.toThrow(says);
  await expect(older.detect({ pass: 'reconcile' }, makeContext())).rejects.toThrow(says);
  const event = { Records: [] };
  await expect(older.embed(event, makeContext())).rejects.toThrow(says);
  await expect(older.write(event, makeContext())).rejects.toThrow(says);
});
