import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { suggestNearest } from '../../core/config/describe-issues.ts';
import { describeUnexpected } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import {
  ITEM_ROUTES,
  NUDGE_ROUTES,
  REFUSED_ROUTES,
  SEARCH_ADDRESSES,
  SEARCH_JOB_ROUTES,
  SERVICE_ROUTES,
  SERVICE_SCOPES,
} from '../../core/service-routes.ts';
import { TenantQuota } from '../../core/tenant-quota.ts';
import type { EmbeddingService } from '../../ports/embedding-service.ts';
import type { Clock, Logger } from '../../ports/process.ts';
import type { SearchService } from '../../ports/search.ts';
import type { Tracer } from '../../ports/tracer.ts';
import { describeApi } from './describe-api.ts';
import { answerEmbeddings, answerModels, answerTexts } from './embed-answers.ts';
import { createRouteFinder, type Routes } from './find-route.ts';
import {
  readJson,
  requireHost,
  requireJsonWrite,
  requireOwnOrigin,
  requireQuota,
  requireScope,
} from './guard-requests.ts';
import { readBody, refuseField } from './read-body.ts';
import { embeddingsRequest, embedRequest, nudgeRequest, searchRequest } from './schemas.ts';
import { answerSearch, toCaller, toSearchRequest } from './search-answers.ts';
import { traceRequests } from './trace-requests.ts';
import type { TokenIdentity, VerifyToken } from './verify-tokens.ts';

/** What the application of the service works with. */
interface ApiPorts {
  readonly service: EmbeddingService;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: no tokens are configured, and every request is let in. */
  readonly verifyToken: VerifyToken | undefined;
  readonly metrics: ApiMetrics;
  readonly search: SearchService;
  /** Undefined: the configuration has no documents. */
  readonly items?: ApiItems | undefined;
  /** Undefined: nothing remembers a search once it is answered. */
  readonly searchJobs?: ApiItems | undefined;
  /** Undefined: there is no page. */
  readonly page?: ApiPage | undefined;
  /** Undefined: there are no runs that could be nudged. */
  readonly nudge?: NudgePort | undefined;
  /** Undefined: nobody traces. */
  readonly tracer?: Tracer | undefined;
}

/** Pages beside the addresses for programs. Whoever has none does not load them. */
export interface ApiPage {
  readonly routes: Routes;
  readonly mount: (app: Hono) => void;
}

/** Texts without a table. Whoever has none does not load what answers them. */
export interface ApiItems {
  readonly mount: (app: Hono, identify: (request: Request) => TokenIdentity | undefined) => void;
}

interface NudgePort {
  /** Names of the sources of the configuration. */
  readonly sources: readonly string[];
  /** Makes those look soon who embed the rows. */
  readonly nudge: () => void | Promise<void>;
}

/** The numbers of the requests, and the text of `/metrics`. */
export interface ApiMetrics {
  answered(answer: Answered): void;
  failed(code: string): void;
  /** Undefined: nobody comes to read the numbers, and there is no `/metrics`. */
  readonly print?: (atMs: number) => Promise<{ readonly text: string; readonly contentType: string }>;
}

interface Answered {
  readonly route: string;
  readonly status: number;
  readonly latencyMs: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

interface ApiSettings {
  /**
   * Names, beside those of the loopback address, that requests may ask for; in lower case.
   * Undefined: what stands in front lets nothing through that asks for another host.
   */
  readonly allowedHosts: ReadonlySet<string> | undefined;
  readonly maxBodyBytes: number;
  /** `everywhere`: what stands in front asks for a token at addresses outside of `/v1` as well. */
  readonly tokensElsewhere?: 'everywhere' | undefined;
  /** Numbers of the vectors of one answer, at most. Undefined: as many as are asked for. */
  readonly maxAnswerNumbers?: number | undefined;
  /** Requests of each tenant, with tokens. Undefined: as many as the queue takes. */
  readonly requestsPerMinute?: number | undefined;
}

const EMBEDDING_ROUTES = ['/v1/embed', '/v1/embeddings'];

/**
 * Makes the application of the embedding service, on whatever hosts it.
 * Every answer that is no success is an error object of OpenAI's shape, in our own words.
 */
export function createApp(ports: ApiPorts, settings: ApiSettings): Hono {
  const { service, clock, metrics, page, nudge, items, searchJobs } = ports;
  const routes: Routes = {
    ...SERVICE_ROUTES,
    ...(searchJobs !== undefined && SEARCH_JOB_ROUTES),
    ...(items !== undefined && ITEM_ROUTES),
    ...(nudge !== undefined && NUDGE_ROUTES),
    ...(metrics.print !== undefined && { '/metrics': 'GET' }),
    ...page?.routes,
  };
  const findRoute = createRouteFinder({ ...REFUSED_ROUTES, ...routes });
  const app = new Hono();
  app.use(async (context, next) => {
    const startedMs = clock.now();
    await next();
    const route = findRoute(context.req.path, context.req.method)?.route ?? 'other';
    const atMs = clock.now();
    const latencyMs = Math.max(0, atMs - startedMs);
    metrics.answered({ route, status: context.res.status, latencyMs, atMs });
  });
  if (ports.tracer !== undefined) app.use('/v1/*', traceRequests(ports.tracer, findRoute));
  app.onError((error, context) => refuse({ ...ports, findRoute }, error, context));
  app.use(async ({ req }, next) => {
    if (settings.allowedHosts !== undefined)
      requireHost(req.header('host') ?? new URL(req.url).host, settings.allowedHosts);
    const found = findRoute(req.path, req.method);
    if (found === undefined)
      throw new ServiceRefusal('not_found', 'There is no such address: GET /openapi.json lists them.');
    if (!found.methods.some(method => method === (req.method === 'HEAD' ? 'GET' : req.method)))
      throw new ServiceRefusal('method_not_allowed', `This address takes ${found.methods.join(', ')}.`);
    await next();
  });
  const identities = new WeakMap<Request, TokenIdentity>();
  const { requestsPerMinute } = settings;
  const quota = requestsPerMinute === undefined ? undefined : new TenantQuota(requestsPerMinute);
  app.use('/v1/*', async ({ req, env }, next) => {
    const identity = await requireToken(ports, req.header('authorization'), env);
    if (identity !== undefined) {
      requireScope(identity, SERVICE_SCOPES[findRoute(req.path, req.method)?.route ?? ''] ?? []);
      if (quota !== undefined) requireQuota(quota, identity, clock.now());
      identities.set(req.raw, identity);
    }
    if (req.method === 'POST') requireJsonWrite(req.raw.headers);
    if (req.method === 'DELETE') requireOwnOrigin(req.raw.headers);
    await next();
  });

  app.post('/v1/embed', async context => {
    const request = context.req.raw;
    const body = readBody(embedRequest, await readJson(request, settings.maxBodyBytes));
    const model = findModel(service.models, body.model);
    requireRoom(settings, model, body.texts.length);
    return context.json(await answerTexts(service, model, body, request.signal));
  });
  app.post('/v1/embeddings', async context => {
    const request = context.req.raw;
    const body = readBody(embeddingsRequest, await readJson(request, settings.maxBodyBytes));
    const model = findModel(service.models, body.model);
    requireRoom(settings, model, Array.isArray(body.input) ? body.input.length : 1);
    return context.json(await answerEmbeddings(service, model, body, request.signal));
  });
  app.on('POST', [...SEARCH_ADDRESSES], async context => {
    const request = context.req.raw;
    const body = readBody(searchRequest, await readJson(request, settings.maxBodyBytes));
    const caller = toCaller(identities.get(request));
    return context.json(await answerSearch(ports, toSearchRequest(body), caller, request.signal));
  });
  if (nudge !== undefined)
    app.post('/v1/nudge', async context => {
      const { source } = readBody(nudgeRequest, await readJson(context.req.raw, settings.maxBodyBytes));
      if (source !== undefined && !nudge.sources.includes(source))
        throw refuseField('source', `there is no such source${suggestNearest(source, nudge.sources)}`);
      await nudge.nudge();
      return context.json({ accepted: true });
    });
  app.get('/v1/models', context => context.json(answerModels(service.models)));
  app.get('/health', context => context.json({ status: 'ok' }));
  app.get('/ready', context => {
    const status = service.state();
    const models = service.readiness().map(({ code, ...model }) => ({ ...model, code: code ?? null }));
    return context.json({ status, models }, status === 'ready' ? 200 : 503);
  });
  const { print } = metrics;
  if (print !== undefined)
    app.get('/metrics', async context => {
      const { text, contentType } = await print(clock.now());
      return context.body(text, 200, { 'content-type': contentType });
    });
  app.get('/openapi.json', context => {
    const aliases = service.models.map(({ alias }) => alias);
    const tokens = ports.verifyToken === undefined ? 'nowhere' : (settings.tokensElsewhere ?? 'for-v1');
    return context.json(describeApi({ routes, tokens, aliases }));
  });
  // Asked first: it leaves ids that are of no search to the texts.
  (searchJobs ?? NO_SEARCH_JOBS).mount(app, request => identities.get(request));
  items?.mount(app, request => identities.get(request));
  page?.mount(app);
  app.notFound(() => {
    throw new ServiceRefusal('not_found', 'There is no such job.');
  });
  return app;
}

const ONLY_REMEMBERED =
  'Searches run as jobs on `freshet serve` alone, which remembers them: POST /v1/search answers here.';
/** Says where searches run as jobs, and what to ask here. */
const NO_SEARCH_JOBS: ApiItems = {
  mount: app =>
    void app.post('/v1/jobs/search', () => {
      throw new ServiceRefusal('not_found', ONLY_REMEMBERED);
    }),
};

function findModel(models: readonly ModelDefinition[], name: string): ModelDefinition {
  const found = models.find(({ alias }) => alias === name);
  if (found !== undefined) return found;
  const names = models.map(({ alias }) => alias);
  throw new ServiceRefusal(
    'model_not_found',
    `model: there is no such model${suggestNearest(name, names)} (known: ${names.join(', ')})`,
    { param: 'model' },
  );
}

async function requireToken(
  { verifyToken, logger }: ApiPorts,
  authorization: string | undefined,
  host: unknown,
): Promise<TokenIdentity | undefined> {
  const verified = await verifyToken?.(authorization, host);
  if (verified?.fault === undefined) return verified?.identity;
  const { fault } = verified;
  logger.warn('token-refused', { check: fault });
  if (fault === 'keys_unreachable')
    throw new ServiceRefusal('not_ready', 'The keys of tokens cannot be read now.', { retryAfterSeconds: 5 });
  throw new ServiceRefusal('unauthorized', 'The bearer token is missing or refused.');
}

/** Refuses vectors that do not fit into one answer, before they are bought. */
function requireRoom(
  { maxAnswerNumbers }: ApiSettings,
  { alias, dimensions }: ModelDefinition,
  texts: number,
): void {
  if (maxAnswerNumbers === undefined || texts * dimensions <= maxAnswerNumbers) return;
  throw new ServiceRefusal(
    'batch_too_large',
    `The request has ${texts} texts; of model "${alias}" at most ` +
      `${Math.floor(maxAnswerNumbers / dimensions)} fit into one answer here.`,
  );
}

/** Answers an error. What nobody foresaw is logged by its class and place, without its message. */
function refuse(
  { logger, metrics, findRoute }: ApiPorts & { readonly findRoute: ReturnType<typeof createRouteFinder> },
  error: unknown,
  context: Context,
): Response {
  const isForeseen = error instanceof ServiceRefusal;
  const refusal = isForeseen
    ? error
    : new ServiceRefusal('internal', 'The service failed; its log says where.');
  if (!isForeseen) logger.error('request-failed', { where: describeUnexpected(error) });
  else if (refusal.status >= 500)
    logger.warn('request-refused', { code: refusal.code, reason: refusal.message });
  const { path } = context.req;
  if (EMBEDDING_ROUTES.includes(path)) metrics.failed(refusal.code);
  const { code, message, type, retryAfterSeconds } = refusal;
  if (code === 'method_not_allowed')
    context.header('allow', findRoute(path, context.req.method)?.methods.join(', '));
  // Whoever refuses so has to say what is asked for (RFC 9110, section 15.5.2).
  if (code === 'unauthorized') context.header('www-authenticate', 'Bearer');
  if (retryAfterSeconds !== undefined) context.header('retry-after', String(retryAfterSeconds));
  const field = path === '/v1/embed' ? 'texts' : 'input';
  const param = nameParam(refusal.param, field);
  const status = refusal.status as ContentfulStatusCode;
  return context.json({ error: { code, message, type, param: param ?? null } }, status);
}

/** Names the text at fault, or '', all of them, as the field of the address is called. */
function nameParam(param: string | undefined, field: string): string | undefined {
  if (param === '') return field;
  return param !== undefined && /^\d+$/.test(param) ? `${field}[${param}]` : param;
}
