import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createHttpProvider } from '../../../lib/adapters/http/http-provider.ts';
import type { ResolveName } from '../../../lib/adapters/network/guarded-lookup.ts';
import { openNetwork } from '../../../lib/adapters/network/open-network.ts';
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

it('never connects to where a name of this machine should not lead, and says so as a fault to mend', async () => {
  const { port, counts } = await startCounting();
  const elsewhere: ResolveName = (_, __, callback) =>
    callback(null, [{ address: '169.254.169.254', family: 4 }]);
  const network = openNetwork(elsewhere);
  ended.unshift(() => network.close());
  const model = makeModel({ provider: 'http', baseUrl: `http://localhost:${port}` });
  const provider = createHttpProvider(model, { key: undefined }, network, createNetworkClock());

  await expect(provider.embed({ texts: ['a'], deadlineMs: 1000 })).rejects.toMatchObject({
    failureClass: 'stop',
    code: 'forbidden_address',
  });
  expect(counts.connections).toBe(0);
});

it('ends a call that is called off', async () => {
  const { port } = await startCounting();
  const network = openNetwork();
  ended.unshift(() => network.close());

  await expect(post(network, `http://127.0.0.1:${port}/`, AbortSignal.abort())).rejects.toThrow();
});
