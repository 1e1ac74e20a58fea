import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { readWordnetRows } from '../../bench/apparatus/wordnet-rows.ts';
import { arrayLiteral } from '../../lib/adapters/sql/fragments.ts';
import type { SpaceQuote } from '../../lib/core/quote.ts';
import { createLocalAnswers } from '../../lib/wiring/local-requests.ts';
import { startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { openTestWorkspace } from '../wiring/open-test-workspace.ts';

const ROWS = 20_000;
const USD_PER_MILLION = 1_000;

test('20,000 rows, 30 % of them duplicates, half embedded before, are billed within 5 % of their quote', async () => {
  // A real tokenizer bills; the quote estimates by lengths and by what was billed before.
  const server = await startLoopbackOpenAiServer({ countTokens: text => countTokens(text) });
  const opened = await openTestWorkspace({
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
  const { kysely } = opened.database;
  try {
    await sql`CREATE TABLE public.items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text,
      summary text, updated_at timestamptz NOT NULL DEFAULT now())`.execute(kysely);
    const all = await readWordnetRows(ROWS);
    // The duplicates of the second half are of both halves, so that some are copied, some bought once.
    const rows = all.map((row, place) => (place % 10 < 3 ? all[Math.floor((place * 7) / 10)]! : row));
    const insert = async (part: typeof rows) => {
      await sql`INSERT INTO public.items (title, summary)
        SELECT * FROM unnest(${arrayLiteral(part.map(({ title }) => title))}::text[],
                             ${arrayLiteral(part.map(({ summary }) => summary))}::text[])`.execute(kysely);
    };

    await insert(rows.slice(0, ROWS / 2));
    await opened.run();
    await insert(rows.slice(ROWS / 2));
    const answer = await createLocalAnswers(opened.workspace)({ request: 'quote' });
    const quoted = (answer as { quotes: SpaceQuote[] }).quotes[0]!;
    const textsBefore = server.textCount;
    const bill = await opened.run();
    const share = bill.costUsd / quoted.costUsd;
    process.stderr.write(
      `${quoted.rows} rows = ${quoted.texts} texts + ${quoted.duplicates} duplicates + ${quoted.copied} copies; ` +
        `quoted ${quoted.tokens} tokens, billed ${bill.tokens}: ${(100 * (share - 1)).toFixed(2)} %\n`,
    );

    expect(quoted.rows).toBe(ROWS / 2);
    expect(quoted.duplicates + quoted.copied).toBeGreaterThan(0.2 * quoted.rows);
    expect(server.textCount - textsBefore).toBe(quoted.texts);
    expect(share).toBeGreaterThan(0.95);
    expect(share).toBeLessThan(1.05);
    expect(bill.costUsd).toBeGreaterThan(quoted.leastCostUsd);
    expect(bill.costUsd).toBeLessThan(quoted.mostCostUsd);
  } finally {
    await opened.close();
    await server.close();
  }
}, 240_000);
