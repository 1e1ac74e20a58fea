import { createOpenAI } from '@ai-sdk/openai';
import { embedMany } from 'ai';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { bigint, pgTable, text, vector } from 'drizzle-orm/pg-core';
import pg from 'pg';

/**
 * Embeds every row as the guides of the AI SDK show it: `embedMany`, and an upsert by drizzle.
 *
 * It reads all rows, keeps no note of what was embedded before and holds no lease. The environment
 * names the database and the provider.
 */
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const db = drizzle(pool);
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });
const model = openai.textEmbeddingModel('text-embedding-3-small');

await pool.query(`CREATE TABLE embeddings
  (item_id bigint PRIMARY KEY, content text NOT NULL, embedding vector(1536) NOT NULL)`);
const embeddings = pgTable('embeddings', {
  itemId: bigint('item_id', { mode: 'number' }).primaryKey(),
  content: text('content').notNull(),
  embedding: vector('embedding', { dimensions: 1536 }).notNull(),
});

const { rows } = await pool.query('SELECT id, title, summary, tags FROM ai_items');
for (let begin = 0; begin < rows.length; begin += 100) {
  const batch = rows.slice(begin, begin + 100);
  const values = batch.map(row => [row.title, row.summary, row.tags.join(', ')].filter(Boolean).join('\n'));
  const reply = await embedMany({ model, values });
  await db
    .insert(embeddings)
    .values(
      batch.map((row, place) => ({
        itemId: Number(row.id),
        content: values[place],
        embedding: reply.embeddings[place],
      })),
    )
    .onConflictDoUpdate({
      target: embeddings.itemId,
      set: { content: sql`excluded.content`, embedding: sql`excluded.embedding` },
    });
}
await pool.end();
