import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KyselyPlugin } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { MIGRATIONS, migrate, NEEDED_VERSION } from '../../lib/adapters/sql/migrations/migrate.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { wireGuard } from '../../lib/wiring/lambda-guard.ts';
import { createSourceTable } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { DEPLOYMENT } from '../doubles/stubbed-console.ts';

const CONFIG = {
  sources: [{ name: 'items', table: 'ai_items', text: { columns: ['title'] }, model: 'hash' }],
};
let directory = '';
afterEach(() => rmSync(directory, { recursive: true }));

test('guard knows a newer schema that lets it run, and refuses one that does not, with the words for it', async () => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-function-'));
  writeFileSync(join(directory, 'freshet.config.json'), JSON.stringify(CONFIG));
  const database = await openTestDatabase();
  const { ports, close } = await wireGuard({
    variables: { FRESHET_DEPLOYMENT: JSON.stringify(DEPLOYMENT) },
    directory,
    writeLine: () => undefined,
    openDatabase: async () => database,
  });
  const next = (version: number, compatibleFrom: number) => ({
    version,
    compatibleFrom,
    name: `next-${version}`,
    statements: [],
  });
  const expand = next(NEEDED_VERSION + 1, NEEDED_VERSION);
  await migrate(database, [...MIGRATIONS, expand]);

  await expect(ports.openState()).resolves.toBeDefined();
  await migrate(database, [...MIGRATIONS, expand, next(NEEDED_VERSION + 2, NEEDED_VERSION + 1)]);

  await expect(ports.openState()).rejects.toMatchObject({
    code: 'unknown_schema',
    message: expect.stringContaining(`Run or deploy a Freshet of version ${NEEDED_VERSION + 1}`),
  });
  await close();
});

test('guard opens database and spaces once for many looks and probes', async () => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-function-'));
  writeFileSync(join(directory, 'freshet.config.json'), JSON.stringify(CONFIG));
  const database = await openTestDatabase();
  await createSourceTable(database);
  await ensureSpaces(database, parseConfig(CONFIG));
  const opened = { databases: 0, spaces: 0 };
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => {
      if (node.kind === 'SelectQueryNode' && JSON.stringify(node).includes('"spaces"')) opened.spaces += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const { ports, close } = await wireGuard({
    variables: { FRESHET_DEPLOYMENT: JSON.stringify(DEPLOYMENT) },
    directory,
    writeLine: () => undefined,
    openDatabase: async () => {
      opened.databases += 1;
      return { ...database, kysely: database.kysely.withPlugin(counting) };
    },
  });

  const look = async () => {
    const { spaces } = await ports.openState();
    const lists = await Promise.all([spaces.list(), spaces.list()]);
    expect(lists.map(list => list.length)).toEqual([1, 1]);
    return { ...opened };
  };
  const afterFirst = await look();
  const afterThird = [await look(), await look()].at(-1);

  expect(afterFirst.databases).toBe(1);
  expect(afterFirst.spaces).toBeGreaterThan(0);
  expect(afterThird).toEqual(afterFirst);
  await close();
});
