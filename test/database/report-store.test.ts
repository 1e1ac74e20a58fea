import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCoveragePercent } from '../../lib/adapters/sql/coverage.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import type { Space } from '../../lib/core/model.ts';
import type { ReportStore } from '../../lib/ports/report-store.ts';
import { storeLease, storeOutcome } from '../factories/outcome-row.ts';
import { buildConfig } from '../factories/pipeline-config.ts';
import { createSourceTable } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let space: Space;
let report: ReportStore;

beforeEach(async () => {
  db = await openTestDatabase();
  await createSourceTable(db);
  await sql`INSERT INTO public.ai_items (id, title, summary, tags, updated_at)
    SELECT n, 'title ' || n, NULL, ARRAY['a', 'b ' || n], '2026-01-01 00:00:00.123456Z'
      FROM generate_series(1, 12) AS n`.execute(db.kysely);
  const spaces = await ensureSpaces(db, buildConfig());
  space = spaces[0] as Space;
  report = createReportStore(db);
});
afterEach(() => db.close());

async function edit(id: number): Promise<void> {
  await sql`UPDATE public.ai_items SET updated_at = now() WHERE id = ${id}`.execute(db.kysely);
}

describe('readCoveragePercent', () => {
  it('gives the same number within its time, and leaves the session its own limit', async () => {
    for (const id of [1, 2, 3]) await storeOutcome(db, space, { id });

    expect(await readCoveragePercent(db, space, 5_000)).toBe(25);
    const { rows } = await sql`SELECT current_setting('statement_timeout') AS limit`.execute(db.kysely);
    expect(rows).toEqual([{ limit: '0' }]);
  });
});

describe('readCoverage within a time limit', () => {
  it('begins no count that cannot end in time, as statistics and size of the table say', async () => {
    await sql`ANALYZE public.ai_items`.execute(db.kysely);
    await sql`UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'public.ai_items'::regclass`.execute(
      db.kysely,
    );

    await expect(report.readCoverage(space, 150)).rejects.toMatchObject({
      code: 'sqlstate_57014',
      message: 'Source "ai_items": about 1000000 rows and outcomes are not counted within 150 ms.',
    });
    expect((await report.readCoverage(space, 60_000)).eligible).toBe(12);
    expect((await report.readCoverage(space)).eligible).toBe(12);
  });
});

describe('readCoverage', () => {
  it('puts every eligible row into exactly one class', async () => {
    for (const id of [1, 2, 3]) await storeOutcome(db, space, { id });
    await edit(3);
    await storeOutcome(db, space, { id: 4, outcome: 'excluded:empty' });
    await storeOutcome(db, space, { id: 5, outcome: 'too-long' });
    await storeOutcome(db, space, { id: 6, outcome: 'refused:content' });
    await storeOutcome(db, space, { id: 7, outcome: 'undelivered' });
    await storeOutcome(db, space, { id: 8, outcome: 'refused:content' });
    await edit(8);
    await storeLease(db, space, { id: 8 });
    await storeLease(db, space, { id: 9 });
    await storeLease(db, space, { id: 10, expiresIn: '-1 second' });
    await storeLease(db, space, { id: 1 });

    const coverage = await report.readCoverage(space);

    expect(coverage).toEqual({
      source: 'ai_items',
      model: 'small',
      eligible: 12,
      fresh: 2,
      excluded: 2,
      failed: 2,
      inFlight: 2,
      stale: 4,
      coveragePercent: 20,
      lastUpdate: expect.stringMatching(/^\d{4}-\d\d-\d\d .*\+00$/),
    });
  });

  it('has no last update before the first vector', async () => {
    await storeOutcome(db, space, { id: 4, outcome: 'excluded:empty' });

    expect((await report.readCoverage(space)).lastUpdate).toBeNull();
  });

  it('does not count outcome rows whose source row is gone', async () => {
    await storeOutcome(db, space, { id: 1 });
    await sql`DELETE FROM public.ai_items WHERE id = 1`.execute(db.kysely);

    const coverage = await report.readCoverage(space);

    expect([coverage.eligible, coverage.fresh]).toEqual([11, 0]);
  });

  it('counts a row without updated_at as fresh once it is embedded', async () => {
    await sql`UPDATE public.ai_items SET updated_at = NULL WHERE id = 1`.execute(db.kysely);
    await storeOutcome(db, space, { id: 1 });

    expect((await report.readCoverage(space)).fresh).toBe(1);
  });

  it('counts the leases of a run only while the run lives', async () => {
    const run = await db.beginRun();
    await storeLease(db, space, { id: 1, runId: run.runId });
    const during = await report.readCoverage(space);

    await run.end();
    const after = await report.readCoverage(space);

    expect([during.inFlight, after.inFlight]).toEqual([1, 0]);
  });

  it('is complete for an empty table', async () => {
    await sql`DELETE FROM public.ai_items`.execute(db.kysely);

    expect(await report.readCoverage(space)).toMatchObject({ eligible: 0, coveragePercent: 100 });
  });
});

describe('countHeldElsewhere', () => {
  it('counts stale rows that live runs and the pipeline have leased, without those of the asking run', async () => {
    const [mine, other, dead] = [await db.beginRun(), await db.beginRun(), await db.beginRun()];
    for (const id of [1, 2]) await storeLease(db, space, { id, runId: other.runId });
    await storeLease(db, space, { id: 3 });
    await storeLease(db, space, { id: 4, runId: mine.runId });
    await storeLease(db, space, { id: 5, runId: dead.runId });
    await storeLease(db, space, { id: 6, runId: other.runId, expiresIn: '-1 second' });
    await storeOutcome(db, space, { id: 2 });
    await storeLease(db, space, { id: 9999, runId: other.runId });
    await dead.end();

    expect(await report.countHeldElsewhere(space, mine.runId)).toEqual({
      byRuns: 1,
      byPipeline: 1,
      byBatches: 0,
    });
    await edit(2);
    expect(await report.countHeldElsewhere(space, mine.runId)).toEqual({
      byRuns: 2,
      byPipeline: 1,
      byBatches: 0,
    });
    expect(await report.countHeldElsewhere(space, other.runId)).toEqual({
      byRuns: 1,
      byPipeline: 1,
      byBatches: 0,
    });
    for (const run of [mine, other]) await run.end();
  });

  it('counts a row that was edited without a new version, until the run that has it is dead', async () => {
    const [mine, other] = [await db.beginRun(), await db.beginRun()];
    await storeOutcome(db, space, { id: 1 });
    await sql`UPDATE public.ai_items SET title = title || '!' WHERE id = 1`.execute(db.kysely);
    await storeLease(db, space, { id: 1, runId: other.runId });
    const during = await report.countHeldElsewhere(space, mine.runId);

    await other.end();
    const after = await report.countHeldElsewhere(space, mine.runId);

    expect([during.byRuns, after.byRuns]).toEqual([1, 0]);
    await mine.end();
  });
});

describe('readFailures', () => {
  it('groups failed rows by cause, most frequent first, with examples', async () => {
    for (const id of [10, 2, 3]) await storeOutcome(db, space, { id, outcome: 'refused:content' });
    await storeOutcome(db, space, { id: 4, outcome: 'undelivered' });
    await storeOutcome(db, space, { id: 5, outcome: 'too-long' });
    await storeOutcome(db, space, { id: 6, outcome: 'refused:edited' });
    for (const id of [7, 8]) await storeOutcome(db, space, { id, outcome: 'undelivered:http_503' });
    await edit(6);

    const groups = await report.readFailures(space, 2);

    expect(groups.map(({ lastAt, ...group }) => ({ ...group, dated: lastAt !== null }))).toEqual([
      { failureClass: 'item', code: 'content', rows: 3, exampleIds: ['2', '3'], dated: true },
      { failureClass: 'undelivered', code: 'http_503', rows: 2, exampleIds: ['7', '8'], dated: true },
      { failureClass: 'undelivered', code: 'undelivered', rows: 1, exampleIds: ['4'], dated: true },
    ]);
  });
});

describe('retryFailures', () => {
  beforeEach(async () => {
    await storeOutcome(db, space, { id: 1, outcome: 'refused:content', hash: 'aa' });
    await storeOutcome(db, space, { id: 2, outcome: 'refused:other', hash: 'bb' });
    await storeOutcome(db, space, { id: 3, outcome: 'undelivered' });
    await storeOutcome(db, space, { id: 4 });
    await storeOutcome(db, space, { id: 5, outcome: 'undelivered:http_503' });
    for (const hash of ['aa', 'bb']) {
      await sql`INSERT INTO freshet.failures (space_id, content_hash, failure_class, code)
        VALUES (${space.spaceId}, decode(${hash}, 'hex'), 'item', 'content')`.execute(db.kysely);
    }
  });

  async function leased(): Promise<string[]> {
    const rows = await sql<{ item_id: string }>`
      SELECT item_id FROM freshet.leases WHERE expires_at <= now() AND attempts = 0 ORDER BY 1`.execute(
      db.kysely,
    );
    return rows.rows.map(row => row.item_id);
  }

  it('makes all failed rows stale, forgets their verdicts and has the next pass find them', async () => {
    const rows = await report.retryFailures(space, {});

    expect(rows).toBe(4);
    expect(await report.readCoverage(space)).toMatchObject({ failed: 0, fresh: 1, stale: 11 });
    expect(await db.kysely.selectFrom('freshet.failures').selectAll().execute()).toEqual([]);
    expect(await leased()).toEqual(['1', '2', '3', '5']);
  });

  it.each([
    [{ cause: 'content' }, ['1']],
    [{ cause: 'item' }, ['1', '2']],
    [{ cause: 'undelivered' }, ['3', '5']],
    [{ cause: 'http' }, []],
    [{ itemId: '2' }, ['2']],
    [{ itemId: '4' }, []],
    [{ itemId: "2' OR true --" }, []],
    [{ cause: 'http_503' }, ['5']],
    [{ cause: 'undelivered', itemId: '5' }, ['5']],
  ])('retries only what %j names', async (filter, expected) => {
    const rows = await report.retryFailures(space, filter);

    expect(rows).toBe(expected.length);
    expect(await leased()).toEqual(expected);
  });

  it('forgets the attempts of a lease that expired, and leaves a live one', async () => {
    await storeLease(db, space, { id: 1, attempts: 5, expiresIn: '-1 second' });
    await storeLease(db, space, { id: 2, attempts: 3 });

    await report.retryFailures(space, {});

    expect(await leased()).toEqual(['1', '3', '5']);
    const live = await sql`SELECT attempts FROM freshet.leases WHERE item_id = '2'`.execute(db.kysely);
    expect(live.rows).toEqual([{ attempts: 3 }]);
  });
});

describe('readLedger', () => {
  it('adds up the calls and the grants that nobody settled for 15 minutes', async () => {
    await storeOutcome(db, space, { id: 1 });
    await sql`INSERT INTO freshet.ledger
      (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome)
      SELECT gen_random_uuid(), ${space.spaceId}, 'small', 'bulk', 10, 9, 100, 0.25, 5, 'ok'
        FROM generate_series(1, 2)`.execute(db.kysely);
    await sql`INSERT INTO freshet.grants
      (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd, granted_at)
      SELECT gen_random_uuid(), ${space.spaceId}, 'small', 10, 0.5, now() - age::interval
        FROM unnest(ARRAY['1 minute', '16 minutes']) AS age`.execute(db.kysely);

    const ledger = await report.readLedger(space);

    expect(ledger).toEqual({
      providerCalls: 2,
      tokens: 200,
      costUsd: 0.5,
      necessaryUsd: 0.5,
      paidAndLostCalls: 1,
      paidAndLostCostUsd: 0.5,
    });
  });

  it('is zero for a space that bought nothing', async () => {
    expect(await report.readLedger(space)).toEqual({
      providerCalls: 0,
      tokens: 0,
      costUsd: 0,
      necessaryUsd: 0,
      paidAndLostCalls: 0,
      paidAndLostCostUsd: 0,
    });
  });
});

describe('readRate', () => {
  it('takes the rows of the calls of the last five minutes, and of this space alone', async () => {
    await sql`INSERT INTO freshet.ledger
      (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome,
       recorded_at)
      SELECT gen_random_uuid(), ${space.spaceId}, 'small', 'bulk', c.items, 1, 1, 0, 5, c.outcome,
             now() - c.age::interval
        FROM (VALUES (300, 'ok', '1 minute'), (600, 'ok', '4 minutes'), (700, 'ok', '6 minutes'),
                     (800, 'failed', '1 minute')) AS c (items, outcome, age)`.execute(db.kysely);

    expect(await report.readRate(space)).toBe(3);
  });

  it('is zero for a space that bought nothing', async () => {
    expect(await report.readRate(space)).toBe(0);
  });
});

describe('the view', () => {
  it('serves a nearest-neighbour join from an HNSW index', async () => {
    await sql`INSERT INTO public.ai_items (id, title) SELECT n, 'x' FROM generate_series(100, 600) AS n`.execute(
      db.kysely,
    );
    await sql`INSERT INTO ${sql.id('freshet', space.vectorTable)} (item_id, outcome, read_at, embedding, embedded_at)
      SELECT id, 'embedded', now(), ARRAY[sin(id), cos(id), 0.1]::float4[]::vector, now() FROM public.ai_items`.execute(
      db.kysely,
    );
    await sql`CREATE INDEX ON ${sql.id('freshet', space.vectorTable)} USING hnsw (embedding vector_cosine_ops)`.execute(
      db.kysely,
    );

    const plan = await db.kysely.transaction().execute(async transaction => {
      await sql`SET LOCAL enable_seqscan = off`.execute(transaction);
      await sql`SET LOCAL enable_sort = off`.execute(transaction);
      return sql<Record<string, string>>`EXPLAIN SELECT i.title FROM public.ai_items i
        JOIN embeddings.ai_items e USING (id) ORDER BY e.embedding <=> '[1,0,0]' LIMIT 10`.execute(
        transaction,
      );
    });

    const lines = plan.rows.map(row => row['QUERY PLAN']).join('\n');
    expect(lines).toMatch(/Index Scan using vectors_\d+_embedding_idx/);
    expect(lines).not.toContain('Sort');
  });
});
