import { context, metrics, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';

/**
 * Registers the SDK of OpenTelemetry in this process, as a user does, and keeps what it exports.
 *
 * Spans wait in a batch until somebody flushes, as they do in production.
 */
export function recordSpans() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  metrics.setGlobalMeterProvider(meters);
  return {
    /** What was exported so far: nothing that was not flushed. */
    spans: (): readonly ReadableSpan[] => exporter.getFinishedSpans(),
    /** The metrics that were exported last, by their names. */
    metrics: () =>
      new Map(
        (measured.getMetrics().at(-1)?.scopeMetrics ?? [])
          .flatMap(scope => scope.metrics)
          .map(metric => [metric.descriptor.name, metric] as const),
      ),
    clear: () => exporter.reset(),
    stop: async () => {
      await Promise.all([provider.shutdown(), meters.shutdown()]);
      trace.disable();
      context.disable();
      metrics.disable();
    },
  };
}

/** A span in short, as tests compare it. */
export function shorten({ name, kind, attributes }: ReadableSpan) {
  return { name, kind: SpanKind[kind], attributes };
}

/** Finds the spans that led to a span, from the first one on. */
export function pathTo(spans: readonly ReadableSpan[], span: ReadableSpan): string[] {
  const parent = spans.find(each => each.spanContext().spanId === span.parentSpanContext?.spanId);
  return [...(parent === undefined ? [] : pathTo(spans, parent)), span.name];
}
