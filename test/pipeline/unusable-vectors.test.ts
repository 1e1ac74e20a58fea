import { describe, expect, test } from 'vitest';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { createScriptedProvider, embedAll } from '../doubles/scripted-provider.ts';
import { makeWorld } from '../factories/world.ts';
import { buyTexts } from './run-world.ts';

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);

/** Zeros in place of the vectors of these texts. */
function spoil(request: EmbedRequest, isSpoiled: (text: string) => boolean): EmbedReply {
  const reply = embedAll(request);
  const items = reply.items.map(item =>
    isSpoiled(request.texts[item.index] ?? '') ? { ...item, bytes: Buffer.alloc(16) } : item,
  );
  return { ...reply, items };
}

const kindsOf = ({ results }: Awaited<ReturnType<typeof buyTexts>>) =>
  [...results.values()].map(result => (result.kind === 'vector' ? result.kind : 'no vector'));

describe('a call without one usable vector', () => {
  test('is the fault of the model where a text of ours fares alike, whatever was embedded before', async () => {
    const world = makeWorld();
    const provider = createScriptedProvider((request, call) => spoil(request, () => call > 1), {
      maxTextsPerCall: 10,
    });
    const ports = { ...world.embedPorts, providers: () => provider };

    const purchase = await buyTexts({ ...world, embedPorts: ports }, numbered(30));

    expect(purchase.ended).toMatchObject({ failureClass: 'stop', code: 'invalid_vector' });
    expect(kindsOf(purchase)).toEqual(Array(10).fill('vector'));
    expect(provider.requests.map(({ texts }) => texts.length)).toEqual([10, 10, 10, 1]);
  });

  test('is taken apart where the model answers another text, so that each text is judged alone', async () => {
    const world = makeWorld();
    world.provider.script = request => spoil(request, () => request.texts.length > 2);

    const purchase = await buyTexts(world, numbered(8));

    expect(purchase.ended).toBeUndefined();
    expect(kindsOf(purchase)).toEqual(Array(8).fill('vector'));
    expect(world.provider.requests.length).toBeLessThanOrEqual(1 + 15);
  });

  test('blames the culprits alone where it held good texts besides', async () => {
    const world = makeWorld();
    const spoiled = new Set(['text 1', 'text 6']);
    world.provider.script = request =>
      spoil(request, text => spoiled.has(text) || request.texts.some(other => spoiled.has(other)));

    const purchase = await buyTexts(world, numbered(8));

    expect(purchase.ended).toBeUndefined();
    expect(purchase.results.get(1)).toEqual({ kind: 'refused', code: 'invalid_vector' });
    expect(purchase.results.get(6)).toEqual({ kind: 'refused', code: 'invalid_vector' });
    expect(kindsOf(purchase).filter(kind => kind === 'vector')).toHaveLength(6);
  });
});

test('several unusable vectors among good ones are asked for once more, and then refused without halving', async () => {
  const world = makeWorld();
  const spoiled = new Set(['text 1', 'text 4', 'text 6']);
  world.provider.script = request => spoil(request, text => spoiled.has(text));

  const purchase = await buyTexts(world, numbered(8));

  expect(world.provider.requests.map(({ texts }) => texts.length)).toEqual([8, 3]);
  expect([1, 4, 6].map(position => purchase.results.get(position))).toEqual(
    Array(3).fill({ kind: 'refused', code: 'invalid_vector' }),
  );
  expect(purchase.results.size).toBe(8);
});
