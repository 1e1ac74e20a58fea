import type { Tokenizer } from '../ports/provider.ts';

/**
 * Creates a tokenizer for `cl100k_base`, which all of OpenAI's embedding models use.
 * Its tokens are read at the first use.
 */
export function createTokenizer(): Tokenizer {
  let opening: Promise<Encode> | undefined;
  const open = () => {
    opening ??= openEncoder().catch(error => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async count(text) {
      return countTokens(await open(), text);
    },
    async truncate(text, maxTokens) {
      return truncateText(await open(), text, maxTokens);
    },
  };
}

/** Returns the bytes of UTF-8 of each token. */
type Encode = (text: string) => readonly number[];

async function openEncoder(): Promise<Encode> {
  const { openByteEncoder } = await import('./byte-pairs.ts');
  return openByteEncoder();
}

function countTokens(encode: Encode, text: string): number {
  let tokens = 0;
  for (const slice of sliceText(text)) tokens += encode(slice).length;
  return tokens;
}

/** Cuts a text to `maxTokens`, reading no further than the slice in which the limit falls. */
function truncateText(encode: Encode, text: string, maxTokens: number): { text: string; tokens: number } {
  let kept = '';
  let tokens = 0;
  for (const slice of sliceText(text)) {
    const lengths = encode(slice);
    if (tokens + lengths.length > maxTokens) {
      const fitting = lengths.slice(0, Math.max(0, maxTokens - tokens));
      return shortenToFit(encode, kept, slice, fitting, maxTokens);
    }
    kept += slice;
    tokens += lengths.length;
  }
  return { text, tokens };
}

/**
 * Shortens the last slice token by token until the whole text fits.
 * A prefix can have more tokens than it had inside the whole, and a token can end inside a code
 * point.
 */
function shortenToFit(
  encode: Encode,
  kept: string,
  slice: string,
  lengths: readonly number[],
  maxTokens: number,
): { text: string; tokens: number } {
  let bytes = lengths.reduce((sum, length) => sum + length, 0);
  for (const length of lengths.toReversed()) {
    const text = kept + cutToBytes(slice, bytes);
    const tokens = countTokens(encode, text);
    if (tokens <= maxTokens) return { text, tokens };
    bytes -= length;
  }
  return { text: kept, tokens: countTokens(encode, kept) };
}

/** Cuts a text to at most so many bytes of UTF-8, between code points. */
function cutToBytes(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
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
