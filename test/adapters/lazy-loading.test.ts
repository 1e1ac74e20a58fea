import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Runs in a process of its own: what is loaded there was loaded by these lines alone. */
const SCRIPT = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
  const { createOpenAiProvider } = await import('./lib/adapters/providers/openai.ts');
  const { createHashProvider } = await import('./lib/adapters/providers/hash.ts');
  const { openNetwork } = await import('./lib/adapters/network/open-network.ts');
  const { createOllamaProvider } = await import('./lib/adapters/providers/ollama.ts');
  const { createSageMakerProvider, openInvoker } = await import('./lib/adapters/providers/sagemaker.ts');
  const { createTokenizer } = await import('./lib/adapters/tokenizer.ts');
  const clock = { now: () => 0, sleep: async () => {} };
  createOpenAiProvider({ modelId: 'm', dimensions: 8 }, { key: async () => 'k' }, openNetwork(), clock);
  createOllamaProvider({ modelId: 'm', dimensions: 8 }, openNetwork(), clock);
  createSageMakerProvider({ modelId: 'm', dimensions: 8, endpointName: 'e' }, openInvoker(), clock);
  const tokenizer = createTokenizer();
  await createHashProvider({ dimensions: 8 }).embed({ texts: ['a'], deadlineMs: 1 });
  const packages = () => [...new Set(loaded.flatMap(url => url.match(/node_modules\\/([^/]+)/)?.[1] ?? []))];
  const before = packages();
  await tokenizer.count('a');
  console.log(JSON.stringify({ before, after: packages() }));
`;

it('loads the clients of providers and the tokenizer at their first use, not before', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    encoding: 'utf8',
  });

  expect(JSON.parse(output)).toEqual({ before: [], after: ['gpt-tokenizer'] });
});
