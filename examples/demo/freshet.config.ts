import { defineConfig } from '../../lib/core/config/define-config.ts';

/** What `npm start` runs when the current folder has no `freshet.config.ts`: an embedded database with a sample of WordNet. */
export default defineConfig({
  sources: [
    {
      name: 'ai_items',
      table: 'public.ai_items',
      updatedAt: 'updated_at',
      text: { columns: ['title', 'summary', 'tags'] },
      // 'openai': OpenAI's text-embedding-3-small, with OPENAI_API_KEY set. 'ollama': nomic-embed-text on this machine.
      model: 'hash',
    },
  ],
});
