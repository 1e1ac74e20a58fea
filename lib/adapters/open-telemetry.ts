import type { Attributes, Context, Histogram, Link, Span, SpanContext } from '@opentelemetry/api';
import { FreshetError } from '../core/errors.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import type { Clock } from '../ports/process.ts';
import type { SpanAttributes, SpanStart, TraceContext, Tracer } from '../ports/tracer.ts';

type Api = typeof import('@opentelemetry/api');

const SCOPE = 'freshet';
const DURATION = 'gen_ai.client.embeddings.duration';
/** Upper bounds of the durations that are counted together, in seconds, as the conventions say. */
const DURATION_BOUNDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/** What the duration is told apart by. */
const DURATION_LABELS = [
  'gen_ai.operation.name',
  'gen_ai.provider.name',
  'gen_ai.request.model',
  'error.type',
];
/** Milliseconds that a flush waits for the exporter. */
const FLUSH_MS = 2_000;

/** Creates the tracer over the API, whose SDK is registered. */
export function createTracer(api: Api, clock: Clock): Tracer {
  const { context, metrics, trace } = api;
  const tracer = trace.getTracer(SCOPE);
  const durations = metrics.getMeter(SCOPE).createHistogram(DURATION, {
    ...{ unit: 's', description: 'Duration of a call for vectors.' },
    advice: { explicitBucketBoundaries: DURATION_BOUNDS },
  });
  return {
    async span(start, work) {
      const { parent, links } = placeSpan(api, start);
      const attributes = onlyKnown(start.attributes);
      const span = tracer.startSpan(
        start.name,
        { kind: api.SpanKind[KINDS[start.kind]], attributes, links },
        parent,
      );
      const startedMs = clock.now();
      const note = (more: SpanAttributes) => {
        const known = onlyKnown(more);
        Object.assign(attributes, known);
        span.setAttributes(known);
      };
      const fail = (code: string) => {
        note({ 'error.type': code });
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      };
      try {
        return await context.with(trace.setSpan(parent, span), () => work({ note, fail }));
      } catch (error) {
        fail(codeOf(error));
        throw error;
      } finally {
        span.end();
        measure(durations, attributes, (clock.now() - startedMs) / 1000);
      }
    },
    current: () => formatContext(api, trace.getSpan(context.active())),
    flush: () => flush(api, clock),
  };
}

const KINDS = {
  internal: 'INTERNAL',
  client: 'CLIENT',
  server: 'SERVER',
  producer: 'PRODUCER',
  consumer: 'CONSUMER',
} as const;

/**
 * Decides the parent of a span and what it is linked to.
 * Where the parent came with a message, the span that the caller runs in, as that of a Lambda
 * invocation, is linked. A request that something else already traces stays in that trace. A call
 * is for those who wait for it, whoever's end let it begin.
 */
function placeSpan({ context, trace }: Api, { kind, parent, links = [] }: SpanStart) {
  const active = context.active();
  const around = trace.getSpanContext(active);
  const given = parseContext(parent);
  const takesGiven = given !== undefined && !(kind === 'server' && around !== undefined);
  const linked = links.flatMap(link => parseContext(link) ?? []);
  const isOfOther = kind !== 'client' && around !== undefined && around.traceId !== given?.traceId;
  if (takesGiven && isOfOther) linked.push(around);
  return {
    parent: takesGiven ? trace.setSpanContext(active, given) : (active satisfies Context),
    links: linked.map((spanContext): Link => ({ context: spanContext })),
  };
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_ID = /^0+$/;

/** Parses W3C's `traceparent`; undefined where it is none. */
function parseContext(text: TraceContext | undefined): SpanContext | undefined {
  const [, traceId = '0', spanId = '0', flags = ''] = TRACEPARENT.exec(text ?? '') ?? [];
  if (NO_ID.test(traceId) || NO_ID.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

function formatContext(api: Api, span: Span | undefined): TraceContext | undefined {
  const found = span?.spanContext();
  if (found === undefined || !api.isSpanContextValid(found)) return undefined;
  return `00-${found.traceId}-${found.spanId}-0${found.traceFlags & 1}`;
}

function onlyKnown(attributes: SpanAttributes = {}): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** The code of an error of ours. Of any other nothing is said, as its message may hold a text. */
function codeOf(error: unknown): string {
  return error instanceof FreshetError || error instanceof ServiceRefusal ? error.code : '_OTHER';
}

function measure(durations: Histogram, attributes: Attributes, seconds: number): void {
  if (attributes['gen_ai.operation.name'] !== 'embeddings') return;
  const labels = DURATION_LABELS.filter(name => attributes[name] !== undefined);
  durations.record(Math.max(0, seconds), Object.fromEntries(labels.map(name => [name, attributes[name]])));
}

/** Sends what the registered SDK holds back, which the API itself has no word for. */
async function flush({ trace, metrics }: Api, clock: Clock): Promise<void> {
  const provider = trace.getTracerProvider() as { readonly getDelegate?: () => unknown };
  const delegates = [provider.getDelegate?.() ?? provider, metrics.getMeterProvider()] as readonly {
    readonly forceFlush?: () => Promise<void>;
  }[];
  const flushed = new AbortController();
  const sent = Promise.allSettled(delegates.map(async delegate => delegate.forceFlush?.()));
  await Promise.race([sent, clock.sleep(FLUSH_MS, flushed.signal)]);
  flushed.abort('flushed');
}
