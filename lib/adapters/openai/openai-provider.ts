import type { OpenAI } from 'openai';
import { classifyProviderFailure } from '../../core/errors/classify-provider-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  EmbeddingLimits,
  EmbeddingProvider,
  EmbedReply,
  EmbedRequest,
} from '../../ports/embedding-provider.ts';
import { checkBaseUrl } from '../network/check-base-url.ts';
import { describeFailure, readRequestId } from './describe-failure.ts';
import { invalidReply, readEmbeddings } from './read-embeddings.ts';

/** OpenAI takes 2,048 texts and 300,000 tokens; our counts can differ from its own, and its replies must fit in memory. */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 2048,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 8 * 1024 * 1024,
  tokenization: 'local',
};

/**
 * Any endpoint that speaks OpenAI's embeddings API. An empty key sends no `authorization`. Throws `UsageError` for an address or key that
 * cannot be used. The package is loaded at the first call, so that a run without it never pays for it.
 */
export function createOpenAiProvider(
  model: ModelDefinition,
  access: { readonly apiKey: string; readonly baseUrl?: string | undefined },
  clock: Clock,
): EmbeddingProvider {
  const baseUrl = checkBaseUrl(access.baseUrl ?? model.baseUrl ?? 'https://api.openai.com/v1');
  if (!/^[\x21-\x7e]*$/.test(access.apiKey)) {
    throw new UsageError(
      'The API key holds a space, a line break or another character that no key has (OPENAI_API_KEY).',
    );
  }
  let loading: Promise<OpenAI> | undefined;
  const load = () => {
    loading ??= openClient(baseUrl, access.apiKey);
    return loading;
  };
  return {
    limits: LIMITS,
    async embed(request) {
      assertWithinLimits(request.texts);
      const client = await load();
      return withinDeadline(request, clock, signal =>
        callEndpoint(client, model, request.texts, signal, clock),
      );
    },
  };
}

/**
 * The package reads `OPENAI_*` variables for whatever it is not told, and adds `OPENAI_CUSTOM_HEADERS` to every request: so everything
 * is told, and the headers are ours. Redirects are shown, not followed: following one would carry the texts to another host.
 */
async function openClient(baseUrl: string, apiKey: string): Promise<OpenAI> {
  const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/json' };
  if (apiKey !== '') headers.authorization = `Bearer ${apiKey}`;
  const { OpenAI: Client } = await import('openai');
  try {
    return new Client({
      apiKey: apiKey === '' ? 'none' : apiKey,
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      baseURL: baseUrl,
      maxRetries: 0,
      logLevel: 'off',
      fetch: (url, init) => fetch(url, { ...init, headers, redirect: 'manual' }),
    });
  } catch {
    throw new FreshetError(
      'The openai client could not be made; OPENAI_CUSTOM_HEADERS may be malformed: unset it.',
      {
        failureClass: 'stop',
        code: 'client_setup',
      },
    );
  }
}

async function callEndpoint(
  client: OpenAI,
  model: ModelDefinition,
  texts: readonly string[],
  signal: AbortSignal,
  clock: Clock,
): Promise<EmbedReply> {
  try {
    const { data, response } = await client.embeddings
      .create(
        {
          model: model.modelId,
          input: texts as string[],
          encoding_format: 'base64',
          ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
        },
        { signal },
      )
      .withResponse();
    const requestId = readRequestId(response.headers);
    return { ...readEmbeddings(data, requestId), requestId };
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    if (error instanceof SyntaxError) throw invalidReply(undefined);
    throw classifyProviderFailure(describeFailure(error, clock.now()));
  }
}

/** The one deadline over headers and body. The package's own timers stay behind it at 10 minutes. */
async function withinDeadline(
  request: EmbedRequest,
  clock: Clock,
  call: (signal: AbortSignal) => Promise<EmbedReply>,
): Promise<EmbedReply> {
  const deadline = new AbortController();
  const answered = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
  void clock.sleep(request.deadlineMs, answered.signal).then(() => {
    if (!answered.signal.aborted) deadline.abort();
  });
  try {
    return await Promise.race([call(signal), rejectOnAbort(signal)]);
  } catch (error) {
    if (request.signal?.aborted)
      throw new FreshetError('The call was given up.', { failureClass: 'transient', code: 'aborted' });
    if (deadline.signal.aborted) throw classifyProviderFailure({ timedOut: true });
    throw error;
  } finally {
    answered.abort();
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(new Error('aborted'));
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

function assertWithinLimits(texts: readonly string[]): void {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (texts.length <= LIMITS.maxTextsPerCall && bytes <= LIMITS.maxBytesPerCall) return;
  throw new FreshetError(
    `A call of ${texts.length} texts and ${bytes} bytes is over the limits of ${LIMITS.maxTextsPerCall} and ${LIMITS.maxBytesPerCall}.`,
    { failureClass: 'too-large', code: 'over_call_limits' },
  );
}
