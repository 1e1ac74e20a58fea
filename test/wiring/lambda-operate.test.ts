import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLambda } from '../../functions/operate/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { createSourceTable } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { DEPLOYMENT } from '../doubles/stubbed-console.ts';
import { makeContext } from '../factories/lambda-event.ts';

const CONFIG = {
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title'] },
      model: 'hash',
    },
  ],
};

let directory: string;
let database: SqlDatabase;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-operate-'));
  writeFileSync(join(directory, 'freshet.config.json'), JSON.stringify(CONFIG));
  // Before the wiring, which gives up after 25 seconds.
  database = await openTestDatabase();
  await createSourceTable(database);
  await ensureSpaces(database, parseConfig(CONFIG));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const surroundings = (models: readonly string[]) => ({
  variables: { FRESHET_DEPLOYMENT: JSON.stringify({ ...DEPLOYMENT, models }) },
  directory,
  writeLine: () => undefined,
  openDatabase: async () => database,
});

test('the wired function answers, and refuses a queue that the deployment does not have', async () => {
  const handler = createLambda(surroundings(['hash']));

  const status = await handler({ request: 'status' }, makeContext());
  const redrive = await handler(
    { request: 'redrive', queue: { model: 'large', lane: 'bulk' }, limit: 1 },
    makeContext(),
  );

  expect(status).toMatchObject({ answer: { spaces: [{ source: 'ai_items', model: 'hash', eligible: 0 }] } });
  expect(redrive).toMatchObject({ error: { code: 'bad_request', message: expect.stringContaining('hash') } });
});

test('a deployment without queues for a model of the configuration is refused in words', async () => {
  const handler = createLambda(surroundings([]));

  await expect(handler({ request: 'status' }, makeContext())).rejects.toMatchObject({
    message: expect.stringContaining('queues.hash'),
  });
});
