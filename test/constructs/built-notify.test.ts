import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import type { createLambda } from '../../functions/notify/handler.ts';
import { buildHandlers } from '../deployments/built-handlers.ts';
import { startLoopbackSecretsManager } from '../doubles/loopback-secrets-manager.ts';
import { configInput } from '../factories/pipeline-stack.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ended.splice(0)) await end();
});

test('the built function reads the address from Secrets Manager and posts the alarm there', async () => {
  const posts: unknown[] = [];
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    posts.push([request.url, JSON.parse(Buffer.concat(chunks).toString('utf8'))]);
    response.end('ok');
  });
  await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve));
  ended.push(() => {
    receiver.closeAllConnections();
    return new Promise(resolve => receiver.close(resolve));
  });
  const secretArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/webhook-AbCdEf';
  const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/services/T0/B0/hidden?sig=hidden`;
  const secrets = await startLoopbackSecretsManager({ [secretArn]: address });
  ended.push(() => secrets.close());
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', secrets.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  const built = buildHandlers(['notify'], configInput());
  ended.push(() => built.remove());
  const lines: string[] = [];
  const notify = built.load<{ createLambda: typeof createLambda }>('notify').createLambda({
    variables: { FRESHET_WEBHOOK: JSON.stringify({ stage: 'prod', region: 'eu-west-1', secretArn }) },
    directory: built.folderOf('notify'),
    writeLine: line => lines.push(line),
  });
  const message = JSON.stringify({ AlarmName: 'page', AlarmDescription: 'Meaning.', NewStateValue: 'ALARM' });

  await notify({ Records: [{ Sns: { Message: message } }] } as never, {} as never);

  expect(posts).toEqual([
    ['/services/T0/B0/hidden?sig=hidden', { text: 'ALARM: page\nMeaning.\nfreshet prod' }],
  ]);
  expect(lines.map(line => JSON.parse(line) as object)).toMatchObject([
    { event: 'alarm-posted', component: 'notify', stage: 'prod', alarm: 'page' },
  ]);
  expect(lines.join('')).not.toContain('hidden');
});
