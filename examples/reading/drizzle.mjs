import { cosineDistance, eq, sql } from 'drizzle-orm';
import { alias, bigint, pgSchema, pgTable, text, vector } from 'drizzle-orm/pg-core';

/** Under another name, because drizzle names columns by the table alone, and the view has the same name. */
const items = alias(
  pgTable('ai_items', {
    id: bigint('id', { mode: 'bigint' }).primaryKey(),
    title: text('title').notNull(),
  }),
  'items',
);

/** The view of the source: declared as existing, because Freshet makes it and migrations of drizzle must not. */
const vectors = pgSchema('embeddings')
  .view('ai_items', {
    id: bigint('id', { mode: 'bigint' }),
    embedding: vector('embedding', { dimensions: 192 }),
  })
  .existing();

/** Finds the rows nearest to a vector with drizzle's own builder. */
export function nearestItems(db, query, limit) {
  const distance = cosineDistance(vectors.embedding, query);
  return db
    .select({ id: items.id, title: items.title, score: sql`1 - (${distance})`.mapWith(Number) })
    .from(vectors)
    .innerJoin(items, eq(items.id, vectors.id))
    .orderBy(distance)
    .limit(limit);
}
