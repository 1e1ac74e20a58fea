import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path, { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLambda } from '../../functions/operate/handler.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { openSpaces } from '../../lib/adapters/sql/open-spaces.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import type { StageQuote } from '../../lib/ports/operator.ts';
import { quoteSpaces } from '../../lib/wiring/quotes.ts';
import type { Workspace } from '../../lib/wiring/workspace.ts';
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

const NO_KEYS = { providerKeys: {}, providerUrls: {} };
const listSpaces = async () => (await openSpaces(database, parseConfig(CONFIG))).list();
const surroundings = (models: readonly string[], changes: object = {}) => ({
  variables: { FRESHET_DEPLOYMENT: JSON.stringify({ ...DEPLOYMENT, models, ...changes }) },
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

test('the wired function quotes as `freshet quote` does, by the workers of the stage, and says what AWS is paid', async () => {
  await sql`INSERT INTO public.ai_items (id, title, updated_at)
    SELECT n, 'text ' || n % 200, now() FROM generate_series(1, 250) AS n`.execute(database.kysely);
  const handler = createLambda(surroundings(['hash']));
  const config = path.join(directory, 'freshet.config.json');
  const workspace = { config: parseConfig(CONFIG), database, environment: NO_KEYS, file: config };
  const [here] = await quoteSpaces(workspace as unknown as Workspace, await listSpaces());

  const first = await handler({ request: 'quote-space', spaceId: null }, makeContext());
  const other = await handler({ request: 'quote-space', spaceId: 99 }, makeContext());
  const unknown = await handler({ request: 'quote-space', source: 'items', spaceId: null }, makeContext());

  expect(here).toMatchObject({ rows: 250, texts: 200, duplicates: 50, seconds: null });
  expect(first).toEqual({
    answer: {
      quotes: [{ ...here, aws: expect.objectContaining({ callMs: 500, isMeasured: false }) }],
      next: null,
    },
  });
  for (const refused of [other, unknown]) expect(refused).toMatchObject({ error: { code: 'bad_request' } });
  const { rows } = await sql<{ calls: number }>`
    SELECT (SELECT count(*) FROM freshet.ledger) + (SELECT count(*) FROM freshet.grants) AS calls`.execute(
    database.kysely,
  );
  expect(Number(rows[0]?.calls)).toBe(0);
});

test('a quote on a stage waits for calls as long as its calls took, beside each other as its workers are', async () => {
  await sql`INSERT INTO public.ai_items (id, title, updated_at)
    SELECT n, 'text ' || n, now() FROM generate_series(1, 2000) AS n`.execute(database.kysely);
  const [space] = await listSpaces();
  await sql`INSERT INTO freshet.ledger
      (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome)
    SELECT gen_random_uuid(), ${space!.spaceId}, 'hash', 'bulk', 100, 100, 300, 0, 800, 'ok'
      FROM generate_series(1, 10)`.execute(database.kysely);
  const quoteWith = async (bulkEnvironments: number) => {
    const reply = await createLambda(surroundings(['hash'], { bulkEnvironments }))(
      { request: 'quote-space', spaceId: null },
      makeContext(),
    );
    return (reply as { answer: { quotes: StageQuote[] } }).answer.quotes[0]!;
  };

  const two = await quoteWith(2);
  const four = await quoteWith(4);

  expect(two.aws.isMeasured).toBe(true);
  expect((two.seconds! * 2) / two.calls).toBeCloseTo(two.aws.callMs / 1000, 6);
  expect(two.seconds).toBeCloseTo(2 * four.seconds!, 6);
  // A tick of detect waits beside them, and it waits longer for two than for four.
  expect(two.aws.costUsd).toBeGreaterThan(four.aws.costUsd);
});

test('a deployment without queues for a model of the configuration is refused in words', async () => {
  const handler = createLambda(surroundings([]));

  await expect(handler({ request: 'status' }, makeContext())).rejects.toMatchObject({
    message: expect.stringContaining('queues.hash'),
  });
});
