import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Network, openNetwork } from '../../../lib/adapters/network/open-network.ts';
import { readProxies } from '../../../lib/adapters/network/proxies.ts';
import { createHttpProvider } from '../../../lib/adapters/providers/http.ts';
import { createOllamaProvider } from '../../../lib/adapters/providers/ollama.ts';
import { createOpenAiProvider } from '../../../lib/adapters/providers/openai.ts';
import { createHttpWebhook } from '../../../lib/adapters/webhook.ts';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { UsageError } from '../../../lib/core/errors.ts';
import { createLocalAccess, createProviders } from '../../../lib/wiring/providers.ts';
import { readEnvironment } from '../../../lib/wiring/workspace.ts';
import { type ConnectProxy, startConnectProxy } from '../../doubles/connect-proxy.ts';
import { createNetworkClock } from '../../doubles/network-clock.ts';
import { makeModel } from '../../factories/model-definition.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');
const ended: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ended.splice(0)) await end();
});

const EMBEDDING = { index: 0, embedding: [1] };
const ANSWER = { data: [EMBEDDING], dim: 1, vectors: [[1]], embeddings: [[1]] };
const answer: RequestListener = (request, response) => {
  request.resume().on('end', () => response.end(JSON.stringify(ANSWER)));
};

/** A server of models, and a proxy that leads to it. */
async function start(scheme: 'http' | 'https'): Promise<{ port: number; proxy: ConnectProxy }> {
  const pem = (name: string) => readFileSync(join(TLS, name));
  const server =
    scheme === 'http'
      ? createServer(answer)
      : createTlsServer({ key: pem('server-key.pem'), cert: pem('server.pem') }, answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = await startConnectProxy(port);
  ended.push(async () => {
    await proxy.close();
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  return { port, proxy };
}

function openThrough(variables: Record<string, string>): Network {
  const network = openNetwork((name, _, callback) => {
    const failure = new Error(`${name} is for the proxy alone`);
    callback(Object.assign(failure, { code: 'ENOTFOUND' }), []);
  }, readProxies(variables));
  ended.unshift(() => network.close());
  return network;
}

const clock = createNetworkClock();
const model = (baseUrl: string) => makeModel({ baseUrl, dimensions: 1, allowHttp: true });
const ADAPTERS = [
  [
    'openai',
    (url: string, network: Network) => createOpenAiProvider(model(url), { key: undefined }, network, clock),
  ],
  [
    'http',
    (url: string, network: Network) => createHttpProvider(model(url), { key: undefined }, network, clock),
  ],
  ['ollama', (url: string, network: Network) => createOllamaProvider(model(url), network, clock)],
] as const;
const call = { texts: ['a'], deadlineMs: 10_000 };
/** The certificate of the tests is another host's: what is tested is the way to it. */
const trustEverybody = () => vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');

describe.each(ADAPTERS)('%s', (_, create) => {
  it.each(['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])(
    'connects through the proxy of %s',
    async variable => {
      trustEverybody();
      const { proxy } = await start('https');
      const network = openThrough({ [variable]: `http://127.0.0.1:${proxy.port}` });

      const provider = create('https://models.example/v1', network);
      for (let count = 0; count < 3; count += 1) expect((await provider.embed(call)).items).toHaveLength(1);

      expect(new Set(proxy.targets)).toEqual(new Set(['models.example:443']));
      expect(proxy.targets.length).toBeLessThanOrEqual(2);
    },
  );

  it('sends through the proxy of HTTP_PROXY what goes by http', async () => {
    const { proxy } = await start('http');
    const network = openThrough({ HTTP_PROXY: `127.0.0.1:${proxy.port}` });

    const { items } = await create('http://models.internal:8080', network).embed(call);

    expect(items).toHaveLength(1);
    expect(proxy.targets).toEqual([expect.stringMatching(/^http:\/\/models\.internal:8080\//)]);
  });

  it.each(['models.example', '.example', '*.example', 'other.host, models.example:443', '*'])(
    'asks no proxy for a host of NO_PROXY: %s',
    async noProxy => {
      const { proxy } = await start('https');
      const network = openThrough({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: noProxy });

      await expect(create('https://models.example/v1', network).embed(call)).rejects.toMatchObject({
        code: 'network_enotfound',
      });
      expect(proxy.targets).toEqual([]);
    },
  );

  it('asks no proxy for this machine', async () => {
    const { port, proxy } = await start('http');
    const network = openNetwork(undefined, readProxies({ HTTP_PROXY: `http://127.0.0.1:${proxy.port}` }));
    ended.unshift(() => network.close());

    expect((await create(`http://localhost:${port}`, network).embed(call)).items).toHaveLength(1);
    expect(proxy.targets).toEqual([]);
  });

  it('gives the user and password of the proxy to the proxy', async () => {
    trustEverybody();
    const { proxy } = await start('https');
    const network = openThrough({ HTTPS_PROXY: `http://u%40d:p%2Fw@127.0.0.1:${proxy.port}` });

    await create('https://models.example', network).embed(call);

    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from('u@d:p/w').toString('base64')}`]);
  });

  it.each([
    [407, 'stop', 'proxy_unauthorized', /asks for another user or password \(407\).*percent-encoded/],
    [403, 'stop', 'proxy_refused', /refused to connect \(403\).*NO_PROXY/],
    [502, 'transient', 'proxy_failed', /could not connect \(502\).*NO_PROXY/],
  ])('says what a proxy that answers %i wants', async (status, failureClass, code, message) => {
    const { proxy } = await start('https');
    proxy.status = status;
    const network = openThrough({ HTTPS_PROXY: `http://user:canary@127.0.0.1:${proxy.port}` });

    const error = await create('https://models.example', network)
      .embed(call)
      .catch(reason => reason);

    expect(error).toMatchObject({ failureClass, code, message: expect.stringMatching(message) });
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('canary');
  });

  it('says what a proxy of http wants that answers 407', async () => {
    const { proxy } = await start('http');
    proxy.status = 407;
    const network = openThrough({ HTTP_PROXY: `http://127.0.0.1:${proxy.port}` });

    await expect(create('http://models.internal', network).embed(call)).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'proxy_unauthorized',
    });
  });

  it('says that the proxy is what cannot be reached', async () => {
    const { proxy } = await start('https');
    await proxy.close();
    const network = openThrough({ HTTPS_PROXY: `http://user:canary@127.0.0.1:${proxy.port}` });

    await expect(create('https://models.example', network).embed(call)).rejects.toMatchObject({
      failureClass: 'transient',
      code: 'proxy_unreachable',
      message: expect.stringMatching(
        /^(?!.*canary)The proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be reached/,
      ),
    });
  });
});

it('sends an alarm to a webhook through the proxy, and says what the proxy answers', async () => {
  trustEverybody();
  const { proxy } = await start('https');
  const network = openThrough({ HTTPS_PROXY: `http://user:canary@127.0.0.1:${proxy.port}` });
  const secrets = { read: async () => 'https://hooks.example/services/canary' };
  const webhook = createHttpWebhook({ secrets, secretArn: 'arn', network });

  await webhook.post('an alarm');
  expect(proxy.targets).toEqual(['hooks.example:443']);

  proxy.status = 407;
  const again = openThrough({ HTTPS_PROXY: `http://user:canary@127.0.0.1:${proxy.port}` });
  await expect(
    createHttpWebhook({ secrets, secretArn: 'arn', network: again }).post('an alarm'),
  ).rejects.toMatchObject({ code: 'proxy_unauthorized', message: expect.not.stringContaining('canary') });
});

it('is what the environment of a run names, and a forbidden address is refused before it', async () => {
  trustEverybody();
  const { proxy } = await start('https');
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${proxy.port}`);
  vi.stubEnv('NO_PROXY', '');
  vi.stubEnv('no_proxy', '');
  const source = { name: 'items', table: 'items', text: { columns: ['title'] }, model: 'm' };
  const open = (baseUrl: string) => {
    const m = { provider: 'openai', modelId: 'm', dimensions: 1, baseUrl } as const;
    const config = parseConfig({ models: { m }, sources: [source] });
    return createProviders(config, createLocalAccess(readEnvironment({ OPENAI_API_KEY: 'k' })), clock);
  };

  const providers = await open('https://models.example/v1');
  await providers.get('m')?.embed(call);

  expect(proxy.targets).toEqual(['models.example:443']);
  await expect(open('https://169.254.169.254/v1')).rejects.toThrow(UsageError);
});

describe('readProxies', () => {
  it('reads nothing where nothing is set', () => {
    expect(readProxies({ NO_PROXY: 'a.example', HTTPS_PROXY: ' ' })).toBeUndefined();
  });

  it('lets the name in lower case win, and completes what has no scheme', () => {
    expect(
      readProxies({ https_proxy: 'lower.example:3128', HTTPS_PROXY: 'http://upper.example', no_proxy: 'a' }),
    ).toEqual({ httpProxy: '', httpsProxy: 'http://lower.example:3128/', noProxy: 'a' });
  });

  it('asks the proxy for all where none is named for the scheme', () => {
    const all = 'http://all.example:3128/';

    expect(readProxies({ ALL_PROXY: all })).toEqual({ httpProxy: all, httpsProxy: all, noProxy: '' });
    expect(readProxies({ ALL_PROXY: all, HTTPS_PROXY: 'http://own.example:1' })).toEqual({
      ...{ httpProxy: all, httpsProxy: 'http://own.example:1/', noProxy: '' },
    });
  });

  it('does not look at the proxy for all where each scheme has its own', () => {
    const own = { HTTP_PROXY: 'http://own.example:1', HTTPS_PROXY: 'http://own.example:2' };

    expect(readProxies({ ...own, all_proxy: 'socks5://other.example:1080' })).toMatchObject({
      httpsProxy: 'http://own.example:2/',
    });
    expect(() => readProxies({ all_proxy: 'socks5://user:canary@other.example:1080' })).toThrow(
      /^(?!.*canary)ALL_PROXY names no proxy of http or https/,
    );
  });

  it('looks at no proxy where NO_PROXY is for every host', () => {
    expect(readProxies({ ALL_PROXY: 'socks5://other.example:1080', no_proxy: '*' })).toBeUndefined();
  });

  it.each([
    ['this machine', 'http://127.0.0.1:11434', {}],
    ['a host that NO_PROXY lists', 'https://m.example/v1', { NO_PROXY: 'a.example, m.example' }],
    ['a host below what NO_PROXY lists', 'https://a.m.example/v1', { NO_PROXY: '*.M.example' }],
    ['all hosts, which NO_PROXY lists among others', 'http://m.example', { NO_PROXY: 'a.example:1,*:80' }],
    ['a port that NO_PROXY lists', 'http://m.example:8080/v1', { NO_PROXY: '.m.example:8080' }],
    ['a scheme that has a proxy', 'https://m.example/v1', { HTTPS_PROXY: 'http://own.example' }],
  ])('does not look at a proxy that no call goes through: %s', (_, url, variables) => {
    const ALL_PROXY = 'socks5://other.example:1080';

    expect(() => readProxies({ ALL_PROXY, ...variables }, [url])).not.toThrow();
    expect(() => readProxies({ ALL_PROXY, ...variables }, [url, 'http://b.example:81'])).toThrow(UsageError);
  });

  it.each([
    ['https://m.example/v1', 'm.example:8443'],
    ['https://m.example/v1', '*.m.example'],
    ['https://anm.example/v1', 'm.example'],
  ])('looks at a proxy that calls to %s go through, although NO_PROXY lists %s', (url, NO_PROXY) => {
    const read = () => readProxies({ ALL_PROXY: 'socks5://other.example:1080', NO_PROXY }, [url]);

    expect(read).toThrow(UsageError);
    const { httpProxy, httpsProxy } = readProxies({ HTTP_PROXY: 'http://p.example', NO_PROXY }, [url]) ?? {};
    expect([httpProxy, httpsProxy]).toEqual(['http://p.example/', '']);
  });

  it.each([
    ['socks5://user:canary@proxy.example:1080', /HTTPS_PROXY names no proxy of http or https/],
    ['http://user:canary@', /HTTPS_PROXY is no address of a proxy/],
    ['http://user:canary%ZZ@proxy.example', /HTTPS_PROXY is no address of a proxy/],
  ])('refuses %s, and repeats nothing of it', (HTTPS_PROXY, expected) => {
    expect(() => readProxies({ HTTPS_PROXY })).toThrow(expected);
    expect(() => readProxies({ HTTPS_PROXY })).toThrow(/^(?!.*canary)/);
  });
});
