import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readWordnetRows } from '../../../bench/apparatus/wordnet-rows.ts';
import { openByteEncoder } from '../../../lib/adapters/byte-pairs.ts';

let measure: Awaited<ReturnType<typeof openByteEncoder>>;
beforeAll(async () => {
  measure = await openByteEncoder();
});

const FILE = createRequire(import.meta.url).resolve('gpt-tokenizer/data/cl100k_base.tiktoken');

/** The bytes of each token, by its rank. */
const BYTES = readFileSync(FILE, 'latin1')
  .trimEnd()
  .split('\n')
  .map(line => Buffer.from(line.split(' ')[0]!, 'base64').length);

/** What gpt-tokenizer's own encoder makes of a text: the bytes of each token. */
const measureByLibrary = (text: string) =>
  encode(text, { disallowedSpecial: new Set<string>() }).map(token => BYTES[token]);

/** That encoder takes a byte order mark for nothing, and finds the token of what follows. */
const BYTE_ORDER_MARK = '\u{feff}';

const codePoint = fc.oneof(
  // Latin, Greek, Cyrillic, Hebrew, Arabic, the scripts of India and of South-East Asia.
  fc.integer({ min: 0, max: 0x1fff }),
  // Kana, Han and Hangul; what is above the basic plane: old scripts, more of Han, emoji.
  ...[
    fc.integer({ min: 0x2000, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x1_ffff }),
    fc.integer({ min: 0, max: 0x10_ffff }),
  ],
);

/** A piece of text in which an encoder of byte pairs could go wrong. */
const piece = fc.oneof(
  ...[fc.string({ unit: 'grapheme', maxLength: 12 }), fc.string({ unit: 'grapheme-ascii', maxLength: 30 })],
  fc.array(codePoint, { maxLength: 12 }).map(points => String.fromCodePoint(...points)),
  // Lone surrogates too.
  fc
    .array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 6 })
    .map(units => String.fromCharCode(...units)),
  fc.tuple(codePoint, fc.integer({ min: 1, max: 200 })).map(([c, n]) => String.fromCodePoint(c).repeat(n)),
  fc
    .array(fc.constantFrom(' ', '\n', '\r', '\t', '\u{a0}', '\u{2028}', '\u{3000}'), { maxLength: 12 })
    .map(concatenate),
  fc
    .array(fc.constantFrom("'s", "'LL", "'re", 'ſ', '123', '٣٤٥', '4', '½', '_', '-', '//', '…'), {
      maxLength: 8,
    })
    .map(concatenate),
  fc.constantFrom(
    ...[
      'The quick brown fox',
      ' jumps',
      "doesn't",
      'Straße',
      'naïve',
      '漢字かな交じり文',
      'नमस्ते',
      'สวัสดี',
      '안녕하세요',
    ],
    ...[
      'const f = async (x) => {\n  return x ?? 0;\n};\n',
      '<div class="a">',
      'SELECT * FROM t;',
      '\\u0000\u{0}\u{7f}',
    ],
    ...['👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '<|endoftext|>', '\u{fffd}', 'e\u{301}', '𓀀', '\u{10ffff}'],
  ),
);

function concatenate(parts: readonly string[]): string {
  return parts.join('');
}

describe('the tokens of a text', () => {
  it('are those of the library of the same data, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), pieces => {
        const text = concatenate(pieces).replaceAll(BYTE_ORDER_MARK, '');

        expect(measure(text)).toEqual(measureByLibrary(text));
      }),
      { numRuns: 10_000 },
    );
  });

  it('are those of the library, in the whole of an English dictionary', async () => {
    const rows = await readWordnetRows(Number.POSITIVE_INFINITY);
    const texts = rows.map(({ title, summary }) => `${title}\n${summary}`);
    expect(texts.length).toBeGreaterThan(100_000);

    expect(texts.filter(text => measure(text).join() !== measureByLibrary(text).join())).toEqual([]);
  });

  it.each([
    [BYTE_ORDER_MARK, [3]],
    [`${BYTE_ORDER_MARK}using System;`, [8, 7, 1]],
    [`x${BYTE_ORDER_MARK}${BYTE_ORDER_MARK}y`, [1, 3, 3, 1]],
  ])("are those of OpenAI's own encoder with byte order marks: %j", (text, lengths) => {
    expect(measure(text)).toEqual(lengths);
  });
});

describe('the file of tokens', () => {
  it.each(['missing', 'damaged'])('is named where it is %s, with what to do', async name => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-tokens-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'cl100k_base.tiktoken');
    if (name === 'damaged') writeFileSync(file, readFileSync(FILE).subarray(0, -1));

    await expect(openByteEncoder(file)).rejects.toMatchObject({
      ...{ failureClass: 'stop', code: 'model_file' },
      message: expect.stringMatching(
        /^Tokens cannot be counted: .*cl100k_base\.tiktoken .*Install the packages/,
      ),
    });
  });
});
