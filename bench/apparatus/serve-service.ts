import { monitorEventLoopDelay } from 'node:perf_hooks';
import { listen } from '../../lib/adapters/api/listen.ts';
import { openLocalProvider } from '../../lib/adapters/providers/local.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';
import { createScriptedProvider, embedAll } from '../../test/doubles/scripted-provider.ts';
import { makeModel } from '../../test/factories/model-definition.ts';
import { describeRealModel, MODEL_FOLDER, runtimeFolder } from '../../test/local-model/real-model.ts';
import { openApi } from '../../test/serve/open-api.ts';
import { CALL_MS, percentile, type ServiceUsage, TEXT_MS } from '../serve-load.ts';
import { readChildrenCpuMs } from './measurement.ts';

/**
 * Serves a model to a bench, in a process of its own.
 * Arguments: texts per call, milliseconds that a request may expect to take, and `simulated` or
 * `local`. The model has one worker. The simulated one takes the same time on every machine; the
 * local one is in the folder that LOCAL_MODEL names. The script prints its URL and serves until it
 * is killed. `/usage` tells what the service used since it was asked last.
 */
const [maxTextsPerCall, queueMs] = process.argv.slice(2, 4).map(Number) as [number, number];
const isLocal = process.argv[4] === 'local';

async function openRealModel(): Promise<EmbeddingProvider> {
  const { models } = parseConfig({
    models: { small: describeRealModel() },
    sources: [{ name: 'notes', table: 'notes', text: { columns: ['title'] }, model: 'small' }],
  });
  const places = {
    ...{ hubUrl: 'http://localhost', cacheFolder: MODEL_FOLDER, directory: MODEL_FOLDER },
    runtimeFolders: [runtimeFolder('native')],
  };
  return openLocalProvider(models.small!, places, createSystemClock());
}

const simulated = createScriptedProvider(async request => {
  await new Promise(resolve => setTimeout(resolve, CALL_MS + request.texts.length * TEXT_MS));
  return embedAll(request);
});
const models = isLocal ? [makeModel({ dimensions: 384, usdPerMillionTokens: 0 })] : undefined;
const { app } = openApi({
  provider: isLocal ? { ...simulated, ...(await openRealModel()) } : simulated,
  ...(models && { models }),
  bounds: { maxTextsPerCall, queueTokens: 1_000_000, queueMs, cacheBytes: 0 },
});
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let answeredMs: number[] = [];
const readCpu = () => {
  const { user, system } = process.cpuUsage();
  const modelMs = isLocal ? readChildrenCpuMs(String(process.pid)) : 0;
  return { ownMs: (user + system) / 1000, modelMs };
};
let before = readCpu();

function tellUsage(): ServiceUsage {
  const now = readCpu();
  // The histogram counts the time between two of its own looks, which are this far apart.
  const pauseMs = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - 5);
  const usage = {
    ownCpuMs: now.ownMs - before.ownMs,
    modelCpuMs: now.modelMs - before.modelMs,
    pauseP99Ms: pauseMs(delay.percentile(99)),
    longestPauseMs: pauseMs(delay.max),
    answeredP99Ms: percentile(answeredMs, 0.99),
  };
  before = now;
  answeredMs = [];
  delay.reset();
  return usage;
}

async function answer(request: Request): Promise<Response> {
  if (request.url.endsWith('/usage')) return Response.json(tellUsage());
  const startedMs = performance.now();
  const response = await app.fetch(request);
  if (response.ok) answeredMs.push(performance.now() - startedMs);
  return response;
}

const { url } = await listen(answer, { host: '127.0.0.1', port: 0, maxConnections: 1000 });
process.stdout.write(`${url}\n`);
