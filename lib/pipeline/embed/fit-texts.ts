import type { ModelDefinition, Space } from '../../core/model.ts';
import { estimateTokens, packTexts } from '../../core/packing.ts';
import type { EmbeddingLimits, Tokenizer } from '../../ports/provider.ts';
import type { EmbedPorts } from './embed-ports.ts';

export interface TextLimits {
  readonly tokenization: EmbeddingLimits['tokenization'];
  readonly maxCharacters: number | undefined;
}

/**
 * Keeps of a prepared text what is embedded.
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

/** Cuts a text to the longest part that fits the model's limit, its prefix included. */
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

/**
 * Estimates the tokens of one text as it is sent, prefix included.
 * A server that cuts texts itself bills no more than its limit, so that the limit bounds the
 * estimate.
 */
export function estimateSentTokens(space: Space, text: string): number {
  const { documentPrefix, maxTokensPerText } = space.model;
  return Math.min(estimateTokens(documentPrefix + text), maxTokensPerText ?? Number.POSITIVE_INFINITY);
}

/** The texts of one call, and the space that they are for. */
export interface TextsOfCall {
  readonly space: Space;
  readonly texts: readonly string[];
}

/** Estimates the tokens of a call. */
export function estimateCallTokens({ space, texts }: TextsOfCall): number {
  return texts.reduce((sum, text) => sum + estimateSentTokens(space, text), 0);
}

type SizePorts = Pick<EmbedPorts, 'providers' | 'tokenizer'>;

/**
 * Packs texts in order into as few calls as the provider's limits and `maxTexts` allow.
 * The texts are without the model's prefix. Returns positions of the texts, one list per call.
 */
export async function packCalls(
  ports: SizePorts,
  space: Space,
  texts: readonly string[],
  maxTexts: number,
): Promise<readonly (readonly number[])[]> {
  if (texts.length === 0) return [];
  const sizes = await measureTexts(ports, space, texts);
  return packTexts(sizes, ports.providers(space.model.alias).limits, maxTexts);
}

/**
 * The factor by which an estimate of tokens is multiplied before it is trusted.
 * Estimates are low by a little more than half at most (source code). Texts that fit with this
 * margin fit.
 */
const ESTIMATE_MARGIN = 2.5;

/**
 * Measures what each text takes of a call, in bytes and tokens, prefix included.
 * The tokenizer counts only where the limit in tokens may decide. A text has at most as many tokens
 * as bytes: where all bytes, or the estimate with its margin, fit one call, the tokenizer is not
 * asked. A server with a tokenizer of its own needs no count.
 */
async function measureTexts(
  ports: SizePorts,
  space: Space,
  texts: readonly string[],
): Promise<readonly { readonly bytes: number; readonly tokens: number }[]> {
  const { documentPrefix, alias } = space.model;
  const prefixBytes = Buffer.byteLength(documentPrefix);
  const sizes = texts.map(text => ({
    bytes: prefixBytes + Buffer.byteLength(text),
    tokens: estimateSentTokens(space, text),
  }));
  const { tokenization, maxTokensPerCall } = ports.providers(alias).limits;
  const bytes = sizes.reduce((sum, size) => sum + size.bytes, 0);
  const tokens = sizes.reduce((sum, size) => sum + size.tokens, 0);
  if (tokenization === 'server' || Math.min(bytes, tokens * ESTIMATE_MARGIN) <= maxTokensPerCall)
    return sizes;
  return Promise.all(
    sizes.map(async (size, position) => ({
      bytes: size.bytes,
      tokens: await ports.tokenizer.count(documentPrefix + (texts[position] ?? '')),
    })),
  );
}
