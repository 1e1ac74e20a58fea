import type * as z from 'zod';
import type { ModelDefinition } from '../../core/model.ts';
import { sha256Hex } from '../../core/text.ts';
import { measureNorm, viewFloats } from '../../core/vectors.ts';
import type { EmbeddingService } from '../../ports/embedding-service.ts';
import { refuseField } from './read-body.ts';
import type {
  EmbeddingsResponseBody,
  EmbedResponseBody,
  embeddingsRequest,
  embedRequest,
  modelsResponse,
} from './schemas.ts';

/** Answers `POST /v1/embed`, whose contract is `docs/contracts/embed-v1.yaml`. */
export async function answerTexts(
  service: EmbeddingService,
  model: ModelDefinition,
  body: z.output<typeof embedRequest>,
  signal: AbortSignal,
): Promise<EmbedResponseBody> {
  const { texts, truncate, input_type: role, vector_text_hash: hashes } = body;
  if (hashes !== undefined) requireHashes(texts, hashes);
  const reply = await service.embed({ model, texts, role, truncate, signal });
  const vectors = reply.vectors.map(bytes => toFloats(bytes, body.normalize && !model.normalized));
  const { tokens } = reply;
  return {
    ...{ dim: model.dimensions, vectors, model: model.alias, revision: model.revision },
    ...{ tokens, usage: { tokens } },
  };
}

/** Refuses hashes that are not those of the texts: the client would file the vectors wrongly. */
function requireHashes(texts: readonly string[], hashes: readonly string[]): void {
  if (hashes.length !== texts.length)
    throw refuseField(
      'vector_text_hash',
      `expected ${texts.length} hashes, one per text, got ${hashes.length}`,
    );
  const wrong = texts.findIndex((text, position) => sha256Hex(text) !== hashes[position]);
  if (wrong >= 0) throw refuseField(`vector_text_hash[${wrong}]`, `is not the SHA-256 of texts[${wrong}]`);
}

/** Answers `POST /v1/embeddings` as OpenAI does. */
export async function answerEmbeddings(
  service: EmbeddingService,
  model: ModelDefinition,
  body: z.output<typeof embeddingsRequest>,
  signal: AbortSignal,
): Promise<EmbeddingsResponseBody> {
  const { dimensions, truncate, input_type: role } = body;
  if (dimensions !== undefined && dimensions !== model.dimensions)
    throw refuseField('dimensions', `model "${model.alias}" has ${model.dimensions} dimensions`);
  const texts = typeof body.input === 'string' ? [body.input] : body.input;
  const reply = await service.embed({ model, texts, role, truncate, signal });
  const data = reply.vectors.map((bytes, index) => ({
    object: 'embedding' as const,
    index,
    embedding: body.encoding_format === 'base64' ? bytes.toString('base64') : toFloats(bytes, false),
  }));
  const usage = { prompt_tokens: reply.tokens, total_tokens: reply.tokens };
  return { object: 'list', data, model: model.alias, usage };
}

/** Answers `GET /v1/models` as OpenAI does, with what a client must know of each beside. */
export function answerModels(models: readonly ModelDefinition[]): z.output<typeof modelsResponse> {
  const data = models.map(({ alias, provider, revision, dimensions, maxTokensPerText }) => ({
    ...{ id: alias, object: 'model' as const, created: 0, owned_by: provider },
    ...{ revision, dimensions, max_tokens: maxTokensPerText ?? null },
  }));
  return { object: 'list', data };
}

function toFloats(bytes: Buffer, normalize: boolean): number[] {
  const floats = Array.from(viewFloats(bytes));
  if (!normalize) return floats;
  const norm = measureNorm(bytes);
  return floats.map(value => value / norm);
}
