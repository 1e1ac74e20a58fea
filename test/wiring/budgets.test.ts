import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { type RunEnd, runLocally } from '../../lib/local/run-locally.ts';
import { type LoopbackServer, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { openTestWorkspace } from './open-test-workspace.ts';

const ROWS = 60;
/** A text of 40 characters is billed 10 tokens, estimated alike, and 10 texts make a call: $1. */
const USD_PER_CALL = 1;

let server: LoopbackServer;
let opened: Awaited<ReturnType<typeof openTestWorkspace>>;

const describeConfig = (budget: object) => ({
  models: {
    billed: {
      ...{ provider: 'openai' as const, modelId: 'billed', dimensions: 8, baseUrl: server.baseUrl },
      ...{ usdPerMillionTokens: 10_000, sendDimensions: true },
    },
  },
  sources: ['items', 'others'].map(name => ({
    ...{ name, table: `public.${name}`, text: { columns: ['title'] }, model: 'billed' },
  })),
  limits: { batchSize: 10, concurrency: 2 },
  budget,
});

beforeEach(async () => {
  server = await startLoopbackOpenAiServer();
  opened = await openTestWorkspace(describeConfig({}));
  for (const name of ['items', 'others']) {
    await sql`CREATE TABLE ${sql.id('public', name)} (id bigint PRIMARY KEY, title text,
      updated_at timestamptz NOT NULL DEFAULT now())`.execute(opened.database.kysely);
    await sql`INSERT INTO ${sql.id('public', name)} SELECT n, rpad(${name} || n, 40, 'x')
      FROM generate_series(1, ${ROWS}::int) AS n`.execute(opened.database.kysely);
  }
  return async () => {
    await opened.close();
    await server.close();
  };
});

/** Longer than a busy machine takes for a run: one that waits where it should stop takes as long. */
const MOST_WAIT_MS = 120_000;

function run(budget: object, maxUsd?: number): Promise<RunEnd> {
  const workspace = { ...opened.workspace, config: parseConfig(describeConfig(budget)) };
  return runLocally(workspace, {
    ...{ signal: new AbortController().signal, maxWaitMs: MOST_WAIT_MS, maxItems: undefined, maxUsd },
    ...{
      failureLog: undefined,
      onPrepared: () => undefined,
      onCounted: () => undefined,
      onProgress: () => undefined,
    },
    onWaiting: () => undefined,
  });
}

const freshRows = ({ result }: RunEnd) =>
  Object.fromEntries(result.spaces.map(({ source, fresh }) => [source, fresh]));

describe('a run', () => {
  test('stops at --max-usd with rows left and none failed, and the next run goes on', async () => {
    const first = await run({}, 3.5);
    const more = await run({}, 5.5);
    const second = await run({});

    expect(first.ending).toMatchObject({ kind: 'rows-left', exitCode: 5 });
    expect(first.ending.sentences[0]).toContain('--max-usd is 3.5');
    expect(first.result).toMatchObject({ failed: 0, costUsd: 3 * USD_PER_CALL });
    expect(first.result.durationMs).toBeLessThan(MOST_WAIT_MS);
    expect(more.ending).toMatchObject({ kind: 'rows-left', exitCode: 5 });
    expect(more.result).toMatchObject({ failed: 0, costUsd: 5 * USD_PER_CALL });
    expect(second.ending).toMatchObject({ kind: 'complete' });
    expect(second.result.costUsd).toBe(4 * USD_PER_CALL);
  });

  test('stops at the cap of a day, stays stopped, and goes on once the cap is raised', async () => {
    const first = await run({ usdPerDay: 4 });
    const callsBefore = server.callCount;
    const second = await run({ usdPerDay: 4 });
    const callsAfter = server.callCount;
    const third = await run({ usdPerDay: 40 });

    expect(first.ending).toMatchObject({ kind: 'rows-left', exitCode: 5 });
    expect(first.ending.sentences[0]).toContain('budget.usdPerDay is 4');
    expect(first.result.failed).toBe(0);
    // Two workers: each may go beyond by a call.
    expect(first.result.costUsd).toBeLessThanOrEqual(4 + 2 * USD_PER_CALL);
    expect(second.ending).toMatchObject({ kind: 'rows-left', exitCode: 5 });
    expect(callsAfter).toBe(callsBefore);
    expect(third.ending).toMatchObject({ kind: 'complete' });
    expect(first.result.costUsd + third.result.costUsd).toBe(12 * USD_PER_CALL);
  });

  test('goes on with other sources where the cap of one is reached', async () => {
    const end = await run({ perSource: { items: { usdPerDay: 2 } } });

    expect(end.ending).toMatchObject({ kind: 'rows-left', exitCode: 5 });
    expect(freshRows(end)).toMatchObject({ others: ROWS });
    expect(freshRows(end).items).toBeLessThanOrEqual(40);
    expect(end.result.failed).toBe(0);
  });
});

describe('what a person searches for', () => {
  const entries = async () =>
    (
      await sql<{ model: string; calls: number; tokens: number; usd: number }>`
        SELECT model_alias AS model, calls::int AS calls, tokens::int AS tokens, cost_usd AS usd
          FROM freshet.query_ledger`.execute(opened.database.kysely)
    ).rows;

  test('is entered at its price, and no row is', async () => {
    await run({});
    expect(await entries()).toEqual([]);

    await opened.search('a text of forty characters, or about it.', 'items');

    expect(await entries()).toEqual([{ model: 'billed', calls: 1, tokens: 10, usd: 0.1 }]);
  });

  test('is found where it cannot be entered', async () => {
    await run({});
    await sql`ALTER TABLE freshet.query_ledger RENAME TO taken_away`.execute(opened.database.kysely);

    const { hits } = await opened.search('a text of forty characters, or about it.', 'items');

    expect(hits.length).toBeGreaterThan(0);
  });
});

describe('the section `budget`', () => {
  test('refuses names that no source has, amounts that are none, and unknown keys', () => {
    expect(() => parseConfig(describeConfig({ perSource: { itms: { usdPerDay: 1 } } }))).toThrow(
      /budget\.perSource\.itms: "itms" is no source.*items/,
    );
    expect(() => parseConfig(describeConfig({ usdPerDay: 0 }))).toThrow(
      /budget\.usdPerDay: expected US dollars/,
    );
    expect(() => parseConfig(describeConfig({ usdPerWeek: 1 }))).toThrow(/budget\.usdPerWeek/);
  });
});
