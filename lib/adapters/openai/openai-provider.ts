import type { OpenAI } from 'openai';
import { classifyProviderFailure } from '../../core/errors/classify-provider-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  EmbeddingLimits,
  EmbeddingProvider,
  EmbedReply,
  KeySource,
} from '../../ports/embedding-provider.ts';
import { assertWithinLimits, boundAnswer, chooseLimits } from '../network/call-limits.ts';
import { callWithKey } from '../network/call-with-key.ts';
import { checkBaseUrl } from '../network/check-base-url.ts';
import { readRequestId } from '../network/describe-answer.ts';
import type { Network } from '../network/open-network.ts';
import { rejectErrorBody } from '../network/post-json.ts';
import { invalidReply } from '../network/read-vectors.ts';
import { withinDeadline } from '../network/within-deadline.ts';
import { describeFailure } from './describe-failure.ts';
import { openClient, type PostOptions } from './open-client.ts';
import { readEmbeddings } from './read-embeddings.ts';
import type { TakenVectors } from './take-vectors.ts';

/** OpenAI takes 2,048 texts and 300,000 tokens; our counts can differ from its own, and its replies must fit in memory. */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 2048,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 8 * 1024 * 1024,
  tokenization: 'local',
};

interface OpenAiAccess {
  /** Undefined, or an empty key: no `authorization` is sent. */
  readonly key: KeySource | undefined;
  readonly baseUrl?: string | undefined;
}

/**
 * Any endpoint that speaks OpenAI's embeddings API. Throws `UsageError` for an address that cannot be used. The package is loaded at the first
 * call, so that a run without it never pays for it.
 */
export function createOpenAiProvider(
  model: ModelDefinition,
  access: OpenAiAccess,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  const baseUrl = checkBaseUrl(access.baseUrl ?? model.baseUrl ?? 'https://api.openai.com/v1');
  const limits = chooseLimits(LIMITS, model);
  let loading: Promise<OpenAI> | undefined;
  const load = () => {
    loading ??= openClient(baseUrl, network);
    return loading;
  };
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      assertWithinLimits(texts, limits);
      const client = await load();
      const maxAnswerBytes = boundAnswer(texts, model);
      return withinDeadline(request, clock, signal =>
        callWithKey(access.key, key =>
          callEndpoint(client, model, texts, { key, maxAnswerBytes, signal }, clock),
        ),
      );
    },
  };
}

async function callEndpoint(
  client: OpenAI,
  model: ModelDefinition,
  texts: readonly string[],
  { signal, ...options }: Omit<PostOptions, 'onTaken'> & { readonly signal: AbortSignal },
  clock: Clock,
): Promise<EmbedReply> {
  let taken: TakenVectors['vectors'] | undefined;
  const onTaken: PostOptions['onTaken'] = vectors => {
    taken = vectors;
  };
  try {
    const { data, response } = await client.embeddings
      .create(
        {
          model: model.modelId,
          input: texts as string[],
          encoding_format: 'base64',
          ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
        },
        { signal, fetchOptions: { ...options, onTaken } as object },
      )
      .withResponse();
    rejectErrorBody(data, response.headers, { dialect: 'openai', nowMs: clock.now });
    const requestId = readRequestId(response.headers);
    return { ...readEmbeddings(data, requestId, taken), requestId };
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    if (error instanceof SyntaxError) throw invalidReply(undefined);
    if (error instanceof Error && error.cause instanceof FreshetError) throw error.cause;
    throw classifyProviderFailure(describeFailure(error, clock.now()));
  }
}
