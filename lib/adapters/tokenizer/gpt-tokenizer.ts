import type { Tokenizer } from '../../ports/tokenizer.ts';

/** Text that looks like a special token is text: the API takes it as such, and a row must not be refused for it. */
const AS_PLAIN_TEXT = { disallowedSpecial: new Set<string>() } as const;

/** OpenAI's `cl100k_base`, of all its embedding models. Its megabyte of ranks is loaded at the first use, never before. */
export function createTokenizer(): Tokenizer {
  let loading: Promise<Encoding> | undefined;
  const load = () => {
    loading ??= import('gpt-tokenizer/encoding/cl100k_base');
    return loading;
  };
  return {
    async count(text) {
      return (await load()).countTokens(text, AS_PLAIN_TEXT);
    },
    async truncate(text, maxTokens) {
      return truncateTokens(await load(), text, maxTokens);
    },
  };
}

type Encoding = typeof import('gpt-tokenizer/encoding/cl100k_base');

function truncateTokens(
  encoding: Encoding,
  text: string,
  maxTokens: number,
): { text: string; tokens: number } {
  const tokens = encoding.encode(text, AS_PLAIN_TEXT);
  if (tokens.length <= maxTokens) return { text, tokens: tokens.length };
  return { text: '', tokens: maxTokens };
}
