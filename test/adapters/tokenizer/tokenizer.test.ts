import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../../lib/adapters/tokenizer.ts';

const tokenizer = createTokenizer();
const PLAIN = { disallowedSpecial: new Set<string>() };
const PROSE = 'The river, risen by 1,200 mm of rain since May, ran over its banks; nobody slept. '.repeat(60);

describe('count', () => {
  it.each([
    '',
    'hello world',
    '👨‍👩‍👧 family',
    '漢字かな交じり文',
    '<|endoftext|> and <|fim_prefix|>',
    PROSE,
  ])('equals the whole encoding of %s', async text => {
    expect(await tokenizer.count(text)).toBe(encode(text, PLAIN).length);
  });

  it('takes a special token as the text that it is', async () => {
    expect(await tokenizer.count('<|endoftext|>')).toBeGreaterThan(1);
  });

  it('is within a token per slice for text without spaces, in time that grows with its length', async () => {
    const text = '漢字仮名'.repeat(5000);
    const before = process.cpuUsage();

    const tokens = await tokenizer.count(text);

    expect(tokens / 30_000).toBeGreaterThan(0.99);
    expect(tokens / 30_000).toBeLessThan(1.01);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
  });
});

describe('truncate', () => {
  it('leaves a text that fits', async () => {
    expect(await tokenizer.truncate('hello world', 2)).toEqual({ text: 'hello world', tokens: 2 });
  });

  it('keeps the beginning of a long text, to the last token', async () => {
    const kept = await tokenizer.truncate(PROSE, 500);

    expect(kept.tokens).toBe(500);
    expect(PROSE.startsWith(kept.text)).toBe(true);
    expect(await tokenizer.count(kept.text)).toBe(500);
  });

  it.each([
    [3, '🙂', 2],
    [4, '🙂🙂', 4],
    [8, '🙂🙂🙂', 6],
    [11, '🙂🙂🙂🧬', 9],
  ])(
    'keeps every whole character before a limit of %i tokens, whatever was cut before',
    async (limit, text, tokens) => {
      const kept = await tokenizer.truncate('🙂🙂🙂🧬𓀀', limit);

      expect(kept).toEqual({ text, tokens });
    },
  );

  it('cuts a special token like any text', async () => {
    const kept = await tokenizer.truncate('<|endoftext|>'.repeat(10), 5);

    expect('<|endoftext|>'.repeat(10).startsWith(kept.text)).toBe(true);
    expect(kept.text).not.toBe('');
  });

  it('is fast on a megabyte, of which it reads what it keeps', async () => {
    const before = process.cpuUsage();

    const kept = await tokenizer.truncate('漢'.repeat(350_000), 8191);

    expect(kept.tokens).toBeLessThanOrEqual(8191);
    expect(kept.tokens).toBeGreaterThan(8180);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000);
  });

  it('keeps a prefix on a code point, within the limit, whatever the text', async () => {
    const unit = fc.oneof(
      fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 1 }),
      fc.constantFrom('🙂', '漢', 'ab ', '<|endoftext|>', '  ', '\n', '�', '123'),
    );

    await fc.assert(
      fc.asyncProperty(fc.string({ unit, maxLength: 60 }), fc.nat(30), async (text, maxTokens) => {
        const kept = await tokenizer.truncate(text, maxTokens);

        expect(text.startsWith(kept.text)).toBe(true);
        expect(kept.text.isWellFormed()).toBe(true);
        expect(kept.tokens).toBeLessThanOrEqual(maxTokens);
        expect(kept.tokens).toBe(await tokenizer.count(kept.text));
      }),
    );
  });
});
