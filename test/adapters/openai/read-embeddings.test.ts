import { describe, expect, it } from 'vitest';
import { createOpenAiProvider } from '../../../lib/adapters/providers/openai.ts';
import { BytePieces } from '../../../lib/core/vectors.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';
import { createVirtualClock } from '../../doubles/virtual-clock.ts';
import { makeModel } from '../../factories/model-definition.ts';

/** Reads the vector of a reply that came over the network with `embedding` in it. */
async function readOne(embedding: unknown): Promise<Buffer | undefined> {
  const reply = Buffer.from(JSON.stringify({ data: [{ index: 0, embedding }] }));
  const network = {
    post: async () => ({ status: 200, headers: new Headers(), body: new BytePieces([reply]) }),
    close: async () => undefined,
  };
  const provider = createOpenAiProvider(makeModel(), { key: undefined }, network, createVirtualClock());
  const { items } = await provider.embed({ texts: ['one'], deadlineMs: 1000 });
  return items[0]?.bytes;
}

const vector = vectorForText('one', 8);
const encoded = vector.toString('base64');

describe('a reply of OpenAI', () => {
  it('decodes base64 of any length', async () => {
    for (const dimensions of [1, 2, 3, 4, 1536]) {
      const right = vectorForText('one', dimensions);

      expect(await readOne(right.toString('base64'))).toEqual(right);
    }
  });

  it.each([
    ['junk between groups, the right bytes around it', `${encoded.slice(0, 4)}****${encoded.slice(4)}`],
    ['a line break', `${encoded.slice(0, 8)}\n${encoded.slice(8)}`],
    ['no padding', encoded.replace(/=+$/, '')],
    ['a letter of the URL alphabet', `-${encoded.slice(1)}`],
    ['the other letter of the URL alphabet', `_${encoded.slice(1)}`],
    ['data after the padding', `${encoded}${encoded}`],
  ])('gives no bytes for base64 with %s', async (_, wrong) => {
    expect(await readOne(wrong)).toEqual(Buffer.alloc(0));
  });

  it.each([{}, 1, true, undefined])('gives no bytes for %o', async embedding => {
    expect(await readOne(embedding)).toEqual(Buffer.alloc(0));
  });
});
