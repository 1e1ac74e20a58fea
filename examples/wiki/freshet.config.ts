import { defineConfig } from 'freshet';

/** Two sources in one configuration (schema.sql): chunks of a wiki with a uuid key and a column without time zone, and `ai_items`. */
export default defineConfig({
  sources: [
    {
      name: 'wiki_chunks',
      table: 'public.wiki_chunks',
      key: 'chunk_id',
      updatedAt: 'modified_at',
      timeZone: 'UTC',
      text: { columns: ['page_title', 'heading', 'body'], template: '{page_title} – {heading}\n\n{body}' },
      model: 'text-embedding-3-small',
      overLimit: 'truncate',
    },
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'] },
      model: 'text-embedding-3-small',
    },
  ],
});
