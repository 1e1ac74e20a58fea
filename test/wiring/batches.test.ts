import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { type BatchService, startBatchService } from '../doubles/batch-service.ts';
import { openTestWorkspace } from './open-test-workspace.ts';

let service: BatchService;
let opened: Awaited<ReturnType<typeof openTestWorkspace>>;

beforeEach(async () => {
  service = await startBatchService({ fateOf: () => ({ polls: 0, end: 'completed', shuffled: true }) });
  const config: FreshetConfig = {
    models: {
      small: {
        provider: 'openai',
        modelId: 'text-embedding-3-small',
        baseUrl: service.baseUrl,
        bulk: 'batch',
      },
    },
    sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'small' }],
  };
  opened = await openTestWorkspace(config);
  await sql`CREATE TABLE public.items (id bigint PRIMARY KEY, title text, updated_at timestamptz)`.execute(
    opened.database.kysely,
  );
  await sql`INSERT INTO public.items
    SELECT n, 'title ' || (n % 20), now() - interval '1 day' FROM generate_series(1, 50) AS n`.execute(
    opened.database.kysely,
  );
});

afterEach(async () => {
  await opened.close();
  await service.close();
});

const look = () => sql`UPDATE freshet.batches SET next_look_at = now()`.execute(opened.database.kysely);

test('a run submits a backfill as a batch, and the next run after its end embeds every row at half price', async () => {
  const first = await opened.run();
  const [batch] = service.batches;

  expect(first).toMatchObject({ end: 'held-elsewhere', embedded: 0, costUsd: 0 });
  expect(service.batches.map(({ texts }) => texts.length)).toEqual([20]);
  expect(batch?.metadata?.freshet_batch).toMatch(/^[\da-f-]{36}$/);

  await look();
  const second = await opened.run();

  expect(second).toMatchObject({ end: 'complete', embedded: 50 });
  expect(second.costUsd).toBeCloseTo((service.billedTokens() * 0.02 * 0.5) / 1e6, 12);
  expect(service.requests).not.toContain('list');
  expect([...service.files.keys()]).toEqual([]);
  expect(await countOpenGrants()).toBe(0);
});

async function countOpenGrants(): Promise<number> {
  const { rows } = await sql<{ grants: number }>`SELECT count(*)::int AS grants FROM freshet.grants`.execute(
    opened.database.kysely,
  );
  return rows[0]?.grants ?? -1;
}
