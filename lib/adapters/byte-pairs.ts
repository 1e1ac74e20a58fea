import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { CL100K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';
import { FreshetError } from '../core/errors.ts';

/**
 * The tokens of `cl100k_base`, one a line in the order of their ranks, each in Base64.
 * The file is read as the package has it. As a module of the same package it took 40 MB and 0.09 s
 * of CPU of a run, most of it for 100,000 strings (decision 31).
 */
const RANKS_FILE = 'gpt-tokenizer/data/cl100k_base.tiktoken';
const RANKS_SHA256 = '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7';

/**
 * Reads the tokens of `cl100k_base` and makes the function that encodes by them.
 * The function returns the bytes of UTF-8 of each token of a text, which tell their number and
 * where each begins. Text that looks like a special token is encoded as the text that it is.
 * @param file where the tokens lie; only tests give another place
 */
export async function openByteEncoder(file?: string): Promise<(text: string) => number[]> {
  const tokens = indexTokens(await readChecked(file ?? findRanks()));
  const encoder = new TextEncoder();
  return text => {
    const word = new Uint8Array(text.length * BYTES_A_UNIT);
    const lengths: number[] = [];
    for (const [match] of text.matchAll(CL100K_TOKEN_SPLIT_REGEX)) {
      const { written } = encoder.encodeInto(match, word);
      if (findToken(tokens, word, 0, written) === NO_TOKEN) mergePairs(tokens, word, written, lengths);
      else lengths.push(written);
    }
    return lengths;
  };
}

/** The most bytes of UTF-8 that a UTF-16 unit takes. */
const BYTES_A_UNIT = 3;

function findRanks(): string {
  try {
    return createRequire(import.meta.url).resolve(RANKS_FILE);
  } catch {
    throw unusableFile(RANKS_FILE, 'cannot be found');
  }
}

async function readChecked(file: string): Promise<Buffer<ArrayBuffer>> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw unusableFile(file, `cannot be read (${error.code})`);
  });
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === RANKS_SHA256) return bytes;
  const digests = `SHA-256 ${found.slice(0, 12)}…, not ${RANKS_SHA256.slice(0, 12)}…`;
  throw unusableFile(file, `is not the file that this version came with (${digests})`);
}

function unusableFile(file: string, what: string): FreshetError {
  return new FreshetError(
    `Tokens cannot be counted: ${file} ${what}. Install the packages again, or deploy the stack again.`,
    { failureClass: 'stop', code: 'model_file' },
  );
}

/** All tokens, to be found by their bytes. */
interface TokenIndex {
  /** The bytes of all tokens, one behind the other in the order of their ranks. */
  readonly bytes: Uint8Array;
  /**
   * A hash table with open addresses: the place of a token's first byte times 256, and its length.
   * Of two tokens the one of the lower rank has the lower number, because its bytes come first. No
   * token is longer than 128 bytes. 0 is an empty slot.
   */
  readonly slots: Int32Array;
}

/** 262,144 slots for 100,256 tokens: less than two are looked at for a token that there is not. */
const SLOT_MASK = 0x3_ffff;

/** Higher than the number of any token. */
const NO_TOKEN = 0x7fff_ffff;

const LINE_END = 0x0a;
const SPACE = 0x20;
const PADDING = 0x3d;

/** Indexes the lines of a file, whose bytes are overwritten by those of the tokens. */
function indexTokens(file: Uint8Array): TokenIndex {
  const digits = readBase64Digits();
  const slots = new Int32Array(SLOT_MASK + 1);
  let end = 0;
  for (let at = 0; at < file.length; at += 1) {
    const start = end;
    for (; file[at] !== SPACE; at += 4) {
      const bits =
        (digits[file[at]!]! << 18) |
        (digits[file[at + 1]!]! << 12) |
        (digits[file[at + 2]!]! << 6) |
        digits[file[at + 3]!]!;
      const count = file[at + 2] === PADDING ? 1 : file[at + 3] === PADDING ? 2 : 3;
      file[end] = bits >> 16;
      if (count > 1) file[end + 1] = bits >> 8;
      if (count > 2) file[end + 2] = bits;
      end += count;
    }
    let slot = hashBytes(file, start, end);
    while (slots[slot] !== 0) slot = (slot + 1) & SLOT_MASK;
    slots[slot] = (start << 8) | (end - start);
    while (file[at] !== LINE_END) at += 1;
  }
  return { bytes: file, slots };
}

function readBase64Digits(): Uint8Array {
  const digits = new Uint8Array(256);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  for (let digit = 0; digit < alphabet.length; digit += 1) digits[alphabet.charCodeAt(digit)] = digit;
  return digits;
}

/** Finds the slot where the search for some bytes begins (FNV-1a, its upper bits mixed in). */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
  return (hash ^ (hash >>> 15)) & SLOT_MASK;
}

/** Finds the number of the token that has the bytes from `start` to `end`, else NO_TOKEN. */
function findToken({ bytes, slots }: TokenIndex, word: Uint8Array, start: number, end: number): number {
  const length = end - start;
  for (let slot = hashBytes(word, start, end); ; slot = (slot + 1) & SLOT_MASK) {
    const token = slots[slot]!;
    if (token === 0) return NO_TOKEN;
    if ((token & 0xff) !== length) continue;
    const first = token >> 8;
    let same = 0;
    while (same < length && bytes[first + same] === word[start + same]) same += 1;
    if (same === length) return token;
  }
}

/**
 * Merges the bytes of a word into tokens, and adds the length of each to `lengths`.
 * Of all neighbours that are a token together, those of the lowest rank are merged, until none are.
 * Takes time with the square of the word.
 */
function mergePairs(tokens: TokenIndex, word: Uint8Array, bytes: number, lengths: number[]): void {
  /** Where each part begins, and behind the last one where the word ends. */
  const starts = new Int32Array(bytes + 1);
  /** The token that each part would be with the next one. */
  const pairs = new Int32Array(bytes + 1).fill(NO_TOKEN);
  let parts = bytes;
  const pairAt = (part: number) =>
    part + 1 < parts ? findToken(tokens, word, starts[part]!, starts[part + 2]!) : NO_TOKEN;
  for (let part = 0; part <= bytes; part += 1) starts[part] = part;
  for (let part = 0; part < bytes; part += 1) pairs[part] = pairAt(part);
  for (;;) {
    let lowest = 0;
    for (let part = 1; part < parts; part += 1) if (pairs[part]! < pairs[lowest]!) lowest = part;
    if (pairs[lowest] === NO_TOKEN) break;
    starts.copyWithin(lowest + 1, lowest + 2, parts + 1);
    pairs.copyWithin(lowest + 1, lowest + 2, parts + 1);
    parts -= 1;
    pairs[lowest] = pairAt(lowest);
    if (lowest > 0) pairs[lowest - 1] = pairAt(lowest - 1);
  }
  for (let part = 0; part < parts; part += 1) lengths.push(starts[part + 1]! - starts[part]!);
}
