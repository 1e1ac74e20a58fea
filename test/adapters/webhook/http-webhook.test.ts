import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Network, openNetwork } from '../../../lib/adapters/network/open-network.ts';
import { createHttpWebhook } from '../../../lib/adapters/webhook.ts';
import { FreshetError } from '../../../lib/core/errors.ts';
import { BytePieces } from '../../../lib/core/vectors.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

interface Received {
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  readonly body: unknown;
}

/** Answers with the statuses in turn, the last one for ever. */
async function startReceiver(...statuses: number[]) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    received.push({ path: request.url, contentType: request.headers['content-type'], body });
    response.writeHead(statuses.length > 1 ? statuses.shift()! : (statuses[0] ?? 200)).end('no_team SECRET');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  ended.push(() => new Promise(resolve => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

function openWebhook(...addresses: string[]) {
  const network = openNetwork();
  ended.unshift(() => network.close());
  const reads: boolean[] = [];
  const secrets = {
    async read(_arn: string, { fresh } = { fresh: false }) {
      reads.push(fresh);
      return addresses.length > 1 && reads.length > 1 ? addresses[1]! : addresses[0]!;
    },
  };
  return { webhook: createHttpWebhook({ secrets, secretArn: 'arn', network }), reads };
}

const failureOf = async (promise: Promise<void>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FreshetError);
  return error as FreshetError;
};

describe('the webhook', () => {
  test('takes a post as JSON at the address of the secret', async () => {
    const { url, received } = await startReceiver(200);
    const { webhook } = openWebhook(`${url}/services/T0/B0/secret\n`);

    await webhook.post('ALARM: x');

    expect(received).toEqual([
      { path: '/services/T0/B0/secret', contentType: 'application/json', body: { text: 'ALARM: x' } },
    ]);
  });

  test('is posted to with the query of its address, which many sign it with', async () => {
    const { url, received } = await startReceiver(200);
    const { webhook } = openWebhook(`${url}/api/webhooks/1/token?thread_id=7&sig=a%2Fb%3D`);

    await webhook.post('x');

    expect(received.map(({ path }) => path)).toEqual(['/api/webhooks/1/token?thread_id=7&sig=a%2Fb%3D']);
  });

  test('whose address was changed is read anew once', async () => {
    const old = await startReceiver(404);
    const next = await startReceiver(204);
    const { webhook, reads } = openWebhook(`${old.url}/old`, `${next.url}/new`);

    await webhook.post('x');

    expect(reads).toEqual([false, true]);
    expect(next.received).toHaveLength(1);
  });

  test('whose address was mended is read anew at once, since an alarm is tried for minutes only', async () => {
    const { url, received } = await startReceiver(200);
    const { webhook, reads } = openWebhook('no address', `${url}/mended`);

    await webhook.post('x');

    expect(reads).toEqual([false, true]);
    expect(received).toHaveLength(1);
  });

  test.each([
    ['that is gone', 410, 'stop', 'http_410'],
    ['that is down', 503, 'transient', 'http_503'],
    ['that asks to come later', 429, 'transient', 'http_429'],
    ['that redirects', 302, 'transient', 'http_302'],
  ])('%s is told by its status, without its address and answer', async (_, status, failureClass, code) => {
    const { url } = await startReceiver(status);
    const { webhook } = openWebhook(`${url}/services/T0/B0/hidden?sig=hidden`);

    const error = await failureOf(webhook.post('x'));

    expect(error).toMatchObject({ failureClass, code });
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toMatch(/hidden|SECRET/);
  });

  test('that nobody serves is told without its address', async () => {
    const { url } = await startReceiver();
    await ended.pop()!();
    const { webhook } = openWebhook(`${url}/hidden?sig=hidden`);

    const error = await failureOf(webhook.post('x'));

    expect(error).toMatchObject({ failureClass: 'transient', code: 'webhook_unreachable' });
    expect(`${error.message}${error.stack}`).not.toContain('hidden');
  });

  test.each([
    'http://hooks.slack.com/services/hidden',
    'ftp://localhost/hidden',
    'https://user:hidden@hooks.slack.com/services',
    'http://10.0.0.5/hidden',
    'https://169.254.169.254/hidden',
    'https://metadata.google.internal/hidden',
    'http://hooks.slack.com/services?sig=hidden',
    'hidden',
  ])('has no address such as %s', async address => {
    const { webhook } = openWebhook(address);

    const error = await failureOf(webhook.post('x'));

    expect(error.code).toBe('bad_webhook_address');
    expect(error.message).not.toContain('hidden');
  });
});

/** Posts a text to a webhook of `host` without a network, and gives back the body of the post. */
async function postTo(host: string, text: string): Promise<unknown> {
  const bodies: string[] = [];
  const network: Network = {
    post: async ({ body }) => {
      bodies.push(body);
      return { status: 204, headers: new Headers(), body: new BytePieces([]) };
    },
    stream: () => Promise.reject(new Error('no other request is made')),
    close: async () => undefined,
  };
  const secrets = { read: async () => `https://${host}/services/T0` };
  await createHttpWebhook({ secrets, secretArn: 'arn', network }).post(text);
  expect(bodies).toHaveLength(1);
  return JSON.parse(bodies[0]!);
}

describe('a post', () => {
  test('for Discord mentions nobody, and fits', async () => {
    const body = (await postTo('discord.com', `@everyone ${'x'.repeat(3_000)}`)) as { content: string };

    expect(body).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(body.content).toHaveLength(2_000);
    expect(body.content.endsWith('…')).toBe(true);
  });

  test('for Slack cannot hold a mention or a link', async () => {
    expect(await postTo('hooks.slack.com', '<!here> & <https://x|y>')).toEqual({
      text: '&lt;!here&gt; &amp; &lt;https://x|y&gt;',
    });
  });
});
