import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHashProvider } from '../../../lib/adapters/providers/hash.ts';
import { validateReply } from '../../../lib/core/reply.ts';
import { sha256Hex } from '../../../lib/core/text.ts';
import { makeModel } from '../../factories/model-definition.ts';

async function hashText(text: string, dimensions: number): Promise<Buffer> {
  const provider = createHashProvider(makeModel({ provider: 'hash', dimensions }));
  const { items } = await provider.embed({ texts: [text], deadlineMs: 1000 });
  return items[0]!.bytes;
}

async function similarity(one: string, other: string): Promise<number> {
  const [a, b] = await Promise.all([one, other].map(text => hashText(text, 256)));
  let sum = 0;
  for (let offset = 0; offset < 1024; offset += 4)
    sum += (a?.readFloatLE(offset) ?? 0) * (b?.readFloatLE(offset) ?? 0);
  return sum;
}

describe('the hash provider', () => {
  it('answers valid vectors for every text, signs and emoji alone included', async () => {
    const provider = createHashProvider(makeModel({ provider: 'hash', dimensions: 16 }));
    const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 10 });

    await fc.assert(
      fc.asyncProperty(texts, async drawn => {
        const all = [...drawn, '', '!?', '🙂', ' ', 'a'];

        const reply = await provider.embed({ texts: all, deadlineMs: 1000 });

        const expected = { count: all.length, dimensions: 16, normalized: true };
        expect(validateReply(reply, expected).invalid).toEqual([]);
        expect(reply.tokens).toBeGreaterThan(0);
      }),
    );
  });

  it('gives the same bytes on every machine', async () => {
    expect(sha256Hex(await hashText('A stream of water, rising: Überschwemmung 洪水', 256))).toBe(
      '7d98c65df87471386cbb42fe66080e51550a23fcdbe636b1cfddb29484bc9811',
    );
  });

  it('finds similar wording', async () => {
    const text = 'a sudden flood of a river after heavy rain';

    expect(await similarity(text, text)).toBeGreaterThan(0.9999);
    expect(await similarity(text, 'the river had a sudden flood')).toBeGreaterThan(0.4);
    expect(await similarity(text, 'floods of rivers')).toBeGreaterThan(
      await similarity(text, 'a small dog with curly hair'),
    );
    expect(await similarity(text, 'legal tender issued by banks')).toBeLessThan(0.2);
  });

  it('does not care about case', async () => {
    expect(await hashText('RIVER Flood', 64)).toEqual(await hashText('river flood', 64));
  });

  it('makes one vector of each text, whatever its neighbours', async () => {
    const provider = createHashProvider(makeModel({ provider: 'hash', dimensions: 32 }));

    const { items } = await provider.embed({ texts: ['b', 'a'], deadlineMs: 1000 });

    expect(items).toEqual([
      { index: 0, bytes: await hashText('b', 32) },
      { index: 1, bytes: await hashText('a', 32) },
    ]);
  });
});
