import { defineConfig } from 'freshet';

/** `ai_items` (schema.sql) on your PostgreSQL, embedded by OpenAI. Needs DATABASE_URL and OPENAI_API_KEY. */
export default defineConfig({
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'], template: '{title}\n{summary}\nTags: {tags}' },
      model: 'text-embedding-3-small', // 1536 dimensions, $0.02 per million tokens
    },
  ],
  limits: { batchSize: 100, concurrency: 4, timeoutSeconds: 60 },
});
