import type { Tokenizer } from '../ports/provider.ts';

/**
 * Creates a tokenizer for `cl100k_base`, which all of OpenAI's embedding models use.
 * Its megabyte of ranks is loaded at the first use.
 */
export function createTokenizer(): Tokenizer {
  let loading: Promise<Encoding> | undefined;
  const load = () => {
    loading ??= import('gpt-tokenizer/encoding/cl100k_base');
    return loading;
  };
  return {
    async count(text) {
      return countTokens(await load(), text);
    },
    async truncate(text, maxTokens) {
      return truncateText(await load(), text, maxTokens);
    },
  };
}

type Encoding = Pick<
  typeof import('gpt-tokenizer/encoding/cl100k_base'),
  'encode' | 'decode' | 'countTokens'
>;

/**
 * The option by which text that looks like a special token is encoded as plain text.
 * The API does the same, and a row must not be refused for such text.
 */
const AS_PLAIN_TEXT = { disallowedSpecial: new Set<string>() };

function countTokens(encoding: Encoding, text: string): number {
  let tokens = 0;
  for (const slice of sliceText(text)) tokens += encoding.countTokens(slice, AS_PLAIN_TEXT);
  return tokens;
}

/** Cuts a text to `maxTokens`, reading no further than the slice in which the limit falls. */
function truncateText(encoding: Encoding, text: string, maxTokens: number): { text: string; tokens: number } {
  let kept = '';
  let tokens = 0;
  for (const slice of sliceText(text)) {
    const encoded = encoding.encode(slice, AS_PLAIN_TEXT);
    if (tokens + encoded.length > maxTokens) {
      return shortenToFit(
        encoding,
        kept,
        slice,
        encoded.slice(0, Math.max(0, maxTokens - tokens)),
        maxTokens,
      );
    }
    kept += slice;
    tokens += encoded.length;
  }
  return { text, tokens };
}

/**
 * Shortens the last slice token by token until the whole text fits.
 * A prefix can have more tokens than it had inside the whole, and a token can end inside a code
 * point.
 */
function shortenToFit(
  encoding: Encoding,
  kept: string,
  slice: string,
  encoded: readonly number[],
  maxTokens: number,
): { text: string; tokens: number } {
  for (let length = encoded.length; length > 0; length -= 1) {
    const text = kept + commonPrefix(slice, encoding.decode(encoded.slice(0, length)));
    const tokens = countTokens(encoding, text);
    if (tokens <= maxTokens) return { text, tokens };
  }
  return { text: kept, tokens: countTokens(encoding, kept) };
}

function commonPrefix(text: string, decoded: string): string {
  let length = 0;
  while (length < decoded.length && decoded[length] === text[length]) length += 1;
  return text.slice(0, findCodePointEnd(text, length));
}

/**
 * Longest slice in UTF-16 units.
 * A byte-pair encoder takes time with the square of a run without spaces: 22 s for 100,000 Chinese
 * characters, but half a millisecond for each slice of this length. Ordinary text has a space
 * within a slice, and then slicing changes no token.
 */
const SLICE_UNITS = 500;

/**
 * Yields the text in slices, to be encoded one by one.
 * A cut lies before a space that follows a letter or digit, where `cl100k_base` always cuts.
 * Without such a space the cut lies between code points, and the count can be off by one token.
 */
function* sliceText(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > SLICE_UNITS) {
    const end = findCut(text, start, start + SLICE_UNITS);
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield text.slice(start);
}

function findCut(text: string, start: number, limit: number): number {
  for (let end = limit; end > start; end -= 1) {
    if (text[end] === ' ' && /[\p{L}\p{N}]/u.test(text[end - 1] ?? '')) return end;
  }
  return findCodePointEnd(text, limit);
}

/** Finds the end of the last whole code point within the first `end` UTF-16 units of a text. */
function findCodePointEnd(text: string, end: number): number {
  const splitsPair = end > 0 && (text.codePointAt(end - 1) ?? 0) > 0xffff;
  return splitsPair ? end - 1 : end;
}
