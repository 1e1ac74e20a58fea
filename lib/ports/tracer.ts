/**
 * Tells a tracing system what the pipeline does, span by span.
 * A span holds names of the configuration, ids, numbers and codes. It never holds text of a row, a
 * search or a provider's message, and no key.
 */
export interface Tracer {
  /**
   * Runs work within a span, which ends with the work.
   * Spans that begin meanwhile are its children. Work that rejects makes the span a failed one, by
   * the code of its error alone.
   */
  span<Result>(start: SpanStart, work: (span: OpenSpan) => Promise<Result>): Promise<Result>;
  /** The span that the caller runs in, to be sent along. Undefined: the caller runs in none. */
  current(): TraceContext | undefined;
  /** Sends what was recorded, for a process that ends or freezes. Never rejects. */
  flush(): Promise<void>;
}

/**
 * A span as it is named in another process: `traceparent` of W3C's Trace Context.
 * Whatever else comes with a message or a request counts as no context.
 */
export type TraceContext = string;

export interface SpanStart {
  readonly name: string;
  /** What the work is to others: it asks (`client`), answers, sends, or works off a message. */
  readonly kind: 'internal' | 'client' | 'server' | 'producer' | 'consumer';
  /** The span that asked for the work, of another process maybe. Undefined: the caller's. */
  readonly parent?: TraceContext | undefined;
  /** Further spans that the work is for. */
  readonly links?: readonly (TraceContext | undefined)[] | undefined;
  readonly attributes?: SpanAttributes | undefined;
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface OpenSpan {
  note(attributes: SpanAttributes): void;
  /** Makes the span a failed one, though its work goes on. `code` is a code of ours. */
  fail(code: string): void;
}
