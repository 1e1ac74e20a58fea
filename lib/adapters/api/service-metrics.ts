import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ServiceObserver } from '../../ports/embedding-service.ts';
import type { Coverage } from '../../ports/report-store.ts';
import type { ApiMetrics } from './create-app.ts';

/** How far the rows are embedded, as it was measured last; empty where no database can be asked. */
type ReadProgress = () => readonly Coverage[];

const MS_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

/**
 * Gathers the numbers of the service for `/metrics`.
 * Names with `te_` are those that servers of Text Embeddings Inference have, so that their
 * dashboards work here. Labels are aliases, routes, classes and codes of our own; a request gives
 * none of them.
 */
export function createServiceMetrics(readProgress: ReadProgress): ServiceObserver & ApiMetrics {
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

  return {
    answered({ route, status, latencyMs }) {
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
    queued(alias, { texts, tokens }) {
      queueTexts.set({ model: alias }, texts);
      queueTokens.set({ model: alias }, tokens);
    },
    async print() {
      for (const { source, model: alias, ...coverage } of readProgress()) {
        const labels = { source, model: alias };
        percent.set(labels, coverage.coveragePercent);
        total.set(labels, coverage.eligible);
        pending.set(labels, coverage.stale + coverage.inFlight);
        errors.set(labels, coverage.failed);
      }
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}
