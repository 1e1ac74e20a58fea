import { classifyProviderFailure } from '../../core/errors/classify-provider-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import { parseJson } from '../../core/messages/parse-json.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EmbeddingLimits, EmbeddingProvider } from '../../ports/embedding-provider.ts';
import { assertWithinLimits, boundAnswer, chooseLimits } from '../network/call-limits.ts';
import { invalidReply, readVectors } from '../network/read-vectors.ts';
import { withinDeadline } from '../network/within-deadline.ts';
import { describeFailure, readRequestId } from './describe-failure.ts';
import type { InvokeEndpoint, InvokeReply } from './open-invoker.ts';

/** As TEI starts when nothing is set: `MAX_CLIENT_BATCH_SIZE` 32, `PAYLOAD_LIMIT` 2,000,000 bytes of JSON, of which escapes take some. */
const USUAL: EmbeddingLimits = {
  maxTextsPerCall: 32,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 1_600_000,
  tokenization: 'server',
};
/** `MAX_CONCURRENT_REQUESTS` of TEI, of which every text of a batch takes one since 1.9; and InvokeEndpoint's 6 MB. */
const HARDEST: EmbeddingLimits = { ...USUAL, maxTextsPerCall: 512, maxBytesPerCall: 5_000_000 };

const USUAL_BODY_BYTES = 2_000_000;
const HARDEST_BODY_BYTES = 6_000_000;
const REPLY_BYTES = 6_000_000;
/** A float32 in TEI's JSON takes 12 to 16 characters, its comma included; the longest seen has 20. */
const BYTES_PER_FLOAT = 20;

/** TEI's `/embed` behind a SageMaker endpoint, which cuts texts to the model's length by itself. Throws `UsageError` without an endpoint's name. */
export function createSageMakerProvider(
  model: ModelDefinition,
  invoke: InvokeEndpoint,
  clock: Clock,
): EmbeddingProvider {
  const { endpointName, inferenceComponentName } = model;
  if (endpointName === undefined)
    throw new UsageError(`The model ${model.alias} has no endpointName: name its SageMaker endpoint.`);
  const chosen = chooseLimits(HARDEST, model, USUAL);
  const textsPerReply = Math.max(1, Math.floor(REPLY_BYTES / (model.dimensions * BYTES_PER_FLOAT)));
  const limits = { ...chosen, maxTextsPerCall: Math.min(chosen.maxTextsPerCall, textsPerReply) };
  const maxBodyBytes = limits.maxBytesPerCall > USUAL.maxBytesPerCall ? HARDEST_BODY_BYTES : USUAL_BODY_BYTES;
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      assertWithinLimits(texts, limits);
      const body = composeBody(model, texts, maxBodyBytes);
      const maxAnswerBytes = boundAnswer(texts, model);
      return withinDeadline(request, clock, async signal => {
        const call = { endpointName, inferenceComponentName, body, signal, maxAnswerBytes };
        return readReply(await invoke(call).catch(reject));
      });
    },
  };
}

function composeBody(model: ModelDefinition, texts: readonly string[], maxBytes: number): Buffer {
  const fields = {
    inputs: texts,
    normalize: model.normalized,
    truncate: true,
    ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
  };
  const body = Buffer.from(JSON.stringify(fields));
  if (body.length <= maxBytes) return body;
  throw new FreshetError(`A request of ${body.length} bytes is over the limit of ${maxBytes}.`, {
    failureClass: 'too-large',
    code: 'payload_too_large',
  });
}

/** `[[…], …]`: it names no model and counts no tokens. */
function readReply({ body, requestId: given }: InvokeReply) {
  const requestId = readRequestId(given);
  const vectors = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  if (!Array.isArray(vectors)) throw invalidReply(requestId);
  return { items: readVectors(vectors), tokens: undefined, requestId };
}

function reject(error: unknown): never {
  if (error instanceof FreshetError) throw error;
  throw classifyProviderFailure(describeFailure(error));
}
