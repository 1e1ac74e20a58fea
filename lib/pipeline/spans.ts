import type { ModelDefinition } from '../core/model.ts';
import type { OpenSpan, SpanStart, Tracer } from '../ports/tracer.ts';

export interface TracedPorts {
  /** Undefined: nobody traces. */
  readonly tracer?: Tracer | undefined;
}

const UNTRACED: OpenSpan = { note: () => {}, fail: () => {} };

/** Runs work within a span where somebody traces, and as it is where nobody does. */
export function inSpan<Result>(
  { tracer }: TracedPorts,
  start: SpanStart,
  work: (span: OpenSpan) => Promise<Result>,
): Promise<Result> {
  return tracer === undefined ? work(UNTRACED) : tracer.span(start, work);
}

/**
 * Runs work that ends several traces at once, within one span for each of them.
 * Each span lies in its own trace, so that every trace shows the end of its work.
 */
export async function inSpans<Result>(
  { tracer }: TracedPorts,
  starts: readonly SpanStart[],
  work: () => Promise<Result>,
): Promise<Result> {
  const [first, ...others] = starts;
  if (tracer === undefined || first === undefined) return work();
  return tracer.span(first, () => inSpans({ tracer }, others, work));
}

/** Describes a provider's call for vectors, by OpenTelemetry's conventions for GenAI. */
export function describeCall(
  {
    alias,
    provider,
    modelId,
    dimensions,
  }: Pick<ModelDefinition, 'alias' | 'provider' | 'modelId' | 'dimensions'>,
  texts: number,
): SpanStart {
  return {
    name: `embeddings ${modelId}`,
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': modelId,
      'gen_ai.embeddings.dimension.count': dimensions,
      ...{ 'freshet.model': alias, 'freshet.texts': texts },
    },
  };
}
