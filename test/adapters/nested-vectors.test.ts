import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FreshetError } from '../../lib/core/errors.ts';
import { validateReply } from '../../lib/core/reply.ts';
import type { Behaviour } from '../doubles/behaviours/behaviour.ts';
import { sendJson } from '../doubles/behaviours/behaviour.ts';
import { DIMENSIONS, PROTOCOLS, type Protocol, type ProtocolName } from '../doubles/behaviours/protocols.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { openStage, type Stage } from './observe-behaviour.ts';

const texts = ['one', 'two'];
const stages = new Map<ProtocolName, Stage>();

beforeAll(async () => {
  for (const name of Object.keys(PROTOCOLS) as ProtocolName[]) stages.set(name, await openStage(name));
});
afterAll(async () => {
  await Promise.all([...stages.values()].map(stage => stage.close()));
});

/** The right answer, but that these stand where its vectors are; numbers as they are, not as base64. */
function answerWith(vectors: readonly unknown[]): Behaviour {
  const compose = (protocol: Protocol, body: Readonly<Record<string, unknown>>) => {
    const right = protocol.compose(protocol.vectorsOf(texts), body) as Record<string, unknown>;
    if (!('data' in right))
      return protocol.name === 'http' ? { dim: DIMENSIONS, vectors } : protocol.compose(vectors, body);
    return { ...right, data: vectors.map((embedding, index) => ({ index, embedding })) };
  };
  return {
    name: 'nested',
    protocols: [],
    answer: ({ response, protocol, body }) => sendJson(response, 200, compose(protocol, body)),
  };
}

async function embed(name: ProtocolName, change: (vector: number[], place: number) => unknown) {
  const { server, protocol, provider } = { ...stages.get(name)!, protocol: PROTOCOLS[name] };
  server.behave(answerWith(protocol.vectorsOf(texts).map(change)), () => undefined);
  const { items } = await provider(createNetworkClock()).embed({ texts, deadlineMs: 5000 });
  return validateReply({ items }, { count: texts.length, dimensions: DIMENSIONS, normalized: true });
}

const refuse = (name: ProtocolName, change: (vector: number[], place: number) => unknown) =>
  embed(name, change).then(
    () => expect.unreachable(),
    (error: FreshetError) => error,
  );

const right = texts.map(text => vectorForText(text, DIMENSIONS));

describe.each(Object.keys(PROTOCOLS) as ProtocolName[])('a reply whose vectors are nested (%s)', name => {
  it('is read where each list holds one vector', async () => {
    expect(await embed(name, vector => [vector])).toMatchObject({ vectors: right, invalid: [] });
  });

  it('is advised of the dimensions of the inner list, not of their number', async () => {
    const error = await refuse(name, vector => [[...vector, ...vector]]);

    // The reply of `http` contradicts its own `dim` then.
    if (name !== 'http') expect(error.message).toContain(`Set the model's dimensions to ${2 * DIMENSIONS}`);
    expect(error.message).not.toContain('1 dimensions');
  });

  it.each([
    ['as many for each text', () => 3],
    ['as many as they have tokens', (place: number) => 2 + place],
    ['one for a text of one token', (place: number) => 1 + place],
    ['as many as there are dimensions', () => DIMENSIONS],
  ])('names pooling where it has several vectors for a text: %s', async (_, count) => {
    const error = await refuse(name, (vector, place) => Array(count(place)).fill(vector));

    expect(error).toMatchObject({ code: 'token_vectors', failureClass: 'stop' });
    expect(error.message).toMatch(/without pooling.*--pooling mean/);
  });

  it('costs one text alone its vector where the others are right', async () => {
    const { vectors, invalid } = await embed(name, (vector, place) =>
      place === 0 ? [vector, vector] : vector,
    );

    expect({ vectors, invalid }).toEqual({ vectors: [null, right[1]], invalid: [0] });
  });

  it('gives no advice on dimensions where lists hold no numbers', async () => {
    expect((await embed(name, () => ['canary', 'words'])).invalid).toEqual([0, 1]);
  });
});
