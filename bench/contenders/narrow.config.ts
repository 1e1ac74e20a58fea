import { defineConfig } from '../../lib/core/config/define-config.ts';

export default defineConfig({
  models: { narrow: { provider: 'openai', modelId: 'text-embedding-3-small', dimensions: 384 } },
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'] },
      model: 'narrow',
    },
  ],
});
