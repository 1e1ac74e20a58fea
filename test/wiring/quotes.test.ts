import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { readWordnetRows } from '../../bench/apparatus/wordnet-rows.ts';
import { arrayLiteral } from '../../lib/adapters/sql/fragments.ts';
import { createQuoteStore } from '../../lib/adapters/sql/quote-store.ts';
import type { SpaceQuote } from '../../lib/core/quote.ts';
import { createLocalAnswers, openSpaceList } from '../../lib/wiring/local-requests.ts';
import { prepareDatabase } from '../../lib/wiring/prepare.ts';
import { type LoopbackServer, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { openTestWorkspace } from './open-test-workspace.ts';

const USD_PER_MILLION = 1000;

let server: LoopbackServer;
let opened: Awaited<ReturnType<typeof openTestWorkspace>>;

beforeEach(async () => {
  // A real tokenizer bills; the quote estimates by lengths and by what was billed before.
  server = await startLoopbackOpenAiServer({ countTokens: text => countTokens(text) });
  opened = await openTestWorkspace({
    models: {
      billed: {
        ...{ provider: 'openai', modelId: 'billed', dimensions: 8, baseUrl: server.baseUrl },
        ...{ usdPerMillionTokens: USD_PER_MILLION, sendDimensions: true },
      },
    },
    // Two workers may buy the text that they meet at the same moment.
    limits: { concurrency: 1 },
    sources: [{ name: 'items', table: 'items', text: { columns: ['title', 'summary'] }, model: 'billed' }],
  });
  await sql`CREATE TABLE public.items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text,
    summary text, updated_at timestamptz NOT NULL DEFAULT now())`.execute(opened.database.kysely);
  return async () => {
    await opened.close();
    await server.close();
  };
});

/** Inserts rows of WordNet, every `every`-th with the text of an earlier one. */
async function insertRows(from: number, to: number): Promise<void> {
  const all = await readWordnetRows(to);
  const rows = all.slice(from).map((row, index) => (index % 10 < 3 ? all[Math.floor(index / 3)]! : row));
  await sql`INSERT INTO public.items (title, summary)
    SELECT * FROM unnest(${arrayLiteral(rows.map(({ title }) => title))}::text[],
                         ${arrayLiteral(rows.map(({ summary }) => summary))}::text[])`.execute(
    opened.database.kysely,
  );
}

async function quote(): Promise<SpaceQuote> {
  const answer = await createLocalAnswers(opened.workspace)({ request: 'quote' });
  return (answer as { quotes: SpaceQuote[] }).quotes[0]!;
}

describe('a quote', () => {
  test('is within five percent of the bill, with 30 % duplicates and half of the rows embedded before', async () => {
    await insertRows(0, 600);
    const before = await opened.run();
    await insertRows(600, 1_200);
    await sql`UPDATE public.items SET updated_at = now() WHERE id <= 100`.execute(opened.database.kysely);
    await sql`INSERT INTO public.items (title, summary) VALUES ('', NULL)`.execute(opened.database.kysely);

    const quoted = await quote();
    const callsBefore = server.textCount;
    const bill = await opened.run();

    expect(before.costUsd).toBeGreaterThan(0);
    expect(bill.costUsd / quoted.costUsd).toBeGreaterThan(0.95);
    expect(bill.costUsd / quoted.costUsd).toBeLessThan(1.05);
    expect(bill.costUsd).toBeGreaterThan(quoted.leastCostUsd);
    expect(bill.costUsd).toBeLessThan(quoted.mostCostUsd);
    expect(server.textCount - callsBefore).toBe(quoted.texts);
    expect(quoted).toMatchObject({ rows: 701, touched: 100, excluded: 1, sampledShare: 1 });
    expect(quoted.copied).toBeGreaterThan(150);
    expect(quoted.seconds).toBeGreaterThan(0);
  });

  test('buys and writes nothing, and names a range of a factor of two where nothing was billed yet', async () => {
    await insertRows(0, 300);
    await prepareDatabase(opened.workspace);

    const quoted = await quote();
    const again = await quote();
    const bill = await opened.run();

    expect(again).toEqual(quoted);
    expect(quoted).toMatchObject({ rows: 300, seconds: null });
    expect(quoted.leastCostUsd).toBeLessThan(bill.costUsd);
    expect(quoted.mostCostUsd).toBeGreaterThan(bill.costUsd);
    expect(server.textCount).toBe(quoted.texts);
  });

  test('takes the texts of a part whole: each text falls into one part with all of its rows', async () => {
    await insertRows(0, 600);
    await prepareDatabase(opened.workspace);
    const [space] = await openSpaceList(opened.workspace);
    const quotes = createQuoteStore(opened.database);

    const chosen = await quotes.listStaleRows(space!, 4);

    const { rows } = await sql<{ total: number; chosen: number }>`
      SELECT count(*)::int AS total, count(*) FILTER (WHERE id = ANY (${arrayLiteral(chosen)}::bigint[]))::int AS chosen
        FROM public.items GROUP BY title, summary`.execute(opened.database.kysely);
    expect(rows.filter(text => text.chosen !== 0 && text.chosen !== text.total)).toEqual([]);
    expect(rows.filter(text => text.chosen > 0).length / rows.length).toBeGreaterThan(0.15);
    expect(rows.filter(text => text.chosen > 0).length / rows.length).toBeLessThan(0.35);
    expect(rows.some(text => text.chosen > 1)).toBe(true);
  });

  test('before the tables of a source are made says how to make them, and not to run', async () => {
    await expect(quote()).rejects.toMatchObject({ remedy: expect.stringContaining('migrate') });
  });
});
