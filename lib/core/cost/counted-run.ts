/** What a real run took, as it was counted. Durations are those of the machine that ran it. */
export interface CountedRun {
  readonly rows: number;
  /** Of all rows, by the model's tokenizer. */
  readonly tokens: number;
  readonly dimensions: number;
  readonly functions: Readonly<Record<RunFunction, CountedFunction>>;
  /** A tick that finds nothing to do. */
  readonly idleMs: { readonly detect: number; readonly guard: number };
  readonly providerCalls: number;
  /** Action → its requests, and the pieces of 64 KB that are paid. */
  readonly sqs: Readonly<Record<string, { readonly requests: number; readonly pieces: number }>>;
  readonly s3: Readonly<Record<'puts' | 'gets' | 'putBytes' | 'getBytes', number>>;
  readonly provider: Traffic;
  readonly database: Traffic;
  readonly queueTraffic: Traffic;
  readonly logBytes: number;
  /** Of one idle tick. */
  readonly idleLogBytes: { readonly detect: number; readonly guard: number };
  /** Distinct pairs of a metric's name and its dimensions. */
  readonly metricSeries: number;
}

export type RunFunction = 'detect' | 'embed' | 'write';

export interface CountedFunction {
  readonly invocations: number;
  readonly memoryMb: number;
  /** The median of all but the first. */
  readonly invocationMs: number;
  /** Loading, and what the first invocation took beyond the others. */
  readonly startMs: number;
  /** At once, at most: each starts once. */
  readonly environments: number;
}

/** Bytes as the functions see them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}
