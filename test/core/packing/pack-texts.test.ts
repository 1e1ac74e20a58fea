import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packTexts } from '../../../lib/core/packing.ts';

const limits = { maxTextsPerCall: 3, maxTokensPerCall: 10, maxBytesPerCall: 100 };

describe('packTexts', () => {
  it('fills each call up to the first limit that is reached', () => {
    const texts = [4, 4, 4, 1, 1, 1].map(tokens => ({ tokens, bytes: tokens }));

    expect(packTexts(texts, limits, 100)).toEqual([[0, 1], [2, 3, 4], [5]]);
    expect(packTexts(texts, limits, 1)).toEqual([[0], [1], [2], [3], [4], [5]]);
  });

  it('gives a text that is over a limit a call of its own', () => {
    const texts = [1, 11, 1].map(tokens => ({ tokens, bytes: 1 }));

    expect(packTexts(texts, limits, 100)).toEqual([[0], [1], [2]]);
  });

  it('makes no call for no texts', () => {
    expect(packTexts([], limits, 100)).toEqual([]);
  });

  it('keeps order and limits, and no two neighbours would fit one call', () => {
    const text = fc.record({ bytes: fc.nat(120), tokens: fc.nat(12) });

    fc.assert(
      fc.property(fc.array(text, { maxLength: 40 }), fc.integer({ min: 0, max: 5 }), (texts, maxTexts) => {
        const packs = packTexts(texts, limits, maxTexts);
        const fits = (positions: readonly number[]) =>
          positions.length <= Math.max(1, Math.min(3, maxTexts)) &&
          sum(positions.map(position => texts[position]?.bytes)) <= 100 &&
          sum(positions.map(position => texts[position]?.tokens)) <= 10;

        expect(packs.flat()).toEqual([...texts.keys()]);
        for (const [index, pack] of packs.entries()) {
          expect(pack.length === 1 || fits(pack)).toBe(true);
          const next = packs[index + 1]?.[0];
          if (next !== undefined) expect(fits([...pack, next])).toBe(false);
        }
      }),
    );
  });
});

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce<number>((total, number) => total + (number ?? 0), 0);
}
