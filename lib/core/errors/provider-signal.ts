/** What an adapter could read of a failure. Words are compared with known ones and never passed on: a server can echo anything there. */
export interface ProviderSignal {
  /** Whose words and statuses these are; undefined: OpenAI's. */
  readonly dialect?: Dialect | undefined;
  /** Of HTTP; for a model behind SageMaker, the one that its container answered (0: it answered nothing in time). */
  readonly status?: number | undefined;
  /** `error.code` and `error.type` of the body; TEI's `error_type` counts as a type. */
  readonly code?: string | undefined;
  readonly type?: string | undefined;
  readonly param?: string | undefined;
  /** Name of an exception of the AWS SDK, unless it only wraps what a container answered. */
  readonly exception?: string | undefined;
  /** What an exception's message was about, told by the few words of it that are known. */
  readonly about?: 'no_capacity' | 'endpoint_not_found' | 'payload_too_large' | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  /** Node's code of an error below HTTP, as `ECONNRESET`. */
  readonly networkCode?: string | undefined;
  readonly timedOut?: boolean | undefined;
  /** Header `x-should-retry`. */
  readonly shouldRetry?: boolean | undefined;
}

export type Dialect = 'openai' | 'embed-v1' | 'ollama' | 'tei';
