import { sql } from 'kysely';
import { beforeEach, describe, expect, it } from 'vitest';
import { createHandler } from '../../functions/operate/handler.ts';
import { createControlStore } from '../../lib/adapters/sql/control-store.ts';
import { createPaceStore } from '../../lib/adapters/sql/pace-store.ts';
import { createQuoteStore } from '../../lib/adapters/sql/quote-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { createResetStore } from '../../lib/adapters/sql/reset-store.ts';
import type { OperatePorts } from '../../lib/pipeline/operate/operate-ports.ts';
import { quoteReset } from '../../lib/pipeline/quote.ts';
import type { ResetCursor } from '../../lib/ports/operator.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeContext } from '../factories/lambda-event.ts';
import { storeOutcome } from '../factories/outcome-row.ts';
import { buildConfig, buildModel, buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildResult, touchOf } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace, request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let opened: OpenedSpace;
let ports: OperatePorts;

beforeEach(async () => {
  const db = await openTestDatabase();
  const model = buildModel({ usdPerMillionTokens: 20 });
  opened = await openSpace(db, {}, {}, buildConfig([buildSourceConfig()], [model]));
  const { space } = opened;
  const basis = {
    ...{ quotes: createQuoteStore(db), pace: createPaceStore(db), provider: createScriptedProvider() },
    limits: { batchSize: 2, callsAtOnce: 1 },
  };
  ports = {
    spaces: { list: async () => [space], find: async id => (id === space.spaceId ? space : undefined) },
    control: createControlStore(db),
    reports: createReportStore(db),
    resets: createResetStore(db),
    quoteReset: (of, plan) => quoteReset(basis, of, plan),
    detection: opened.detection,
    logger: createRecordingLogger(),
  };
  await opened.run(
    `INSERT INTO public.ai_items (id, title, updated_at) SELECT n, 'title ' || n, '2026-01-01' FROM generate_series(1, 9) AS n`,
  );
  return () => db.close();
});

async function ask<Answer>(event: object): Promise<Answer> {
  const reply = await createHandler(ports)(event, makeContext());
  if ('error' in reply) throw new Error(`${reply.error.code}: ${reply.error.message}`);
  return reply.answer as Answer;
}

async function resetAll(selection: object, limit: number): Promise<number[]> {
  const batches: number[] = [];
  let cursor: ResetCursor | null = null;
  do {
    const answer: { rows: number; cursor: ResetCursor | null } = await ask({
      request: 'reset',
      ...selection,
      cursor,
      limit,
    });
    batches.push(answer.rows);
    cursor = answer.cursor;
  } while (cursor !== null);
  return batches;
}

const hash = (byte: string) => byte.repeat(32);
const setTokens = (id: number, tokens: number, embeddedAt = '2026-02-01') =>
  opened.run(
    `UPDATE freshet.${opened.space.vectorTable} SET tokens = ${tokens}, kept_length = 40, embedded_at = '${embeddedAt}' WHERE item_id = ${id}`,
  );

describe('a reset', () => {
  beforeEach(async () => {
    const { db, space } = opened;
    for (const [id, byte] of [
      [1, 'aa'],
      [2, 'aa'],
      [3, 'bb'],
      [4, 'cc'],
    ] as const)
      await storeOutcome(db, space, { id, hash: hash(byte) });
    await storeOutcome(db, space, { id: 5, outcome: 'excluded:empty' });
    await storeOutcome(db, space, { id: 6, outcome: 'refused:content', hash: hash('dd') });
    await setTokens(1, 100);
    await setTokens(2, 0);
    await setTokens(3, 50, '2026-05-01');
    await setTokens(4, 0);
  });

  it('counts rows and, once per text, what must be bought', async () => {
    const { spaces } = await ask<{ spaces: object[] }>({ request: 'plan-reset' });

    // aa once by its 100 tokens, bb 50, cc by its 40 characters; the empty row costs nothing, the refused one is left to retry.
    expect(spaces).toEqual([
      {
        ...{ source: 'ai_items', model: 'small', rows: 5, texts: 3, duplicates: 1, copied: 0, touched: 0 },
        ...{ excluded: 1, sampledShare: 1, calls: 2, tokens: 160, leastTokens: 80, mostTokens: 320 },
        ...{ costUsd: 0.0032, leastCostUsd: 0.0016, mostCostUsd: 0.0064, seconds: null, batch: null },
      },
    ]);
  });

  it('quotes tokens and time by what the calls of the model were billed', async () => {
    await opened.run(
      `INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
         latency_ms, outcome, estimated_tokens)
       SELECT gen_random_uuid(), ${opened.space.spaceId}, 'small', 'bulk', 1, 1, 200, 0, 500, 'ok', 100
         FROM generate_series(1, 20)`,
    );

    const { spaces } = await ask<{ spaces: object[] }>({ request: 'plan-reset' });

    // Twice the estimate, three percent at least about it; two calls, one after the other.
    expect(spaces).toMatchObject([{ tokens: 320, leastTokens: 310, mostTokens: 330, seconds: 0.8 }]);
  });

  it('buys no text whose vector another row keeps', async () => {
    await setTokens(2, 0, '2026-05-01');

    const { spaces } = await ask<{ spaces: object[] }>({ request: 'plan-reset', olderThan: '2026-03-01' });

    expect(spaces).toMatchObject([{ rows: 2, texts: 1, copied: 1, tokens: 10 }]);
  });

  it('makes rows stale in batches, deletes nothing, and finds nothing to do the second time', async () => {
    const batches = await resetAll({}, 2);
    const again = await resetAll({}, 2);

    expect(batches).toEqual([2, 2, 1]);
    expect(again).toEqual([0]);
    const stored = await opened.stored();
    expect(stored.filter(({ vector }) => vector !== null)).toHaveLength(4);
    expect(stored.map(({ id, version }) => [id, version === '-infinity'])).toEqual([
      ...['1', '2', '3', '4', '5'].map(id => [id, true]),
      ['6', false],
    ]);
    const { rows } = await opened.leaseSlice();
    expect(rows.map(({ id }) => id).toSorted()).toEqual(['1', '2', '3', '4', '5', '7', '8', '9']);
  });

  it('leaves no hash by which a touch or a copy could bring the old vector back', async () => {
    await resetAll({ olderThan: '2026-03-01' }, 100);

    const { embedded } = await opened.embedding.lookUpHashes(opened.space, [
      hash('aa'),
      hash('bb'),
      hash('cc'),
    ]);

    expect([...embedded]).toEqual([hash('bb')]);
  });

  it('overtakes a touch that was on its way: the row is sent again', async () => {
    const dispatchId = crypto.randomUUID();
    await opened.run(`UPDATE public.ai_items SET title = 'edited', updated_at = now() WHERE id = 1`);
    await opened.leaseSlice(request({ dispatchId }));
    await opened.embedding.beginEmbedding(opened.space, dispatchId, ['1']);
    const reading = await opened.readOne('1');
    await resetAll({}, 100);

    const result = buildResult(opened.space, dispatchId, { touches: [touchOf(reading, hash('aa'))] });
    const report = await opened.outcomes.writeResult(opened.space, result);

    expect(report).toMatchObject({ touched: 0, overtaken: 1 });
    expect((await opened.leaseSlice()).rows.map(({ id }) => id)).toContain('1');
  });
});

describe('pauses of an operator', () => {
  it('are kept with their words, keep the row from detect, and end alone', async () => {
    await ports.control.pause('model:small', 'provider:quota', 'quota');

    const paused = await ask({ request: 'pause', scope: 'source:ai_items', detail: 'OPS-1' });
    const repeated = await ask({ request: 'pause', scope: 'source:ai_items', detail: '' });
    const renamed = await ask({ request: 'pause', scope: 'source:ai_items', detail: 'OPS-2' });
    const resumed = await ask({ request: 'resume', scope: 'source:ai_items' });
    const idle = await ask({ request: 'resume', scope: 'source:ai_items' });

    expect(paused).toMatchObject({
      changed: true,
      paused: [{ reason: 'provider:quota' }, { reason: 'operator', detail: 'OPS-1' }],
    });
    expect(repeated).toMatchObject({ changed: false, paused: [{}, { detail: 'OPS-1' }] });
    expect(renamed).toMatchObject({ changed: false, paused: [{}, { detail: 'OPS-2' }] });
    expect(resumed).toMatchObject({ changed: true, paused: [{ reason: 'provider:quota' }] });
    expect(idle).toMatchObject({ changed: false });
  });

  it('refuse a scope that is mistyped, and say what there is', async () => {
    const reply = await createHandler(ports)(
      { request: 'pause', scope: 'source:ai_item', detail: '' },
      makeContext(),
    );

    expect(reply).toMatchObject({
      error: { code: 'bad_request', message: expect.stringContaining('source:ai_items, model:small') },
    });
    expect(await ports.control.reasons()).toEqual([]);
  });
});

describe('the other requests', () => {
  it('tell status and failures with ids and without text', async () => {
    await storeOutcome(opened.db, opened.space, { id: 1 });
    await storeOutcome(opened.db, opened.space, { id: 2, outcome: 'refused:content', hash: hash('dd') });
    await ports.control.pause('run:7', 'stop', '');

    const status = await ask({ request: 'status' });
    const failures = await ask({ request: 'failures', exampleLimit: 5 });

    expect(status).toMatchObject({
      spaces: [{ eligible: 9, fresh: 1, failed: 1, stale: 7, oldestStaleAgeSeconds: 0, rowsPerSecond: 0 }],
      paused: [],
    });
    expect(failures).toMatchObject({
      failures: [{ source: 'ai_items', code: 'content', rows: 1, exampleIds: ['2'] }],
    });
    expect(JSON.stringify([status, failures])).not.toContain('title 2');
  });

  it('retry in bounded batches and count no row twice', async () => {
    for (const id of [1, 2, 3])
      await storeOutcome(opened.db, opened.space, { id, outcome: 'refused:content', hash: hash(`0${id}`) });

    const first = await ask({ request: 'retry', cause: 'item', limit: 2 });
    const second = await ask({ request: 'retry', cause: 'content', limit: 2 });
    const third = await ask({ request: 'retry', limit: 2 });

    expect([first, second, third]).toEqual([
      { rows: 2, more: true },
      { rows: 1, more: false },
      { rows: 0, more: false },
    ]);
  });

  it('leave an id to the sources that have such keys, and refuse one that none has', async () => {
    await storeOutcome(opened.db, opened.space, { id: 3, outcome: 'refused:content', hash: hash('03') });
    const parts = { ...opened.space, source: { ...opened.space.source, name: 'parts' } };
    const keyColumns = ['id', 'place'].map(name => ({ name, type: 'bigint' }));
    const composite = { ...parts, source: { ...parts.source, keyColumns } } as typeof opened.space;
    ports = {
      ...ports,
      spaces: { list: async () => [composite, opened.space], find: async () => undefined },
    };

    expect(await ask({ request: 'retry', itemId: '3', limit: 2 })).toEqual({ rows: 1, more: false });
    await expect(ask({ request: 'retry', itemId: '3', source: 'parts', limit: 2 })).rejects.toThrow(
      /^bad_request: Source "parts": A key of this source has 2 parts/,
    );
  });

  it('set the walk back to the lowest key without ending its pass', async () => {
    await opened.detection.writeReconcileCursor(opened.space, '5', false);
    const before = await sql`SELECT pass_started_at, last_pass_started_at FROM freshet.positions`.execute(
      opened.db.kysely,
    );

    const answer = await ask({ request: 'backfill', source: 'ai_items' });

    expect(answer).toEqual({ spaces: [{ source: 'ai_items', model: 'small' }] });
    expect(await opened.detection.readPosition(opened.space)).toMatchObject({ reconcileCursor: null });
    expect(
      await sql`SELECT pass_started_at, last_pass_started_at FROM freshet.positions`.execute(
        opened.db.kysely,
      ),
    ).toMatchObject({ rows: before.rows });
  });

  it.each([
    [{ request: 'redrive', queue: 'results', limit: 1 }, 'no dead-letter queues'],
    [{ request: 'reset', cursor: null, limit: 0 }, 'no valid "limit"'],
    [{ request: 'reset', cursor: null, limit: 5, olderThan: 'yesterday' }, 'no valid "olderThan"'],
    [{ request: 'reset', cursor: null, limit: 5, source: 'nothing' }, 'There are: ai_items · small'],
    [{ request: 'pause', scope: 'pipeline', detail: 'x'.repeat(81) }, 'no valid "detail"'],
    [{ request: 'status', verbose: true }, 'does not take that key'],
    [{ request: 'drop' }, 'There is no such request'],
    [{}, 'There is no such request'],
    ['status', 'There is no such request'],
  ])('refuse %j readably', async (event, expected) => {
    const reply = await createHandler(ports)(event, makeContext());

    expect(reply).toMatchObject({
      error: { code: 'bad_request', message: expect.stringContaining(expected) },
    });
  });
});
