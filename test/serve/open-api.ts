import { expect } from 'vitest';
import { fromJSONSchema } from 'zod';
import { createApp } from '../../lib/adapters/api/create-app.ts';
import { describeApi } from '../../lib/adapters/api/describe-api.ts';
import { createPage } from '../../lib/adapters/api/page/page-routes.ts';
import { createServiceMetrics } from '../../lib/adapters/api/service-metrics.ts';
import type { VerifyToken } from '../../lib/adapters/api/verify-tokens.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { createTokenizer } from '../../lib/adapters/tokenizer.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import type { ModelFlow } from '../../lib/core/model-flow.ts';
import { ITEM_ROUTES, SEARCH_JOB_ROUTES, SERVICE_ROUTES } from '../../lib/core/service-routes.ts';
import { createQueryRecorder } from '../../lib/pipeline/serve/record-queries.ts';
import { createEmbeddingService, type ServiceBounds } from '../../lib/pipeline/serve/serve-embeddings.ts';
import { createRowsWatch } from '../../lib/pipeline/serve/watch-rows.ts';
import type { QueryEntry, QueryLedger } from '../../lib/ports/embedding-service.ts';
import type { Clock } from '../../lib/ports/process.ts';
import type { Coverage } from '../../lib/ports/report-store.ts';
import type { RowsOperator } from '../../lib/ports/rows-operator.ts';
import type { SearchService } from '../../lib/ports/search.ts';
import type { Tracer } from '../../lib/ports/tracer.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createScriptedProvider, DIMENSIONS, type ScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeModel } from '../factories/model-definition.ts';

export const BOUNDS: ServiceBounds = {
  workers: 1,
  maxTextsPerCall: 100,
  maxTokensPerCall: 8192,
  queueTokens: 1000,
  queueMs: 30_000,
  cacheBytes: 1_000_000,
  deadlineMs: 30_000,
  callMs: 30_000,
};

interface Settings {
  readonly provider?: ScriptedProvider;
  readonly models?: readonly ModelDefinition[];
  readonly bounds?: Partial<ServiceBounds>;
  readonly verifyToken?: VerifyToken;
  readonly clock?: Clock;
  readonly isWarm?: boolean;
  readonly maxBodyBytes?: number;
  readonly progress?: readonly Coverage[];
  readonly flows?: readonly ModelFlow[];
  /** Left out: there is no page. */
  readonly rows?: RowsOperator;
  /** Of the configuration. */
  readonly sources?: readonly string[];
  readonly search?: SearchService;
  readonly requestsPerMinute?: number;
  /** Left out: `entries` has what is entered. */
  readonly ledger?: QueryLedger;
  readonly tracer?: Tracer;
  readonly nudge?: Parameters<typeof createApp>[0]['nudge'];
}

const nothing = async (): Promise<never> => {
  throw new Error('Nobody searches here.');
};
const noSearch: SearchService = { search: nothing, explain: nothing };

/** The application as `freshet serve` makes it, in front of a scripted provider. */
export function openApi(settings: Settings = {}) {
  const {
    provider = createScriptedProvider(),
    models = [makeModel({ dimensions: DIMENSIONS })],
    clock = createSystemClock(),
    isWarm = true,
  } = settings;
  const { search = noSearch } = settings;
  const logger = createRecordingLogger();
  const { lines } = logger;
  const metrics = createServiceMetrics(
    () => settings.progress ?? [],
    () => settings.flows ?? [],
  );
  const randomness = { fraction: () => 0, identifier: () => 'id' };
  const entries: QueryEntry[] = [];
  const { ledger = { enter: async entered => void entries.push(...entered) } } = settings;
  const queries = createQueryRecorder({ ledger, clock, randomness, logger });
  const service = createEmbeddingService(
    {
      providers: new Map(models.map(model => [model.alias, provider])),
      ...{ tokenizer: createTokenizer(), clock, randomness, observer: metrics, queries },
      tracer: settings.tracer,
    },
    models,
    { ...BOUNDS, ...settings.bounds },
  );
  if (isWarm) for (const { alias } of models) service.warmed(alias, undefined);
  const { rows } = settings;
  const { verifyToken, maxBodyBytes = 2 * 1024 * 1024 } = settings;
  const watched = rows && {
    ...{
      rows,
      watch: createRowsWatch(rows.ask, clock),
      search,
      logger,
      sources: settings.sources ?? ['articles'],
    },
  };
  const page =
    watched && createPage(watched, { service, readLoad: metrics.readLoad, clock, verifyToken, maxBodyBytes });
  const app = createApp(
    {
      service,
      clock,
      logger,
      metrics,
      search,
      verifyToken,
      page,
      nudge: settings.nudge,
      tracer: settings.tracer,
    },
    {
      allowedHosts: new Set(['embeddings.internal']),
      maxBodyBytes,
      requestsPerMinute: settings.requestsPerMinute,
    },
  );
  const send = async (path: string, init: RequestInit = {}) => {
    const response = await Promise.race([app.request(`http://localhost${path}`, init), unanswered()]);
    const text = await response.text();
    expectDocumented(path, init.method ?? 'GET', response.status, text);
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  };
  const post = (
    path: string,
    body: unknown,
    init: { headers?: Record<string, string>; signal?: AbortSignal } = {},
  ) =>
    send(path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(init.signal && { signal: init.signal }),
      headers: { 'content-type': 'application/json', ...init.headers },
    });
  return { app, service, provider, lines, send, post, queries, entries };
}

/** Real time that a request or a call is given: what never comes fails an expectation, and no time limit. */
const PATIENCE_MS = 20_000;

/** Stands for the answer that never comes; no service answers so. */
async function unanswered(): Promise<Response> {
  await new Promise(resolve => setTimeout(resolve, PATIENCE_MS).unref());
  return new Response('no answer', { status: UNANSWERED });
}
const UNANSWERED = 599;

interface Documented {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
type Responses = Readonly<Record<string, { readonly content?: { 'application/json': { schema: object } } }>>;

const { paths, components } = describeApi({
  routes: { ...SERVICE_ROUTES, ...SEARCH_JOB_ROUTES, ...ITEM_ROUTES, '/v1/nudge': 'POST', '/metrics': 'GET' },
  tokens: 'for-v1',
  aliases: ['small'],
}) as Documented;

/** Every answer of an address that the document lists stands there, and has the shape that stands there. */
export function expectDocumented(path: string, method: string, status: number, text: string): void {
  const documented = Object.keys(paths).filter(each => isOfPattern(each, path));
  const [operation] = documented.flatMap(each => paths[each]?.[method.toLowerCase()] ?? []);
  // Nobody reads the answer to a client that left.
  if (operation === undefined || status === 499 || status === UNANSWERED) return;
  const answer = operation.responses[status];
  expect(answer, `${method} ${path} ${status}`).toBeDefined();
  const schema = answer?.content?.['application/json'].schema;
  if (schema === undefined) return;
  const json = JSON.stringify({ ...schema, $defs: components.schemas });
  const parsed = fromJSONSchema(JSON.parse(json.replaceAll('#/components/schemas/', '#/$defs/'))).safeParse(
    JSON.parse(text),
  );
  expect(parsed.error?.issues, `${method} ${path} ${status}`).toBeUndefined();
}

function isOfPattern(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path);
}

// biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer is said by what it expects.
function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A provider whose calls wait until they are let go, one after the other. */
export function createHeldProvider() {
  const held: (() => void)[] = [];
  /** Whether a call was waited for in vain; then no other one is. */
  let isIdle = false;
  const provider = createScriptedProvider();
  const { script } = provider;
  provider.script = async (request, call) => {
    await new Promise<void>(resolve => held.push(resolve));
    return script(request, call);
  };
  return {
    provider,
    /**
     * Lets the oldest call end, once there is one.
     * Where none comes, what the test expects of its answer says so.
     */
    async release() {
      const startedMs = performance.now();
      while (held.length === 0 && !isIdle) {
        isIdle = performance.now() - startedMs > PATIENCE_MS;
        await new Promise(resolve => setImmediate(resolve));
      }
      held.shift()?.();
      await settled();
    },
  };
}

/** Lets everything happen that waits for nothing else. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(resolve => setImmediate(resolve));
}
