import type { Space } from '../../core/model/space.ts';
import { estimateSentTokens } from './call-provider.ts';
import type { EmbedPorts } from './embed-ports.ts';
import type { UniqueText } from './plan-batch.ts';

/**
 * The factor by which an estimate of tokens is multiplied before it is trusted.
 * Estimates are low by a little more than half at most (source code). Texts that fit with this
 * margin fit.
 */
const MARGIN = 2.5;

/**
 * What each text takes of a call, in bytes and tokens, prefix included.
 * The tokenizer counts only where the limit in tokens may decide. A text has at most as many tokens
 * as bytes: where all bytes, or the estimate with its margin, fit one call, the tokenizer is not
 * asked. A server with a tokenizer of its own needs no count.
 */
export async function measureTexts(
  ports: Pick<EmbedPorts, 'providers' | 'tokenizer'>,
  space: Space,
  texts: readonly UniqueText[],
): Promise<readonly { readonly bytes: number; readonly tokens: number }[]> {
  const { documentPrefix, alias } = space.model;
  const prefixBytes = Buffer.byteLength(documentPrefix);
  const sizes = texts.map(({ text }) => ({
    bytes: prefixBytes + Buffer.byteLength(text),
    tokens: estimateSentTokens(space, text),
  }));
  const { tokenization, maxTokensPerCall } = ports.providers(alias).limits;
  const bytes = sizes.reduce((sum, size) => sum + size.bytes, 0);
  const tokens = sizes.reduce((sum, size) => sum + size.tokens, 0);
  if (tokenization === 'server' || Math.min(bytes, tokens * MARGIN) <= maxTokensPerCall) return sizes;
  return Promise.all(
    sizes.map(async (size, position) => ({
      bytes: size.bytes,
      tokens: await ports.tokenizer.count(documentPrefix + (texts[position]?.text ?? '')),
    })),
  );
}
