import { listen } from '../../lib/adapters/api/listen.ts';
import { estimateTokens } from '../../lib/core/packing.ts';
import { createScriptedProvider, embedAll } from '../../test/doubles/scripted-provider.ts';
import { openApi } from '../../test/serve/open-api.ts';
import { CALL_MS, QUEUED_TEXTS, TEXT, TEXT_MS } from '../serve-load.ts';

/**
 * Serves a simulated model to a bench, in a process of its own.
 * Argument: texts per call. The model has one worker, and takes the same time on every machine. The
 * script prints its URL and serves until it is killed.
 */
const maxTextsPerCall = Number(process.argv[2]);
const provider = createScriptedProvider(async request => {
  await new Promise(resolve => setTimeout(resolve, CALL_MS + request.texts.length * TEXT_MS));
  return embedAll(request);
});
const queueTokens = QUEUED_TEXTS * estimateTokens(TEXT);
const { app } = openApi({ provider, bounds: { maxTextsPerCall, queueTokens, cacheBytes: 0 } });
const { url } = await listen(app.fetch, { host: '127.0.0.1', port: 0, maxConnections: 1000 });
process.stdout.write(`${url}\n`);
