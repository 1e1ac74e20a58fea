import { defineConfig } from '../../lib/core/config/define-config.ts';

export default defineConfig({
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'] },
      model: 'text-embedding-3-small',
    },
  ],
});
