import { FreshetError } from '../../core/errors.ts';
import type { InputRole, ModelDefinition } from '../../core/model.ts';
import { classifyProviderFailure } from '../../core/provider-failures.ts';
import { PROVIDERS, type ProviderName } from '../../core/providers.ts';
import { parseRateHeaders } from '../../core/rate.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply, KeySource } from '../../ports/provider.ts';
import { type JsonAnswer, type JsonRequest, readRequestId, rejectErrorBody } from '../network/post-json.ts';

/** What one provider that answers JSON adds to the order of a call. */
interface JsonApi<Answer extends JsonAnswer = JsonAnswer> {
  readonly dialect: ProviderName;
  readonly limits: EmbeddingLimits;
  /** Undefined, or a source of an empty key: no token is sent. */
  readonly key?: KeySource | undefined;
  composeBody(texts: readonly string[], role: InputRole): object;
  /** Sends one request. A rejection with anything but `FreshetError` counts as unclassified. */
  send(request: JsonRequest): Promise<Answer>;
  /** Undefined: the object is no list of embeddings. */
  readReply(
    json: Readonly<Record<string, unknown>>,
    answer: Answer,
  ): Omit<EmbedReply, 'requestId'> | undefined;
  /** Adds to a failure what a person can do. Undefined: nothing is added. */
  addRemedy?(error: FreshetError): FreshetError;
}

/**
 * Makes a provider of an API that takes and answers JSON: the one order of such a call.
 * Check the limits, build the body, start the deadline, read the key, send, refuse an answer that
 * says it is an error, read the vectors. The pipeline validates what comes back.
 */
export function createJsonProvider<Answer extends JsonAnswer>(
  model: Pick<ModelDefinition, 'dimensions'>,
  api: JsonApi<Answer>,
  clock: Clock,
): EmbeddingProvider {
  const { dialect, limits } = api;
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      if (texts.length === 0) return { items: [], tokens: undefined, requestId: undefined };
      assertWithinLimits(texts, limits);
      const body = api.composeBody(texts, request.role ?? 'document');
      const call = {
        body,
        parameters: Object.keys(body).filter(name => PROVIDERS[dialect].fields[name] !== 'texts'),
        maxAnswerBytes: boundAnswer(texts, model),
        dialect,
        nowMs: clock.now,
      };
      return withinDeadline(request, clock, signal =>
        callWithKey(api.key, key => callOnce(api, { ...call, key, signal })),
      );
    },
  };
}

async function callOnce<Answer extends JsonAnswer>(
  api: JsonApi<Answer>,
  request: JsonRequest,
): Promise<EmbedReply> {
  try {
    const answer = await api.send(request);
    rejectErrorBody(answer, request.dialect, request.nowMs());
    const { json } = answer;
    const requestId = readRequestId(answer.headers);
    const reply =
      typeof json === 'object' && json !== null
        ? api.readReply(json as Readonly<Record<string, unknown>>, answer)
        : undefined;
    if (reply === undefined) throw invalidReply(requestId);
    const rateLimits = parseRateHeaders(name => answer.headers.get(name));
    return { ...reply, requestId, ...(rateLimits && { rateLimits }) };
  } catch (error) {
    if (!(error instanceof FreshetError)) throw classifyProviderFailure({});
    throw api.addRemedy?.(error) ?? error;
  }
}

/**
 * Chooses the limits of a model: what its definition says, else `defaults`.
 * The limits are never more than `maximum`, which is all that the adapter can take.
 */
export function chooseLimits(
  maximum: EmbeddingLimits,
  { limits }: Pick<ModelDefinition, 'limits'>,
  defaults: EmbeddingLimits = maximum,
): EmbeddingLimits {
  const choose = (name: 'maxTextsPerCall' | 'maxTokensPerCall' | 'maxBytesPerCall') =>
    Math.min(maximum[name], limits?.[name] ?? defaults[name]);
  return {
    tokenization: maximum.tokenization,
    maxTextsPerCall: choose('maxTextsPerCall'),
    maxTokensPerCall: choose('maxTokensPerCall'),
    maxBytesPerCall: choose('maxBytesPerCall'),
  };
}

/** Reads the tokens of a reply. Undefined, not 0, where a server counts none: they cost. */
export function readTokens(tokens: unknown): number | undefined {
  return typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined;
}

/** Reads the name of the model in a reply. Undefined: the reply names none. */
export function readModelName(model: unknown): string | undefined {
  return typeof model === 'string' ? model : undefined;
}

/** Makes the failure of a reply that cannot be read, in our own words only. */
export function invalidReply(requestId: string | undefined): FreshetError {
  return new FreshetError(
    'The provider answered something that is no list of embeddings. Where it always does, check baseUrl, ' +
      'and that provider names the protocol of the server.',
    { failureClass: 'transient', code: 'invalid_reply', requestId },
  );
}

/**
 * Refuses a call over the limits or with an empty text, which the pipeline packs by mistake.
 * For an empty text servers refuse the whole call or answer fewer vectors.
 * @throws FreshetError of class `too-large` or `item`
 */
export function assertWithinLimits(texts: readonly string[], limits: EmbeddingLimits): void {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (texts.length > limits.maxTextsPerCall || bytes > limits.maxBytesPerCall) {
    throw new FreshetError(
      `A call of ${texts.length} texts and ${bytes} bytes is over the limits ` +
        `of ${limits.maxTextsPerCall} and ${limits.maxBytesPerCall}.`,
      { failureClass: 'too-large', code: 'over_call_limits' },
    );
  }
  if (texts.includes('')) {
    throw new FreshetError('An empty text has no embedding.', { failureClass: 'item', code: 'empty_text' });
  }
}

/** A float in JSON takes up to 24 characters, its comma included. */
const BYTES_PER_FLOAT = 24;
/** Vectors of a wrong model must be read too, so that the error can name their dimensions. */
const LEAST_DIMENSIONS = 4096;
const ENVELOPE_BYTES = 1024 * 1024;

/** Computes a number of bytes that no right answer to these texts has. */
function boundAnswer(texts: readonly string[], model: Pick<ModelDefinition, 'dimensions'>): number {
  return ENVELOPE_BYTES + texts.length * Math.max(model.dimensions, LEAST_DIMENSIONS) * BYTES_PER_FLOAT;
}

/**
 * Calls with the key of `source`, or with an empty key where there is no source.
 * A refused key may have been rotated meanwhile. The key is therefore read once more, past every
 * cache, and the call is made again if the key has changed. The second refusal is the answer.
 * @throws FreshetError also for a key that cannot be read, or that no header can carry
 */
export async function callWithKey<Answer>(
  source: KeySource | undefined,
  call: (key: string) => Promise<Answer>,
): Promise<Answer> {
  if (source === undefined) return call('');
  const key = await readKey(source, { fresh: false });
  try {
    return await call(key);
  } catch (error) {
    if (!(error instanceof FreshetError && error.code === 'unauthorized')) throw error;
    const rotated = await readKey(source, { fresh: true });
    if (rotated === key) throw error;
    return call(rotated);
  }
}

async function readKey(source: KeySource, options: { readonly fresh: boolean }): Promise<string> {
  let key: string;
  try {
    key = await source(options);
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw new FreshetError("The model's key could not be read.", {
      failureClass: 'unknown',
      code: 'key_unreadable',
    });
  }
  if (/^[\x21-\x7e]*$/.test(key)) return key;
  throw new FreshetError(
    "The model's key holds a space, a line break or another character that no header can carry: " +
      'store it without.',
    { failureClass: 'stop', code: 'malformed_key' },
  );
}

/** Without a reason of its own, each abort makes an error with a stack that nobody reads. */
const ANSWERED = 'answered';

/**
 * Runs a call under one deadline.
 * The deadline covers connecting, headers, body, and a second try with a fresh key.
 * The timers of clients are longer, so that this deadline ends a call first.
 * @throws FreshetError `aborted` where the caller gave up, `timeout` where the deadline passed, and
 * otherwise whatever `call` throws
 */
export async function withinDeadline<Answer>(
  request: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  clock: Clock,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const deadline = new AbortController();
  const answered = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
  void clock.sleep(request.deadlineMs, answered.signal).then(() => {
    if (!answered.signal.aborted) deadline.abort();
  });
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(new Error('aborted'));
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([call(signal), ended]);
  } catch (error) {
    if (request.signal?.aborted)
      throw new FreshetError('The call was given up.', { failureClass: 'transient', code: 'aborted' });
    if (deadline.signal.aborted) throw classifyProviderFailure({ timedOut: true });
    throw error;
  } finally {
    // A signal that depends on others is kept for as long as it has a listener, and with it the
    // answer: until the process ends.
    signal.removeEventListener('abort', end);
    answered.abort(ANSWERED);
  }
}
