import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { EmbeddingLimits } from '../../ports/embedding-provider.ts';

/** What the model's definition says, else what is usual, and never more than the adapter can take. */
export function chooseLimits(
  hardest: EmbeddingLimits,
  { limits }: Pick<ModelDefinition, 'limits'>,
  usual: EmbeddingLimits = hardest,
): EmbeddingLimits {
  const choose = (name: 'maxTextsPerCall' | 'maxTokensPerCall' | 'maxBytesPerCall') =>
    Math.min(hardest[name], limits?.[name] ?? usual[name]);
  return {
    tokenization: hardest.tokenization,
    maxTextsPerCall: choose('maxTextsPerCall'),
    maxTokensPerCall: choose('maxTokensPerCall'),
    maxBytesPerCall: choose('maxBytesPerCall'),
  };
}

/** What the pipeline must not have packed: a call over the limits, or with an empty text, for which servers refuse the whole call or answer fewer vectors. */
export function assertWithinLimits(texts: readonly string[], limits: EmbeddingLimits): void {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (texts.length > limits.maxTextsPerCall || bytes > limits.maxBytesPerCall) {
    throw new FreshetError(
      `A call of ${texts.length} texts and ${bytes} bytes is over the limits of ${limits.maxTextsPerCall} and ${limits.maxBytesPerCall}.`,
      { failureClass: 'too-large', code: 'over_call_limits' },
    );
  }
  if (texts.includes('')) {
    throw new FreshetError('An empty text has no embedding.', { failureClass: 'item', code: 'empty_text' });
  }
}

/** A float in JSON takes up to 24 characters, its comma included. */
const BYTES_PER_FLOAT = 24;
/** Vectors of a wrong model must be read as well, for the error to name their dimensions. */
const LEAST_DIMENSIONS = 4096;
const ENVELOPE_BYTES = 1024 * 1024;

/** More than any right answer has. */
export function boundAnswer(texts: readonly string[], model: Pick<ModelDefinition, 'dimensions'>): number {
  return ENVELOPE_BYTES + texts.length * Math.max(model.dimensions, LEAST_DIMENSIONS) * BYTES_PER_FLOAT;
}
