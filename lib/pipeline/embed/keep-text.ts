import type { ModelDefinition, Space } from '../../core/model/space.ts';
import type { EmbeddingLimits } from '../../ports/embedding-provider.ts';
import type { Tokenizer } from '../../ports/tokenizer.ts';

export interface TextLimits {
  readonly tokenization: EmbeddingLimits['tokenization'];
  readonly maxCharacters: number | undefined;
}

/**
 * What of a prepared text is embedded.
 * Undefined: the text is over a limit, and the source skips such texts. A text has at most as many
 * tokens as bytes, so that the tokenizer is asked only beyond the limit in bytes, and never where
 * the server cuts texts itself.
 */
export async function keepText(
  space: Space,
  text: string,
  limits: TextLimits,
  tokenizer: Tokenizer,
): Promise<string | undefined> {
  const skips = space.source.overLimit === 'skip';
  const { maxCharacters, tokenization } = limits;
  const tooManyCharacters = maxCharacters !== undefined && text.length > maxCharacters;
  if (tooManyCharacters && skips) return undefined;
  const kept = tooManyCharacters ? cutCharacters(text, maxCharacters) : text;

  const { maxTokensPerText, documentPrefix } = space.model;
  const bytes = Buffer.byteLength(documentPrefix) + Buffer.byteLength(kept);
  if (tokenization === 'server' || maxTokensPerText === undefined || bytes <= maxTokensPerText) return kept;
  if (!skips) return cutToTokens(space.model, kept, tokenizer);
  const available = await countAvailable(space.model, tokenizer);
  return (await tokenizer.count(kept)) <= available ? kept : undefined;
}

/** The longest prefix of a text that fits the model's limit together with the model's prefix. */
export async function cutToTokens(
  model: ModelDefinition,
  text: string,
  tokenizer: Tokenizer,
): Promise<string> {
  return (await tokenizer.truncate(text, await countAvailable(model, tokenizer))).text;
}

async function countAvailable(
  { documentPrefix, maxTokensPerText = Number.POSITIVE_INFINITY }: ModelDefinition,
  tokenizer: Tokenizer,
): Promise<number> {
  return maxTokensPerText - (documentPrefix === '' ? 0 : await tokenizer.count(documentPrefix));
}

/**
 * Cuts a text to at most `maxCharacters` UTF-16 units.
 * A surrogate pair at the edge is left out whole.
 */
function cutCharacters(text: string, maxCharacters: number): string {
  const last = text.charCodeAt(maxCharacters - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? maxCharacters - 1 : maxCharacters);
}
