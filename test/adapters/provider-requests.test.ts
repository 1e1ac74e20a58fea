import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Network, openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createHttpProvider } from '../../lib/adapters/providers/http.ts';
import { createOllamaProvider } from '../../lib/adapters/providers/ollama.ts';
import { createSageMakerProvider, openInvoker } from '../../lib/adapters/providers/sagemaker.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { type Answering, embed } from '../doubles/behaviours/behaviour.ts';
import { PROTOCOLS, type ProtocolName } from '../doubles/behaviours/protocols.ts';
import { type BehaviourServer, startBehaviourServer } from '../doubles/behaviours/start-behaviour-server.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { neverAnswer, startScriptedAwsServer } from '../doubles/scripted-aws-server.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { makeModel } from '../factories/model-definition.ts';

const clock = createNetworkClock();
let network: Network;
let server: BehaviourServer | undefined;
beforeEach(() => {
  network = openNetwork();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await network.close();
});

/** What the server saw, one entry per call. */
async function listen(protocol: ProtocolName): Promise<{ origin: string; seen: Answering[] }> {
  const seen: Answering[] = [];
  server = await startBehaviourServer(PROTOCOLS[protocol]);
  const answer = (answering: Answering) => {
    seen.push(answering);
    embed(answering);
  };
  server.behave({ name: 'watched', protocols: [protocol], answer }, () => undefined);
  return { origin: server.origin, seen };
}

const call = { texts: ['one', 'zwei 🌊'], deadlineMs: 5000 };
const vectors = call.texts.map((text, index) => ({ index, bytes: vectorForText(text, 8) }));

describe('http', () => {
  it('sends model, texts, normalize and the token, and reads the vectors as bytes', async () => {
    const { origin, seen } = await listen('http');
    const model = makeModel({ provider: 'http', baseUrl: `${origin}/`, modelId: 'bge-m3' });
    const provider = createHttpProvider(model, { key: async () => 'token' }, network, clock);

    const reply = await provider.embed(call);

    expect(reply.items).toEqual(vectors);
    expect(seen[0]?.body).toEqual({ model: 'bge-m3', texts: call.texts, normalize: true });
    expect(seen[0]?.headers.authorization).toBe('Bearer token');
  });

  it('sends no token where there is none, and the hash of each text where it is told to', async () => {
    const { origin, seen } = await listen('http');
    const model = makeModel({ provider: 'http', baseUrl: origin, sendTextHashes: true });

    await createHttpProvider(model, { key: undefined }, network, clock).embed(call);

    expect(seen[0]?.headers.authorization).toBeUndefined();
    expect(seen[0]?.body.vector_text_hash).toEqual(
      call.texts.map(text => createHash('sha256').update(text).digest('hex')),
    );
  });

  it('packs as the model says, and never more than it can take', () => {
    const limitsOf = (maxTextsPerCall?: number) =>
      createHttpProvider(
        makeModel({ baseUrl: 'https://embed.example', limits: { maxTextsPerCall } }),
        { key: undefined },
        network,
        clock,
      ).limits.maxTextsPerCall;

    expect([limitsOf(), limitsOf(7), limitsOf(500), limitsOf(1_000_000)]).toEqual([100, 7, 500, 2048]);
  });

  it('asks for its address', () => {
    expect(() => createHttpProvider(makeModel(), { key: undefined }, network, clock)).toThrow(UsageError);
  });
});

describe('ollama', () => {
  it('lets the server cut texts, and reads vectors and tokens', async () => {
    const { origin, seen } = await listen('ollama');
    const model = makeModel({ provider: 'ollama', baseUrl: origin, sendDimensions: false });

    const reply = await createOllamaProvider(model, network, clock).embed(call);

    expect(reply).toMatchObject({ items: vectors, tokens: 9, model: model.modelId });
    expect(seen[0]?.body).toEqual({ model: model.modelId, input: call.texts, truncate: true });
  });

  it('never sends an empty list or an empty text', async () => {
    const { origin, seen } = await listen('ollama');
    const provider = createOllamaProvider(makeModel({ baseUrl: origin }), network, clock);

    expect((await provider.embed({ texts: [], deadlineMs: 1000 })).items).toEqual([]);
    await expect(provider.embed({ texts: ['a', ''], deadlineMs: 1000 })).rejects.toMatchObject({
      failureClass: 'item',
      code: 'empty_text',
    });
    expect(seen).toEqual([]);
  });

  it('says how to get a model that was never pulled', async () => {
    const { origin } = await listen('ollama');
    server?.behave(
      {
        name: 'missing',
        protocols: ['ollama'],
        answer: ({ response }) =>
          void response.writeHead(404).end('{"error":"model \\"canary\\" not found"}'),
      },
      () => undefined,
    );
    const model = makeModel({ baseUrl: origin, modelId: 'bge-m3' });

    await expect(createOllamaProvider(model, network, clock).embed(call)).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'model_not_found',
      message: 'Ollama has no model bge-m3: run "ollama pull bge-m3", then go on.',
    });
  });
});

describe('sagemaker', () => {
  function watch(model: Parameters<typeof makeModel>[0]) {
    const requests: Parameters<Parameters<typeof createSageMakerProvider>[1]>[0][] = [];
    const provider = createSageMakerProvider(
      makeModel({ provider: 'sagemaker', endpointName: 'embeddings', ...model }),
      async request => {
        requests.push(request);
        const { inputs } = JSON.parse(request.body.toString()) as { inputs: string[] };
        const body = Buffer.from(JSON.stringify(PROTOCOLS.sagemaker.vectorsOf(inputs)));
        return { body, requestId: '0b2fe6a6-6f0c-4ad4-8a1c-6ad3a4f7d2aa' };
      },
      clock,
    );
    return { requests, provider };
  }

  it('asks TEI to cut and to normalise, at the component of the endpoint', async () => {
    const { requests, provider } = watch({ inferenceComponentName: 'bge', normalized: false });

    const reply = await provider.embed(call);

    expect(reply).toMatchObject({ items: vectors, requestId: '0b2fe6a6-6f0c-4ad4-8a1c-6ad3a4f7d2aa' });
    expect(requests[0]).toMatchObject({ endpointName: 'embeddings', inferenceComponentName: 'bge' });
    expect(JSON.parse(String(requests[0]?.body))).toEqual({
      inputs: call.texts,
      normalize: false,
      truncate: true,
      dimensions: 8,
    });
  });

  it('packs by what TEI takes, and by what fits into a reply', () => {
    const textsOf = (dimensions: number, maxTextsPerCall?: number) =>
      watch({ dimensions, limits: { maxTextsPerCall } }).provider.limits.maxTextsPerCall;

    expect([textsOf(384), textsOf(384, 256), textsOf(384, 10_000)]).toEqual([32, 256, 512]);
    expect(textsOf(3072, 256)).toBe(97);
    expect(textsOf(16_000)).toBe(18);
  });

  it('sends no request over the limit, though its texts are under it', async () => {
    const { requests, provider } = watch({});
    const text = '\u0001'.repeat(400_000);

    await expect(provider.embed({ texts: [text], deadlineMs: 1000 })).rejects.toMatchObject({
      failureClass: 'too-large',
      code: 'payload_too_large',
    });
    expect(requests).toEqual([]);
  });

  it.each([
    ['as TEI starts', undefined, 2_000_000],
    ["at InvokeEndpoint's own limit", 5_000_000, 6_000_000],
  ])(
    'sends a body of exactly the limit %s, and none of a byte more',
    async (_, maxBytesPerCall, mostBytes) => {
      const { requests, provider } = watch({ limits: { maxBytesPerCall } });
      const bytesOf = (texts: readonly string[]) =>
        Buffer.byteLength(JSON.stringify({ inputs: texts, normalize: true, truncate: true, dimensions: 8 }));
      // A quotation mark is one byte of the text and two of the body.
      const quotes = '"'.repeat(mostBytes / 4);
      const filled = `${quotes}${'a'.repeat(mostBytes - bytesOf([quotes]))}`;

      await provider.embed({ texts: [filled], deadlineMs: 1000 });

      expect(requests[0]?.body.length).toBe(mostBytes);
      await expect(provider.embed({ texts: [`${filled}a`], deadlineMs: 1000 })).rejects.toMatchObject({
        failureClass: 'too-large',
        code: 'payload_too_large',
      });
      expect(requests).toHaveLength(1);
    },
  );

  it.each([384, 768, 1024, 1536, 3072, 16_000])(
    'asks for as many vectors of %i dimensions as 6 MB hold at 20 characters a float, and no more than 512',
    dimensions => {
      const { maxTextsPerCall } = watch({ dimensions, limits: { maxTextsPerCall: 512 } }).provider.limits;
      const bytesOf = (texts: number) => texts * dimensions * 20;

      expect(bytesOf(maxTextsPerCall)).toBeLessThanOrEqual(6_000_000);
      if (maxTextsPerCall < 512) expect(bytesOf(maxTextsPerCall + 1)).toBeGreaterThan(6_000_000);
    },
  );

  it('gives up by itself where the socket stays silent, as the SDK would only warn of', async () => {
    const silent = await startScriptedAwsServer([neverAnswer]);
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const endpoint = silent.access.endpoint ?? '';
    const invoke = openInvoker({ region: 'eu-central-1', endpoint, credentials, requestTimeoutMs: 500 });
    const model = makeModel({ provider: 'sagemaker', endpointName: 'embeddings' });
    const provider = createSageMakerProvider(model, invoke, createNetworkClock());

    await expect(provider.embed(call)).rejects.toMatchObject({ failureClass: 'transient', code: 'timeout' });
    expect(silent.requests).toHaveLength(1);
    await silent.close();
  });

  it('asks for the name of its endpoint', () => {
    expect(() => watch({ endpointName: undefined })).toThrow(UsageError);
  });
});
