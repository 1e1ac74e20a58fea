import { createApp } from '../adapters/api/create-app.ts';
import { createItems } from '../adapters/api/item-routes.ts';
import { type Listener, listen } from '../adapters/api/listen.ts';
import { createPage } from '../adapters/api/page/page-routes.ts';
import { answerSearch } from '../adapters/api/search-answers.ts';
import { createSearchJobRoutes } from '../adapters/api/search-job-routes.ts';
import { createServiceMetrics } from '../adapters/api/service-metrics.ts';
import { createTokenCheck } from '../adapters/api/verify-tokens.ts';
import { openTracer } from '../adapters/open-tracer.ts';
import { createJsonLogger, createSystemClock, createSystemRandomness } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import { type ServiceSection, serviceSection } from '../core/config/service-schema.ts';
import { RESULT_DAYS } from '../core/documents.ts';
import { UsageError } from '../core/errors.ts';
import { isLoopbackHost } from '../core/providers.ts';
import { createNudgeGate } from '../pipeline/serve/nudge-gate.ts';
import { createQueryRecorder } from '../pipeline/serve/record-queries.ts';
import { createSearchJobs, forgetErased } from '../pipeline/serve/search-jobs.ts';
import { createEmbeddingService, type WarmableService } from '../pipeline/serve/serve-embeddings.ts';
import { warmUpModel } from '../pipeline/serve/warm-up.ts';
import { createRowsWatch } from '../pipeline/serve/watch-rows.ts';
import type { Clock, Logger } from '../ports/process.ts';
import type { EmbeddingProvider } from '../ports/provider.ts';
import { createLocalAccess, createProviders } from '../wiring/providers.ts';
import { type ServedRows, withServedRows } from '../wiring/served-rows.ts';
import { loadConfig, readEnvironment, type WorkspaceRequest } from '../wiring/workspace.ts';

interface ServeRequest extends WorkspaceRequest {
  /** Instead of those of the configuration. Port 0: any that is free. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Ends the service: requests in hand are answered first. */
  readonly signal: AbortSignal;
  readonly writeLog: (line: string) => void;
  readonly onListening: (served: Served) => void;
}

/** What is served, and how a person on this machine asks for it. */
interface Served {
  readonly url: string;
  readonly models: readonly string[];
  readonly asksForTokens: boolean;
}

/** The part of a request's time that it may expect to take where nothing else is configured. */
const QUEUE_SHARE = 3;
/** Requests in hand have this long after a signal; the process ends a second later. */
const GRACE_MS = 4000;
const CLOSE_MS = 500;
/** What the last requests cost has this long to reach the database. */
const RECORD_MS = 3000;

/**
 * Serves the models of the configuration over HTTP until `signal` aborts.
 * @throws UsageError before anything listens, where the service would be open to others without
 *   tokens, a key is missing, or the address is taken
 */
export async function serveLocally(request: ServeRequest): Promise<void> {
  const environment = readEnvironment();
  const loaded = await loadConfig(request.config, request.directory, environment.variables);
  const { config } = loaded;
  const section = config.service ?? serviceSection.parse({});
  const settings = { ...section, host: request.host ?? section.host, port: request.port ?? section.port };
  const allowedHosts = requireSafeAddress(settings);
  const verifyToken =
    settings.tokens && (await createTokenCheck(settings.tokens, environment.variables ?? {}));
  const clock = createSystemClock();
  const tracer = await openTracer(clock);
  const providers = await createProviders(config, createLocalAccess(environment), clock);
  await withServedRows({ request, loaded, environment, signal: request.signal }, clock, async rows => {
    const logger = createJsonLogger(request.writeLog, clock, { component: 'serve' });
    const metrics = createServiceMetrics(rows.readProgress, rows.readFlows);
    const randomness = createSystemRandomness();
    const queries = createQueryRecorder({ ledger: rows.queries, clock, randomness, logger });
    const service = createEmbeddingService(
      {
        ...{ providers, tokenizer: createTokenizer(), clock, randomness, observer: metrics },
        ...{ queries, tracer },
      },
      usedAliases(config).map(alias => config.models[alias]!),
      boundsOf(config, settings),
    );
    const { bodyBytes, requestsPerMinute } = settings.limits;
    const { operator } = rows;
    const sources = config.sources.map(({ name }) => name);
    const search = rows.serveSearch(service, tracer);
    const page = createPage(
      { rows: operator, watch: createRowsWatch(operator.ask, clock), search, logger, sources },
      { service, readLoad: metrics.readLoad, clock, verifyToken, maxBodyBytes: bodyBytes },
    );
    const nudge = { sources, nudge: createNudgeGate(operator.nudge, { clock, logger }) };
    const searchJobs = createSearchJobs({
      search: (...asked) => answerSearch({ search, logger }, ...asked),
      ...{ clock, randomness, logger, signal: request.signal },
      claimPaths: config.sources.flatMap(source => Object.values(source.search?.claims ?? {})),
    });
    const documents = forgetErased(rows.serveDocuments(nudge.nudge), searchJobs);
    // A deployed pipeline of the same configuration has result objects.
    const resultDays = config.aws === undefined ? undefined : RESULT_DAYS;
    const items = documents && createItems({ documents, logger }, { maxBodyBytes: bodyBytes, resultDays });
    const app = createApp(
      {
        ...{ service, clock, logger, verifyToken, metrics, search, items, page, nudge, tracer },
        searchJobs: createSearchJobRoutes(searchJobs, { maxBodyBytes: bodyBytes }),
      },
      { allowedHosts, maxBodyBytes: bodyBytes, requestsPerMinute },
    );
    const listener = await listen(app.fetch, { ...settings, maxConnections: settings.limits.connections });
    request.onListening({
      url: listener.url,
      models: service.models.map(({ alias }) => alias),
      asksForTokens: verifyToken !== undefined,
    });
    const recording = queries.writeUntil(request.signal, rows.queriesEveryMs);
    const warming = warmUp({ service, providers, rows, clock, logger }, config, request.signal);
    await untilAborted(request.signal);
    await endService(service, listener, clock);
    await queries.end(RECORD_MS);
    await Promise.all([warming, recording]);
    await tracer?.flush();
  });
}

/**
 * Refuses an address that others reach where no tokens are asked for.
 * Returns the names that requests may ask for.
 * @throws UsageError
 */
function requireSafeAddress({ host, tokens, allowedHosts }: ServiceSection): ReadonlySet<string> {
  const names = allowedHosts.map(name => URL.parse(`http://${name}`)?.hostname ?? '');
  const wrong = names.indexOf('');
  if (wrong >= 0)
    throw new UsageError(`service.allowedHosts[${wrong}]: expected a host such as embeddings.internal.`);
  if (isLoopbackHost(host)) return new Set(names);
  if (tokens === undefined)
    throw new UsageError(
      `The service would listen on ${host}, which others reach, and asks for no tokens.`,
      'Leave service.host out, or configure service.tokens: { issuer, audience, jwksUrl }.',
    );
  const isEveryAddress = /^(0\.0\.0\.0|\[?::\]?)$/.test(host);
  if (isEveryAddress && names.length === 0)
    throw new UsageError(
      `The service would listen on ${host}, and nothing says which Host its clients ask for.`,
      "Configure service.allowedHosts: ['embeddings.internal'], the names that clients use.",
    );
  const own = URL.parse(
    `http://${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}`,
  )?.hostname;
  return new Set(isEveryAddress || own === undefined ? names : [...names, own]);
}

function boundsOf({ limits }: PipelineConfig, { limits: own }: ServiceSection) {
  return {
    workers: limits.concurrency,
    maxTextsPerCall: limits.batchSize,
    maxTokensPerCall: own.batchTokens,
    queueTokens: own.queueTokens,
    queueMs: (own.queueSeconds ?? own.timeoutSeconds / QUEUE_SHARE) * 1000,
    cacheBytes: own.cacheBytes,
    deadlineMs: own.timeoutSeconds * 1000,
    callMs: Math.min(limits.timeoutSeconds, own.timeoutSeconds) * 1000,
  };
}

interface WarmUp {
  readonly service: WarmableService;
  readonly providers: ReadonlyMap<string, EmbeddingProvider>;
  readonly rows: ServedRows;
  readonly clock: Clock;
  readonly logger: Logger;
}

async function warmUp(warm: WarmUp, config: PipelineConfig, signal: AbortSignal): Promise<void> {
  const { service, providers, rows, clock, logger } = warm;
  const tokenizer = createTokenizer();
  await Promise.all(
    service.models.map(async model => {
      const deadlineMs = (model.timeoutSeconds ?? config.limits.timeoutSeconds) * 1000;
      const ports = { provider: providers.get(model.alias)!, tokenizer, golden: rows.golden, clock };
      await warmUpModel(ports, model, deadlineMs, {
        signal,
        found: (code, message) => {
          service.warmed(model.alias, code);
          if (code === undefined) logger.info('model-ready', { model: model.alias });
          else logger.warn('model-not-ready', { model: model.alias, code, reason: message });
        },
      });
    }),
  );
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Answers the requests in hand, refuses others meanwhile, and closes the connections. */
async function endService(service: WarmableService, listener: Listener, clock: Clock): Promise<void> {
  const drained = new AbortController();
  await Promise.race([service.drain(), clock.sleep(GRACE_MS, drained.signal)]);
  drained.abort('drained');
  await listener.close(CLOSE_MS);
}
