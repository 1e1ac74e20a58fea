import { OpenAI } from 'openai';
import type { Network } from '../lib/adapters/network/open-network.ts';
import { createOpenAiProvider } from '../lib/adapters/providers/openai.ts';
import { createSystemClock } from '../lib/adapters/system.ts';
import { validateReply } from '../lib/core/reply.ts';
import { BytePieces, encodeVectorArray } from '../lib/core/vectors.ts';
import { vectorForText } from '../test/doubles/vector-for-text.ts';
import { makeModel } from '../test/factories/model-definition.ts';
import { median } from './apparatus/measurement.ts';

const DIMENSIONS = [384, 1536, 3072];
const TEXTS_PER_REPLY = 10;
const texts = Array.from({ length: TEXTS_PER_REPLY }, (_, index) => `text ${index}`);

type Encoding = 'base64' | 'float';

/**
 * Writes a reply as OpenAI does, with the same bytes for every contender.
 * There is no socket, so that only what happens to the body is measured.
 */
function writeReply(dimensions: number, encoding: Encoding): string {
  const data = texts.map((text, index) => {
    const bytes = vectorForText(text, dimensions);
    const embedding =
      encoding === 'base64'
        ? bytes.toString('base64')
        : Array.from({ length: dimensions }, (_, place) => bytes.readFloatLE(place * 4));
    return { object: 'embedding', index, embedding };
  });
  const usage = { prompt_tokens: 80, total_tokens: 80 };
  return JSON.stringify({ object: 'list', data, model: 'text-embedding-3-small', usage });
}

function openClient(body: string): OpenAI {
  const headers = { 'content-type': 'application/json' };
  return new OpenAI({
    apiKey: 'bench',
    baseURL: 'http://127.0.0.1:9/v1',
    fetch: async () => new Response(body, { headers }),
  });
}

const model = 'text-embedding-3-small';

/**
 * Reads a reply as Freshet does, up to what the writer stores.
 * Every vector is checked, and all of them become one binary `vector[]`. The body comes in one
 * piece, as the network reads a small body.
 */
function readOurs(body: string, dimensions: number): () => Promise<number> {
  const definition = makeModel({ modelId: model, dimensions });
  const network: Network = {
    post: async () => ({
      status: 200,
      headers: { get: () => null },
      body: new BytePieces([Buffer.from(body)]),
    }),
    stream: () => Promise.reject(new Error('no other request is made')),
    close: async () => undefined,
  };
  const access = { key: undefined, baseUrl: 'http://127.0.0.1:9/v1' };
  const provider = createOpenAiProvider(definition, access, network, createSystemClock());
  return async () => {
    const reply = await provider.embed({ texts, deadlineMs: 60_000 });
    const { vectors } = validateReply(reply, { count: texts.length, dimensions, normalized: true });
    return encodeVectorArray(vectors, dimensions).length;
  };
}

/**
 * Reads a reply by the `openai` package, into vectors of `number[]` that nobody checks.
 * What follows on the way to a database is left out.
 */
function readByDefault(client: OpenAI, encoding?: 'float'): () => Promise<number> {
  return async () => {
    const reply = await client.embeddings.create({
      model,
      input: texts,
      ...(encoding && { encoding_format: encoding }),
    });
    return reply.data.reduce((sum, { embedding }) => sum + embedding.length, 0);
  };
}

/** Measures the CPU of this process in milliseconds for 1,000 replies. */
async function measureCpu(read: () => Promise<number>, replies: number): Promise<number> {
  const atStart = process.cpuUsage();
  for (let count = 0; count < replies; count += 1) await read();
  const { user, system } = process.cpuUsage(atStart);
  return ((user + system) / 1000 / replies) * 1000;
}

/**
 * Compares Freshet and the `openai` package in reading replies, and prints medians.
 * The contenders take turns, after a turn of each that does not count.
 */
export async function benchDecode(options: {
  readonly replies: number;
  readonly repetitions: number;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { replies, repetitions, print } = options;
  print('| dimensions | freshet | `openai` default, base64 | times more | `openai`, floats | times more |');
  print('|---|---|---|---|---|---|');
  for (const dimensions of DIMENSIONS) {
    const body = writeReply(dimensions, 'base64');
    const inBase64 = openClient(body);
    const inFloats = openClient(writeReply(dimensions, 'float'));
    const contenders = [
      readOurs(body, dimensions),
      readByDefault(inBase64),
      readByDefault(inFloats, 'float'),
    ];
    for (const read of contenders) await measureCpu(read, Math.ceil(replies / 5));
    const rounds: number[][] = contenders.map(() => []);
    for (let round = 0; round < repetitions; round += 1)
      for (const [place, read] of contenders.entries()) rounds[place]?.push(await measureCpu(read, replies));
    const [ours = 0, base64 = 0, floats = 0] = rounds.map(median);
    const cells = [dimensions, ours.toFixed(0), base64.toFixed(0), (base64 / ours).toFixed(1)];
    print(`| ${[...cells, floats.toFixed(0), (floats / ours).toFixed(1)].join(' | ')} |`);
  }
}
