import { describe, expect, it } from 'vitest';
import { createOpenAiProvider } from '../../../lib/adapters/providers/openai.ts';
import { validateReply } from '../../../lib/core/reply.ts';
import { BytePieces } from '../../../lib/core/vectors.ts';
import { createNetworkClock } from '../../doubles/network-clock.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';
import { makeModel } from '../../factories/model-definition.ts';

/** Reads the list of a reply that came over the network. */
async function read(data: readonly unknown[]) {
  const reply = Buffer.from(JSON.stringify({ data }));
  const network = {
    post: async () => ({ status: 200, headers: new Headers(), body: new BytePieces([reply]) }),
    stream: () => Promise.reject(new Error('no other request is made')),
    close: async () => undefined,
  };
  const provider = createOpenAiProvider(makeModel(), { key: undefined }, network, createNetworkClock());
  return (await provider.embed({ texts: data.map(String), deadlineMs: 1000 })).items;
}

async function readOne(embedding: unknown): Promise<Buffer | undefined> {
  return (await read([{ index: 0, embedding }]))[0]?.bytes;
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

  const [a, b, c] = ['a', 'b', 'c'].map(text => vectorForText(text, 8).toString('base64'));

  it.each<[string, readonly (number | null | undefined)[]]>([
    ['is left out where it is 0', [undefined, 1, 2]],
    ['is null where it is 0', [null, 1, 2]],
    ['is left out everywhere', [undefined, undefined, undefined]],
    ['is null everywhere', [null, null, null]],
    ['is left out in the middle', [0, undefined, 2]],
  ])('takes the place in the list for an index that %s', async (_, indexes) => {
    const items = await read([a, b, c].map((embedding, place) => ({ index: indexes[place], embedding })));

    expect(items.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it('takes digits for an index, as they can mean nothing else', async () => {
    const items = await read([c, a, b].map((embedding, place) => ({ index: '201'[place], embedding })));

    expect(items.map(({ index }) => index)).toEqual([2, 0, 1]);
  });

  it.each<[readonly (number | null | undefined)[]]>([
    [[2, 1, undefined]],
    [[1, 0, null]],
    [[undefined, 0, 1]],
  ])('guesses no index where the others do not stand in their places: %o', async indexes => {
    const items = await read([a, b, c].map((embedding, place) => ({ index: indexes[place], embedding })));

    expect(() => validateReply({ items }, { count: 3, dimensions: 8, normalized: true })).toThrow(
      expect.objectContaining({ code: 'invalid_reply_index' }),
    );
  });
});
