import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addHeaders, type Network, openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createHttpProvider } from '../../lib/adapters/providers/http.ts';
import { createOllamaProvider } from '../../lib/adapters/providers/ollama.ts';
import { createOpenAiProvider } from '../../lib/adapters/providers/openai.ts';
import { createSageMakerProvider, openInvoker } from '../../lib/adapters/providers/sagemaker.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { buyVectors } from '../../lib/pipeline/embed/buy-vectors.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';
import { type Answering, embed, sendJson } from '../doubles/behaviours/behaviour.ts';
import { PROTOCOLS } from '../doubles/behaviours/protocols.ts';
import { type BehaviourServer, startBehaviourServer } from '../doubles/behaviours/start-behaviour-server.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { makeModel } from '../factories/model-definition.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const clock = createNetworkClock();
const PROVIDERS = ['openai', 'http', 'ollama', 'sagemaker'] as const;
type Name = (typeof PROVIDERS)[number];

let network: Network;
const servers: BehaviourServer[] = [];
beforeEach(() => {
  network = openNetwork();
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()));
  await network.close();
});

/** A provider of this name, with what its server saw. */
async function open(name: Name, changes: Partial<ModelDefinition>, answer = embed, through = network) {
  const seen: Answering[] = [];
  const server = await startBehaviourServer(PROTOCOLS[name]);
  servers.push(server);
  server.behave(
    {
      ...{ name: 'watched', protocols: [name] },
      answer: answering => {
        seen.push(answering);
        answer(answering);
      },
    },
    () => undefined,
  );
  return { seen, provider: create(name, server.origin, changes, through) };
}

function create(
  name: Name,
  origin: string,
  changes: Partial<ModelDefinition>,
  through: Network,
): EmbeddingProvider {
  const model = makeModel({ provider: name, baseUrl: origin, endpointName: 'embeddings', ...changes });
  const key = undefined;
  if (name === 'openai') return createOpenAiProvider(model, { key, baseUrl: `${origin}/v1` }, through, clock);
  if (name === 'http') return createHttpProvider(model, { key }, through, clock);
  if (name === 'ollama') return createOllamaProvider(model, through, clock);
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret' };
  const invoker = openInvoker({ endpoint: origin, region: 'eu-central-1', credentials });
  return createSageMakerProvider(model, invoker, clock);
}

const row = { texts: ['a row'], deadlineMs: 5000 };
const search = { texts: ['a search'], deadlineMs: 5000, role: 'query' } as const;

describe.each(PROVIDERS)('%s', name => {
  it('sends the additional fields of a model with each call, and those of searches over them', async () => {
    const extraBody = { input_type: 'document', options: { task: ['retrieval', 1, null] } };
    const { provider, seen } = await open(name, { extraBody, queryExtraBody: { input_type: 'query' } });

    await provider.embed(row);
    await provider.embed(search);

    expect(seen[0]?.body).toMatchObject(extraBody);
    expect(seen[1]?.body).toMatchObject({ ...extraBody, input_type: 'query' });
    expect(seen.map(({ texts }) => texts)).toEqual([row.texts, search.texts]);
  });

  it('lets no additional field take the place of its own', async () => {
    const own = { model: 'x', input: ['x'], inputs: ['x'], texts: ['x'], normalize: 'x', truncate: 'x' };
    const { provider, seen } = await open(name, { extraBody: own, encodingFormat: 'float' });
    const { provider: plain, seen: plainly } = await open(name, { encodingFormat: 'float' });

    await provider.embed(row).catch(() => undefined);
    await plain.embed(row);

    expect(seen[0]?.body ?? {}).toMatchObject(plainly[0]?.body ?? { never: true });
  });

  it.skipIf(name === 'sagemaker')('asks another model for searches', async () => {
    const { provider, seen } = await open(name, { modelId: 'big', queryModelId: 'small' });

    await provider.embed(row);
    await provider.embed(search);

    expect(seen.map(({ body }) => body.model)).toEqual(['big', 'small']);
  });

  it.skipIf(name === 'sagemaker')('carries the headers of its model, beside its own', async () => {
    const through = addHeaders(network, { 'x-api-key': 'canary', 'content-type': 'text/plain' });
    const { provider, seen } = await open(name, {}, embed, through);

    await provider.embed(row);

    expect(seen[0]?.headers).toMatchObject({ 'x-api-key': 'canary', 'content-type': 'application/json' });
  });

  it('names an additional field that is refused, and the keys that change it', async () => {
    const refusing = ({ response }: Answering) =>
      sendJson(response, 422, { error: { code: 'bad', message: 'canary', param: 'input_type' } });
    const asTei = ({ response }: Answering) =>
      sendJson(
        response,
        424,
        { OriginalStatusCode: 400, OriginalMessage: 'canary: unknown input_type' },
        {
          'x-amzn-errortype': 'ModelError',
        },
      );
    const answer = name === 'sagemaker' ? asTei : refusing;
    const { provider } = await open(name, { extraBody: { input_type: 'passage' } }, answer);

    await expect(provider.embed(row)).rejects.toMatchObject({
      code: name === 'sagemaker' ? 'http_400' : 'parameter_input_type',
      message: expect.stringMatching(/^(?!.*canary).*input_type: change it .*extraBody, queryExtraBody/),
    });
  });
});

describe('a server of the openai kind', () => {
  const floats = ({ response, protocol, texts }: Answering) =>
    sendJson(response, 200, {
      data: protocol.vectorsOf(texts).map((embedding, index) => ({ index, embedding })),
    });
  const refusing =
    (body: unknown, refuses = (sent: Answering['body']) => sent.encoding_format === 'base64', status = 400) =>
    (answering: Answering) =>
      refuses(answering.body) ? sendJson(answering.response, status, body) : floats(answering);
  const formats = (seen: readonly Answering[]) => seen.map(({ body }) => body.encoding_format);

  it.each([400, 422])('that refuses base64 with %i is asked once more, and never again', async status => {
    const { provider, seen } = await open('openai', {}, refusing({ error: {} }, undefined, status));

    await provider.embed(row);
    await provider.embed(row);

    expect(formats(seen)).toEqual(['base64', undefined, undefined]);
  });

  it.each([
    ['says nothing', { error: {} }],
    ['echoes the request', { error: { message: '{"input":["canary"],"encoding_format":"base64"}' } }],
  ])('is not asked again for another reason once it has answered base64: it %s', async (_, body) => {
    let isRight = true;
    const answer = (answering: Answering) => (isRight ? embed(answering) : refusing(body)(answering));
    const { provider, seen } = await open('openai', {}, answer);

    await provider.embed(row);
    isRight = false;

    await expect(provider.embed(row)).rejects.toMatchObject({ code: 'http_400', failureClass: 'item' });
    expect(formats(seen)).toEqual(['base64', 'base64']);
  });

  it.each([
    ['base64', ['base64']],
    ['float', ['float']],
    ['omit', [undefined]],
  ] as const)('is asked as encodingFormat says: %s', async (encodingFormat, expected) => {
    const { provider, seen } = await open('openai', { encodingFormat });

    expect((await provider.embed(row)).items).toHaveLength(1);
    expect(formats(seen)).toEqual(expected);
    expect(Object.hasOwn(seen[0]?.body ?? {}, 'encoding_format')).toBe(encodingFormat !== 'omit');
  });

  it('that refuses what encodingFormat says is told with the key', async () => {
    const named = { error: { param: 'encoding_format', message: 'canary' } };
    const { provider, seen } = await open('openai', { encodingFormat: 'base64' }, refusing(named));

    await expect(provider.embed(row)).rejects.toMatchObject({
      ...{ failureClass: 'stop', code: 'parameter_encoding_format' },
      message: expect.stringMatching(/encoding_format: .*encodingFormat: 'float' or 'omit'/),
    });
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['in a place of its own', { error: { param: 'dimensions', message: 'canary' } }],
    ['as FastAPI does', { detail: [{ loc: ['body', 'dimensions'], msg: 'canary' }] }],
    ['in a sentence', { error: { message: 'canary: dimensions is not supported', param: null } }],
  ])('that refuses every call for its dimensions %s stops with the key', async (_, body) => {
    const dimensions = { dimensions: 8, sendDimensions: true };
    const answer = ({ response }: Answering) => sendJson(response, 400, body);
    const { provider } = await open('openai', dimensions, answer);
    const space = makeSpace({ model: dimensions });
    const world = makeWorld([space]);
    const ports = { ...world.embedPorts, providers: () => provider };
    const texts = ['a', 'b', 'c'].map(text => ({ text, contentHash: text, rows: [] }));

    const { ended, results } = await buyVectors(ports, space, 'fresh', texts, () => 600_000);

    expect(results.size).toBe(0);
    expect(ended?.failureClass).toBe('stop');
    expect(ended?.message).toMatch(/^(?!.*canary).*dimensions: send none \(sendDimensions: false\)/);
  });

  it('that quotes a text with the word dimensions refuses that text alone', async () => {
    const text = 'the dimensions of the room';
    const answer = (answering: Answering) =>
      answering.texts.includes(text)
        ? sendJson(answering.response, 400, { error: { message: `bad input: ${text}` } })
        : embed(answering);
    const { provider } = await open('openai', { sendDimensions: true }, answer);
    const space = makeSpace({ model: { dimensions: 8, sendDimensions: true } });
    const world = makeWorld([space]);
    const ports = { ...world.embedPorts, providers: () => provider };
    const texts = ['a', text, 'c'].map(each => ({ text: each, contentHash: each, rows: [] }));

    const { ended, results } = await buyVectors(ports, space, 'fresh', texts, () => 600_000);

    expect(ended).toBeUndefined();
    expect([0, 1, 2].map(position => results.get(position)?.kind)).toEqual(['vector', 'refused', 'vector']);
  });
});
