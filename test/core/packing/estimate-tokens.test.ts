import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../../lib/adapters/tokenizer.ts';
import { estimateTokens } from '../../../lib/core/packing.ts';

describe('estimateTokens', () => {
  it.each([
    'a stream of water rising above its banks after heavy rain or melting snow',
    'Das plötzliche Ansteigen eines Flusses nach starkem Regen',
    'Внезапный подъём воды в реке после сильного дождя',
    '川の水位が大雨の後に急に上昇すること',
    '대우 뒤에 강물이 갑자기 불어나는 일',
  ])('is within a factor of two of the tokenizer for %s', async text => {
    const ratio = estimateTokens(text) / (await createTokenizer().count(text));

    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });

  it('is low for source code, by little more than half', async () => {
    const code = 'const x = { a: [1, 2, 3], b: "text" };';

    const ratio = estimateTokens(code) / (await createTokenizer().count(code));

    expect(ratio).toBeGreaterThan(0.4);
    expect(ratio).toBeLessThan(0.6);
  });

  it('lies between 1 and the number of bytes for every text that is not empty', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), text => {
        expect(estimateTokens(text)).toBeGreaterThanOrEqual(1);
        expect(estimateTokens(text)).toBeLessThanOrEqual(Buffer.byteLength(text));
      }),
    );
    expect(estimateTokens('')).toBe(0);
  });
});
