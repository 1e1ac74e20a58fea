import { sql } from 'kysely';
import { beforeEach, expect, test, vi } from 'vitest';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { type RunEnd, runLocally } from '../../lib/local/run-locally.ts';
import { type LoopbackServer, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { openTestWorkspace } from './open-test-workspace.ts';

const ROWS = 60;

let server: LoopbackServer;
let opened: Awaited<ReturnType<typeof openTestWorkspace>>;

const describeConfig = () => ({
  models: { acme: { provider: 'openai' as const, modelId: 'acme', dimensions: 8, baseUrl: server.baseUrl } },
  sources: [
    { name: 'items', table: 'public.items', key: 'id', text: { columns: ['title'] }, model: 'acme' as const },
  ],
  limits: { batchSize: 10, concurrency: 2 },
});

beforeEach(async () => {
  server = await startLoopbackOpenAiServer({ dimensions: 8 });
  opened = await openTestWorkspace(describeConfig());
  await sql`CREATE TABLE public.rows (id bigint PRIMARY KEY, title text,
    updated_at timestamptz NOT NULL DEFAULT now())`.execute(opened.database.kysely);
  await sql`INSERT INTO public.rows SELECT n, 'title ' || n FROM generate_series(1, ${ROWS}::int) AS n`.execute(
    opened.database.kysely,
  );
  await sql`CREATE VIEW public.items AS SELECT * FROM public.rows`.execute(opened.database.kysely);
  return async () => {
    await opened.close();
    await server.close();
  };
});

function run(
  maxWaitMs = 30_000,
  given: { signal?: AbortSignal; onWaiting?: () => void } = {},
): Promise<RunEnd> {
  const workspace = { ...opened.workspace, config: parseConfig(describeConfig()) };
  return runLocally(workspace, {
    ...{ signal: new AbortController().signal, maxWaitMs, maxItems: undefined },
    ...{ failureLog: undefined, onPrepared: () => undefined, onCounted: () => undefined },
    ...{ onProgress: () => undefined, onWaiting: () => undefined },
    ...given,
  });
}

test('a run that ends with an error tells what it learned of the server before', async () => {
  server.setBehaviour((_, callsBefore) =>
    callsBefore < 20
      ? { kind: 'alter', data: items => items.map(item => ({ ...item, index: 0 })) }
      : { kind: 'status', status: 402 },
  );

  const { ending, notices } = await run();

  expect(ending).toMatchObject({ kind: 'error', error: { code: 'payment_required' } });
  expect(notices.join('\n')).toContain('models.acme.limits.maxTextsPerCall: 1');
});

test('a run that ends with an error tells what it saw of the rows before', async () => {
  await run();
  await sql`DELETE FROM public.rows WHERE id <= 40`.execute(opened.database.kysely);
  await sql`UPDATE public.rows SET title = title || ' again', updated_at = now()`.execute(
    opened.database.kysely,
  );
  const readPass = async () =>
    (
      await sql<{
        endedAt: string;
      }>`SELECT last_pass_ended_at::text AS "endedAt" FROM freshet.positions`.execute(opened.database.kysely)
    ).rows[0]?.endedAt;
  const before = await readPass();
  // Answered once the rows are looked at, however long that takes.
  server.setBehaviour(async () => {
    while ((await readPass()) === before) await new Promise(resolve => setTimeout(resolve, 10));
    return { kind: 'status', status: 402 };
  });

  const { ending, notices } = await run();

  expect(ending).toMatchObject({ kind: 'error', error: { code: 'payment_required' } });
  expect(notices.join('\n')).toContain('Source "items": rows are gone; the source is no table');
});

test('a run that ends with what may pass does not say that it is tried again', async () => {
  await run();
  const { kysely } = opened.database;
  await sql`UPDATE public.rows SET title = title || ' again', updated_at = now()`.execute(kysely);
  await sql`CREATE FUNCTION public.cancel() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'cancelled' USING ERRCODE = '57014'; END $$`.execute(kysely);
  const { rows } = await sql<{ statement: string }>`
    SELECT format('CREATE TRIGGER cancel BEFORE UPDATE ON %I.%I EXECUTE FUNCTION public.cancel()',
      table_schema, table_name) AS statement
      FROM information_schema.columns WHERE table_schema = 'freshet' AND column_name = 'dispatch_id'`.execute(
    kysely,
  );
  for (const { statement } of rows) await sql.raw(statement).execute(kysely);

  const { ending } = await run(1_000);

  expect(ending).toMatchObject({ kind: 'error', error: { code: 'sqlstate_57014' } });
  expect(ending.sentences.join('\n')).toMatch(/Nothing is tried again by itself\. Where it goes on/);
});

test('a run that is told to stop in the middle of a call does not say that it waits', async () => {
  const stop = new AbortController();
  const onWaiting = vi.fn();
  server.setBehaviour(async () => {
    stop.abort();
    await new Promise(resolve => setTimeout(resolve, 8_000));
    return { kind: 'embed' };
  });

  const { ending } = await run(30_000, { signal: stop.signal, onWaiting });

  expect(ending.kind).toBe('stopped');
  expect(onWaiting).not.toHaveBeenCalled();
});
