import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResolveName } from '../../../lib/adapters/network/addresses.ts';
import { type Network, openNetwork } from '../../../lib/adapters/network/open-network.ts';
import { createHttpProvider } from '../../../lib/adapters/providers/http.ts';
import { createOllamaProvider } from '../../../lib/adapters/providers/ollama.ts';
import { createOpenAiProvider } from '../../../lib/adapters/providers/openai.ts';
import type { EmbeddingProvider } from '../../../lib/ports/provider.ts';
import { createNetworkClock } from '../../doubles/network-clock.ts';
import { makeModel } from '../../factories/model-definition.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

async function startCounting() {
  const counts = { connections: 0, requests: 0 };
  const server = createServer((request, response) => {
    counts.requests += 1;
    request.resume().on('end', () => response.end('{"dim":1,"vectors":[[1]]}'));
  });
  server.on('connection', () => {
    counts.connections += 1;
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  ended.push(() => new Promise(resolve => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, counts };
}

const post = (network: ReturnType<typeof openNetwork>, url: string, signal = new AbortController().signal) =>
  network.post({ url, headers: {}, body: '{}', signal, maxAnswerBytes: 1000 });

it('keeps its connections from one call to the next', async () => {
  const { port, counts } = await startCounting();
  const network = openNetwork();
  ended.unshift(() => network.close());

  for (let call = 0; call < 20; call += 1) await post(network, `http://127.0.0.1:${port}/`);

  expect(counts.requests).toBe(20);
  // A second one is opened where the first has not been given back yet.
  expect(counts.connections).toBeLessThanOrEqual(2);
});

const clock = createNetworkClock();
const ADAPTERS: readonly [string, (baseUrl: string, network: Network) => EmbeddingProvider][] = [
  [
    'openai',
    (baseUrl, network) => createOpenAiProvider(makeModel({ baseUrl }), { key: undefined }, network, clock),
  ],
  [
    'http',
    (baseUrl, network) => createHttpProvider(makeModel({ baseUrl }), { key: undefined }, network, clock),
  ],
  ['ollama', (baseUrl, network) => createOllamaProvider(makeModel({ baseUrl }), network, clock)],
];

describe.each(ADAPTERS)('%s', (_, create) => {
  it.each([
    ['a name of this machine', 'localhost', '169.254.169.254'],
    ['a name of this machine', 'localhost', '203.0.113.7'],
    ['any other name', 'models.example', '169.254.169.254'],
    ['any other name', 'models.example', 'fd00:ec2::254'],
    ['any other name', 'models.example', '::ffff:169.254.170.2'],
  ])(
    'never connects where %s (%s) leads to %s, and says so as a fault to mend',
    async (_name, host, address) => {
      const { port, counts } = await startCounting();
      const asked: string[] = [];
      const elsewhere: ResolveName = (name, __, callback) => {
        asked.push(name);
        callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
      };
      const network = openNetwork(elsewhere);
      ended.unshift(() => network.close());
      const scheme = host === 'localhost' ? 'http' : 'https';

      const call = create(`${scheme}://${host}:${port}`, network).embed({ texts: ['a'], deadlineMs: 1000 });

      await expect(call).rejects.toMatchObject({ failureClass: 'stop', code: 'forbidden_address' });
      expect(asked).toEqual([host]);
      expect(counts.connections).toBe(0);
    },
  );
});

const ALLOWING: readonly [string, (baseUrl: string, network: Network) => EmbeddingProvider][] = [
  [
    'openai',
    (baseUrl, network) =>
      createOpenAiProvider(makeModel({ baseUrl, allowHttp: true }), { key: undefined }, network, clock),
  ],
  [
    'http',
    (baseUrl, network) =>
      createHttpProvider(makeModel({ baseUrl, allowHttp: true }), { key: undefined }, network, clock),
  ],
  [
    'ollama',
    (baseUrl, network) => createOllamaProvider(makeModel({ baseUrl, allowHttp: true }), network, clock),
  ],
];

describe.each(ALLOWING)('%s with allowHttp', (_, create) => {
  it('asks a name of the private network, and never once it leads elsewhere', async () => {
    const { port, counts } = await startCounting();
    const answers = ['127.0.0.1', '203.0.113.7', '169.254.169.254', 'fd00:ec2::254'];
    const rebinding: ResolveName = (__, ___, callback) => {
      const address = answers.shift() ?? '';
      callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
    };
    const ask = async () => {
      const network = openNetwork(rebinding);
      ended.unshift(() => network.close());
      const provider = create(`http://models.internal:${port}`, network);
      return provider.embed({ texts: ['a'], deadlineMs: 1000 }).catch(error => error.code);
    };

    await ask();
    expect(counts.requests).toBe(1);
    expect(await ask()).toBe('forbidden_address');
    expect(await ask()).toBe('forbidden_address');
    expect(await ask()).toBe('forbidden_address');
    expect(answers).toEqual([]);
    expect(counts.connections).toBe(1);
  });
});

it('ends a call that is called off', async () => {
  const { port } = await startCounting();
  const network = openNetwork();
  ended.unshift(() => network.close());

  await expect(post(network, `http://127.0.0.1:${port}/`, AbortSignal.abort())).rejects.toThrow();
});
