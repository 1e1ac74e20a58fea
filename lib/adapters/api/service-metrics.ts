import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ModelFlow } from '../../core/model-flow.ts';
import { RecentRequests } from '../../core/recent-requests.ts';
import { SEARCH_ADDRESSES } from '../../core/service-routes.ts';
import type { ServiceLoad, ServiceObserver } from '../../ports/embedding-service.ts';
import type { Coverage } from '../../ports/report-store.ts';
import type { ApiMetrics } from './create-app.ts';

/** How far the rows are embedded, as it was measured last; empty where no database can be asked. */
type ReadProgress = () => readonly Coverage[];

/** How the work of the models flows, as it was measured last. */
type ReadFlows = () => readonly ModelFlow[];

const MS_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

/** Addresses whose requests wait for a model or for the database. */
const AWAITED: readonly string[] = ['/v1/embed', '/v1/embeddings', ...SEARCH_ADDRESSES];
/** The service is full, ending, or too slow. */
const REFUSED = [429, 503, 504];

/**
 * Gathers the numbers of the service for `/metrics` and for the page.
 * Names with `te_` are those that servers of Text Embeddings Inference have, so that their
 * dashboards work here. Labels are aliases, routes, classes and codes of our own; a request gives
 * none of them.
 */
export function createServiceMetrics(
  readProgress: ReadProgress,
  readFlows: ReadFlows = () => [],
): ServiceObserver & ApiMetrics & { readonly readLoad: (atMs: number) => ServiceLoad } {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const model = ['model'] as const;
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gauge = (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, labelNames: readonly string[], buckets: number[]) =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets, registers });

  const requests = counter('te_request_count', 'Requests by route and status.', ['route', 'status']);
  const failures = counter('embed_fail_total', 'Requests that were not answered with vectors, by code.', [
    'code',
  ]);
  const latency = histogram(
    'embed_latency_ms',
    'Milliseconds of requests answered with vectors.',
    ['route'],
    MS_BUCKETS,
  );
  const batchSize = histogram('embed_batch_size', 'Texts per call of a provider.', model, SIZE_BUCKETS);
  const batchTokens = gauge('te_batch_next_tokens', 'Tokens of the last call.', model);
  const callMs = histogram('te_request_inference_duration_ms', 'Milliseconds of calls.', model, MS_BUCKETS);
  const waitMs = histogram('te_request_queue_duration_ms', 'Milliseconds in the queue.', model, MS_BUCKETS);
  const calls = counter('embed_provider_calls_total', 'Calls by outcome: ok, or the class of the failure.', [
    'model',
    'outcome',
  ]);
  const cost = counter('embed_cost_usd_total', 'US dollars of calls, by the price of the model.', model);
  const queueTexts = gauge('te_queue_size', 'Texts that wait.', model);
  const queueTokens = gauge('te_queue_tokens', 'Tokens that wait.', model);
  const underway = gauge('embed_calls_in_flight', 'Calls under way for clients and searches.', model);
  const p95 = gauge('embed_last_minute_p95_ms', 'Of requests answered in the last minute.', []);
  const lastRefused = gauge(
    'embed_last_minute_refused',
    'Requests of the last minute with 429, 503, 504.',
    [],
  );
  const dropped = counter('embed_dropped_total', 'Texts not computed because their client left.', model);
  const looked = counter('embed_cache_total', 'Texts by what the cache had: hit, joined or miss.', [
    'model',
    'result',
  ]);
  const progressLabels = ['source', 'model'];
  const percent = gauge('embedding_progress_percent', 'Rows that are embedded, of all.', progressLabels);
  const total = gauge('embedding_total_items', 'Rows of the source.', progressLabels);
  const pending = gauge('embedding_pending_items', 'Rows that are stale or on their way.', progressLabels);
  const errors = gauge('embedding_errors_total', 'Rows that failed, as they stand now.', progressLabels);

  const printFlow = flowGauges(gauge);
  const recent = new RecentRequests();
  const queues = new Map<string, ServiceLoad['queues'][number]>();

  return {
    readLoad: atMs => ({ queues: [...queues.values()], recent: recent.read(atMs) }),
    answered({ route, status, latencyMs, atMs }) {
      if (AWAITED.includes(route) && status === 200) recent.noteAnswered(atMs, latencyMs);
      if (AWAITED.includes(route) && REFUSED.includes(status)) recent.noteRefused(atMs);
      requests.inc({ route, status: String(status) });
      if (status === 200 && route.startsWith('/v1/embed')) latency.observe({ route }, latencyMs);
    },
    failed: code => failures.inc({ code }),
    looked(alias, { hits, joined, misses }) {
      looked.inc({ model: alias, result: 'hit' }, hits);
      looked.inc({ model: alias, result: 'joined' }, joined);
      looked.inc({ model: alias, result: 'miss' }, misses);
    },
    called(call) {
      const label = { model: call.model };
      batchSize.observe(label, call.texts);
      batchTokens.set(label, call.tokens);
      callMs.observe(label, call.latencyMs);
      waitMs.observe(label, call.waitedMs);
      calls.inc({ ...label, outcome: call.outcome });
    },
    billed: (alias, { costUsd }) => cost.inc({ model: alias }, costUsd),
    dropped: (alias, texts) => dropped.inc({ model: alias }, texts),
    queued(alias, { texts, tokens, calls: inFlight }) {
      queues.set(alias, { model: alias, texts, tokens, calls: inFlight });
      queueTexts.set({ model: alias }, texts);
      queueTokens.set({ model: alias }, tokens);
      underway.set({ model: alias }, inFlight);
    },
    async print(atMs) {
      const { p95Ms, refused } = recent.read(atMs);
      // What nobody asked for in the last minute took no time: no number says so.
      p95.set(p95Ms ?? Number.NaN);
      lastRefused.set(refused);
      for (const { source, model: alias, ...coverage } of readProgress()) {
        const labels = { source, model: alias };
        percent.set(labels, coverage.coveragePercent);
        total.set(labels, coverage.eligible);
        pending.set(labels, coverage.stale + coverage.inFlight);
        errors.set(labels, coverage.failed);
      }
      for (const flow of readFlows()) printFlow(flow);
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}

type MakeGauge = (name: string, help: string, labelNames: readonly string[]) => Gauge;

/** Makes the gauges of the limits, queues and batches of models; what is not known is not told. */
function flowGauges(gauge: MakeGauge): (flow: ModelFlow) => void {
  const model = ['model'];
  const limit = gauge('embedding_limit_per_minute', 'Limit that is obeyed, by unit.', ['model', 'unit']);
  const used = gauge('embedding_used_last_minute', 'Taken in the last minute, by unit.', ['model', 'unit']);
  const share = gauge('embedding_limit_share', 'Share of the limit that refusals for haste left.', model);
  const wait = gauge('embedding_provider_wait_seconds', 'Seconds that the provider wants no call.', model);
  const calls = gauge('embedding_calls_in_flight', 'Calls of rows under way.', model);
  const rows = gauge('embedding_queue_rows', 'Rows on their way, by lane.', ['model', 'lane', 'state']);
  const oldest = gauge('embedding_queue_oldest_seconds', 'Age of the row that waits longest.', [
    'model',
    'lane',
  ]);
  const batches = gauge('embedding_batches_open', 'Batches that the provider has not answered.', model);
  return flow => {
    const of = { model: flow.model };
    const { requestsPerMinute, tokensPerMinute } = flow.limits;
    if (requestsPerMinute !== null) limit.set({ ...of, unit: 'requests' }, requestsPerMinute);
    if (tokensPerMinute !== null) limit.set({ ...of, unit: 'tokens' }, tokensPerMinute);
    used.set({ ...of, unit: 'requests' }, flow.used.requests);
    used.set({ ...of, unit: 'tokens' }, flow.used.tokens);
    share.set(of, flow.share);
    wait.set(of, flow.waitSeconds);
    calls.set(of, flow.calls);
    batches.set(of, flow.batches?.open ?? 0);
    for (const lane of ['fresh', 'bulk']) {
      const queue = flow.queues.find(each => each.lane === lane);
      rows.set({ ...of, lane, state: 'waiting' }, queue?.waiting ?? 0);
      rows.set({ ...of, lane, state: 'announced' }, queue?.announced ?? 0);
      rows.set({ ...of, lane, state: 'batched' }, queue?.batched ?? 0);
      oldest.set({ ...of, lane }, queue?.oldestSeconds ?? 0);
    }
  };
}
