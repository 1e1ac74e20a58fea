/** The counts of a real run. Durations are those of the machine that ran it. */
export interface CountedRun {
  readonly rows: number;
  /** Tokens of all rows together, counted by the model's tokenizer. */
  readonly tokens: number;
  readonly dimensions: number;
  readonly functions: Readonly<Record<RunFunction, CountedFunction>>;
  /** Milliseconds of a tick that finds nothing to do. */
  readonly idleMs: { readonly detect: number; readonly guard: number };
  readonly providerCalls: number;
  /** By SQS action: its requests, and the billed pieces of 64 KB. */
  readonly sqs: Readonly<Record<string, { readonly requests: number; readonly pieces: number }>>;
  readonly s3: Readonly<Record<'puts' | 'gets' | 'putBytes' | 'getBytes', number>>;
  readonly provider: Traffic;
  readonly database: Traffic;
  readonly queueTraffic: Traffic;
  readonly logBytes: number;
  /** Bytes of log that one idle tick writes. */
  readonly idleLogBytes: { readonly detect: number; readonly guard: number };
  /** Number of distinct pairs of a metric's name and its dimensions. */
  readonly metricSeries: number;
}

export type RunFunction = 'detect' | 'embed' | 'write';

/** The counts of one Lambda function over the run. */
export interface CountedFunction {
  readonly invocations: number;
  readonly memoryMb: number;
  /** Median duration of an invocation. The first invocation is left out. */
  readonly invocationMs: number;
  /**
   * Milliseconds of a cold start.
   * They are the time to load the function, and what its first invocation took beyond the later
   * ones.
   */
  readonly startMs: number;
  /** Execution environments that run at the same time, at most. Each pays one start. */
  readonly environments: number;
}

/** Bytes to and from one partner, as the functions see them. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}
