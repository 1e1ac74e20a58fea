import { describe, expect, it } from 'vitest';
import { readEmbeddings } from '../../../lib/adapters/providers/openai.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';

function readOne(embedding: unknown): Buffer | undefined {
  return readEmbeddings({ data: [{ index: 0, embedding }] })?.items[0]?.bytes;
}

const vector = vectorForText('one', 8);
const encoded = vector.toString('base64');

describe('readEmbeddings', () => {
  it('decodes base64 of any length', () => {
    for (const dimensions of [1, 2, 3, 4, 1536]) {
      const right = vectorForText('one', dimensions);

      expect(readOne(right.toString('base64'))).toEqual(right);
    }
  });

  it.each([
    ['junk between groups, the right bytes around it', `${encoded.slice(0, 4)}****${encoded.slice(4)}`],
    ['a line break', `${encoded.slice(0, 8)}\n${encoded.slice(8)}`],
    ['no padding', encoded.replace(/=+$/, '')],
    ['a letter of the URL alphabet', `-${encoded.slice(1)}`],
    ['the other letter of the URL alphabet', `_${encoded.slice(1)}`],
    ['data after the padding', `${encoded}${encoded}`],
  ])('gives no bytes for base64 with %s', (_, wrong) => {
    expect(readOne(wrong)).toEqual(Buffer.alloc(0));
  });

  it.each([{}, 1, true, undefined])('gives no bytes for %o', embedding => {
    expect(readOne(embedding)).toEqual(Buffer.alloc(0));
  });
});
