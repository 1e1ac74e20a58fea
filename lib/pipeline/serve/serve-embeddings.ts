import type { ModelDefinition } from '../../core/model.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type {
  EmbeddingService,
  ModelReadiness,
  ServiceObserver,
  ServiceReply,
  ServiceRequest,
} from '../../ports/embedding-service.ts';
import type { Clock, Randomness } from '../../ports/process.ts';
import type { EmbeddingProvider, Tokenizer } from '../../ports/provider.ts';
import { inSpan, type TracedPorts } from '../spans.ts';
import { createModelCaller } from './call-model.ts';
import { EmbedQueue } from './embed-queue.ts';
import { prepareRequest } from './prepare-request.ts';
import type { QueryRecorder } from './record-queries.ts';
import { VectorCache } from './vector-cache.ts';

interface ServicePorts extends TracedPorts {
  readonly providers: ReadonlyMap<string, EmbeddingProvider>;
  readonly tokenizer: Tokenizer;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly observer: ServiceObserver;
  readonly queries: Pick<QueryRecorder, 'called'>;
}

/** Bounds of the service; those of each call are also the provider's. */
export interface ServiceBounds {
  /** Calls of each model at the same time. */
  readonly workers: number;
  readonly maxTextsPerCall: number;
  readonly maxTokensPerCall: number;
  /** Tokens that may wait for each model. */
  readonly queueTokens: number;
  /** Milliseconds that a request may expect to take, by the measured pace of its queue. */
  readonly queueMs: number;
  readonly cacheBytes: number;
  /** Milliseconds until a request is answered with `deadline`. */
  readonly deadlineMs: number;
  /** Milliseconds of one call of a model that says nothing else. */
  readonly callMs: number;
}

/** A service whose models are told when they are warm. */
export interface WarmableService extends EmbeddingService {
  /** Notes what a warm-up of a model found. `code` undefined: the model is ready. */
  warmed(alias: string, code: string | undefined): void;
}

interface Served {
  readonly model: ModelDefinition;
  readonly provider: EmbeddingProvider;
  readonly queue: EmbedQueue;
  ready: boolean;
  code: string | undefined;
}

const NOT_READY_SECONDS = 5;

/** Makes the service of models: the same models, prefixes and checks as those of the rows. */
export function createEmbeddingService(
  ports: ServicePorts,
  models: readonly ModelDefinition[],
  bounds: ServiceBounds,
): WarmableService {
  const cache = new VectorCache(bounds.cacheBytes);
  const served = new Map(models.map(model => [model.alias, serveModel(ports, model, bounds, cache)]));
  let isDraining = false;
  let requests = 0;
  let onIdle: (() => void) | undefined;

  const answer = async (request: ServiceRequest): Promise<ServiceReply> => {
    const found = served.get(request.model.alias)!;
    if (!found.ready)
      throw new ServiceRefusal('not_ready', `Model "${found.model.alias}" is not warm yet.`, {
        retryAfterSeconds: NOT_READY_SECONDS,
      });
    const { model, provider, queue } = found;
    const texts = await prepareRequest(request, model, provider.limits, ports.tokenizer);
    const vectors = await withinDeadline(ports.clock, bounds.deadlineMs, request.signal, signal =>
      queue.embed(texts, request.role === 'query' ? 'query' : 'document', signal),
    );
    return {
      model,
      vectors: vectors.map(({ bytes }) => bytes),
      tokens: vectors.reduce((sum, { tokens }) => sum + tokens, 0),
    };
  };

  return {
    models,
    state: () => {
      if (isDraining) return 'draining';
      return [...served.values()].every(({ ready }) => ready) ? 'ready' : 'warming';
    },
    readiness: () =>
      [...served.values()].map(
        ({ model, ready, code }): ModelReadiness => ({ model: model.alias, ready, code }),
      ),
    warmed(alias, code) {
      const found = served.get(alias)!;
      found.code = code;
      found.ready = code === undefined;
    },
    async embed(request) {
      if (isDraining)
        throw new ServiceRefusal('not_ready', 'The service is ending: ask again in a moment.', {
          retryAfterSeconds: NOT_READY_SECONDS,
        });
      requests += 1;
      const { alias } = request.model;
      const named = { 'freshet.model': alias, 'freshet.texts': request.texts.length };
      try {
        return await inSpan(ports, { name: `embed ${alias}`, kind: 'internal', attributes: named }, span =>
          answer(request).then(reply => {
            span.note({ 'freshet.tokens': reply.tokens });
            return reply;
          }),
        );
      } finally {
        requests -= 1;
        if (requests === 0) onIdle?.();
      }
    },
    drain() {
      isDraining = true;
      return new Promise(resolve => {
        if (requests === 0) resolve();
        else onIdle = resolve;
      });
    },
  };
}

function serveModel(
  ports: ServicePorts,
  model: ModelDefinition,
  bounds: ServiceBounds,
  cache: VectorCache,
): Served {
  const { clock, randomness, observer, queries, tracer } = ports;
  const provider = ports.providers.get(model.alias)!;
  const callMs = model.timeoutSeconds === undefined ? bounds.callMs : model.timeoutSeconds * 1000;
  const embedTexts = createModelCaller({ provider, clock, randomness, observer, queries }, model, callMs);
  const { limits } = provider;
  const queue = new EmbedQueue({ embedTexts, cache, clock, observer, tracer }, model, {
    workers: bounds.workers,
    maxTextsPerCall: Math.min(limits.maxTextsPerCall, bounds.maxTextsPerCall),
    maxTokensPerCall: Math.min(limits.maxTokensPerCall, bounds.maxTokensPerCall),
    maxBytesPerCall: limits.maxBytesPerCall,
    queueTokens: bounds.queueTokens,
    queueMs: bounds.queueMs,
  });
  return { model, provider, queue, ready: false, code: undefined };
}

/**
 * Runs work until the client leaves or the deadline passes.
 * @throws ServiceRefusal `client_left` or `deadline`, whatever the work says when it is given up
 */
async function withinDeadline<Result>(
  clock: Clock,
  deadlineMs: number,
  client: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const answered = new AbortController();
  void clock.sleep(deadlineMs, answered.signal).then(() => {
    if (!answered.signal.aborted) deadline.abort();
  });
  try {
    return await work(AbortSignal.any([client, deadline.signal]));
  } catch (error) {
    if (client.aborted) throw new ServiceRefusal('client_left', 'The client left.');
    if (deadline.signal.aborted)
      throw new ServiceRefusal('deadline', `The texts were not embedded within ${deadlineMs} ms.`);
    throw error;
  } finally {
    answered.abort('answered');
  }
}
