import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../lib/adapters/system.ts';
import type { DeploymentSettings } from '../../lib/core/config/deployment-settings.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { createLambdaProviders } from '../../lib/wiring/lambda-clients.ts';
import { createSecretAccess } from '../../lib/wiring/secret-access.ts';
import { makeModel } from '../factories/model-definition.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/acme-AbCdEf';
const headers = { 'x-api-key': { env: 'ACME_KEY' }, 'x-team': { env: 'ACME_TEAM' } };

/** Access to one secret, whose text may change. */
function openAccess(text: string, model = makeModel({ provider: 'openai', headers })) {
  const secret = { text };
  const asked: string[] = [];
  const read = async (arn: string) => {
    asked.push(arn);
    return secret.text;
  };
  const access = createSecretAccess({ keySecrets: { [model.alias]: ARN } }, { read });
  return { secret, asked, model, key: access.keyOf(model), headers: access.headersOf(model) };
}

describe('createSecretAccess', () => {
  it('reads headers and key of a model from one JSON object, anew at each call', async () => {
    const opened = openAccess('{"ACME_KEY":" k ","ACME_TEAM":"search","OPENAI_API_KEY":"sk"}\n');

    expect(await opened.headers?.()).toEqual({ 'x-api-key': 'k', 'x-team': 'search' });
    expect(await opened.key?.()).toBe('sk');
    opened.secret.text = '{"ACME_KEY":"rotated","ACME_TEAM":"search"}';
    expect(await opened.headers?.()).toEqual({ 'x-api-key': 'rotated', 'x-team': 'search' });
    expect(await opened.key?.(), 'an empty key is not sent').toBe('');
    expect(new Set(opened.asked)).toEqual(new Set([ARN]));
  });

  it.each([
    ['no JSON', 'canary'],
    ['a list', '["canary"]'],
    ['null', 'null'],
    ['a variable missing', '{"ACME_KEY":"canary"}'],
    ['a number', '{"ACME_KEY":"canary","ACME_TEAM":7}'],
    ['an empty text', '{"ACME_KEY":"canary","ACME_TEAM":" "}'],
    ['a line break', '{"ACME_KEY":"canary","ACME_TEAM":"a\\nb"}'],
  ])('refuses %s with the variable that is missing, and without the text', async (_name, text) => {
    const opened = openAccess(text);
    const sentence = /^(?!.*canary).*(ACME_KEY|ACME_TEAM).*store a JSON object/s;

    await expect(opened.headers?.()).rejects.toThrow(sentence);
    await expect(opened.key?.()).rejects.toMatchObject({ failureClass: 'stop', code: 'bad_key_secret' });
  });

  it('takes the whole secret for the key of a model without headers', async () => {
    const opened = openAccess('sk-1\n', makeModel({ provider: 'openai' }));

    expect(await opened.key?.()).toBe('sk-1');
    expect(opened.headers).toBeUndefined();
  });

  it('sends nothing for a model that the deployment names no secret for', () => {
    const access = createSecretAccess({ keySecrets: {} }, { read: async () => 'canary' });

    expect(access.keyOf(makeModel({ headers }))).toBeUndefined();
    expect(access.headersOf(makeModel({ headers }))).toBeUndefined();
  });
});

it('a deployed provider sends the headers of its secret, and those of the next one once it was rotated', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.writeHead(503).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const acme = { provider: 'openai', modelId: 'acme', dimensions: 8, baseUrl: `http://127.0.0.1:${port}/v1` };
  const config = parseConfig({
    sources: [{ name: 'items', table: 'items', text: { columns: ['body'] }, model: 'acme' }],
    models: { acme: { ...acme, headers: { 'x-api-key': { env: 'ACME_KEY' } } } },
  });
  const settings = { region: 'eu-west-1', keySecrets: { acme: ARN } } as unknown as DeploymentSettings;
  let text = '{"ACME_KEY":"first"}';
  const secrets = { read: async () => text };
  const providers = await createLambdaProviders(settings, config, secrets, createSystemClock());
  const embed = () =>
    providers('acme')
      .embed({ texts: ['a'], inputType: 'row', deadlineMs: 5000 } as never)
      .catch(() => undefined);

  await embed();
  text = '{"ACME_KEY":"second"}';
  await embed();
  server.close();

  expect(seen.map(sent => [sent['x-api-key'], sent.authorization])).toEqual([
    ['first', undefined],
    ['second', undefined],
  ]);
});
