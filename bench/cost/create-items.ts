import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import type { Tokenizer } from '../../lib/ports/provider.ts';
import type { WordnetRow } from '../apparatus/wordnet-rows.ts';

/** The table of the demo with WordNet's entries. Resolves with the tokens of the texts that are embedded. */
export async function createItems(
  { kysely }: SqlDatabase,
  rows: readonly WordnetRow[],
  tokenizer: Tokenizer,
): Promise<number> {
  await sql`CREATE TABLE public.ai_items (id bigint PRIMARY KEY, title text, summary text,
    updated_at timestamptz NOT NULL DEFAULT now())`.execute(kysely);
  const values = JSON.stringify(rows.map(({ title, summary }, index) => ({ id: index + 1, title, summary })));
  await sql`INSERT INTO public.ai_items (id, title, summary, updated_at)
    SELECT id, title, summary, now() - interval '1 day' + id * interval '1 second'
      FROM jsonb_to_recordset(${values}::jsonb) AS row (id bigint, title text, summary text)`.execute(kysely);
  let tokens = 0;
  for (const { title, summary } of rows) tokens += await tokenizer.count(`${title}\n${summary}`);
  return tokens;
}
