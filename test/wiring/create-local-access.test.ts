import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { createLocalAccess } from '../../lib/wiring/providers.ts';
import { readEnvironment } from '../../lib/wiring/workspace.ts';
import { makeModel } from '../factories/model-definition.ts';

const source = { name: 'items', table: 'items', text: { columns: ['title'] }, model: 'openai' };
const small = parseConfig({ sources: [source] }).models['text-embedding-3-small']!;

describe('createLocalAccess', () => {
  it('takes key and base URL from the environment', async () => {
    const access = createLocalAccess(
      readEnvironment({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'https://proxy.example/v1' }),
    );

    expect(access.baseUrls?.openai).toBe('https://proxy.example/v1');
    expect(await access.keyOf(small)?.()).toBe('k');
  });

  it('gives a key to nobody but the provider it is for', async () => {
    const access = createLocalAccess(readEnvironment({ OPENAI_API_KEY: 'k', FRESHET_HTTP_TOKEN: 't' }));

    expect(await access.keyOf(makeModel({ provider: 'http' }))?.()).toBe('t');
    expect(access.keyOf(makeModel({ provider: 'ollama' }))).toBeUndefined();
    expect(access.keyOf(makeModel({ provider: 'sagemaker' }))).toBeUndefined();
  });

  it.each(['http://127.0.0.1:9/v1', 'http://localhost:9/v1', 'http://[::1]:9/v1'])(
    'needs no key for %s',
    OPENAI_BASE_URL => {
      expect(createLocalAccess(readEnvironment({ OPENAI_BASE_URL })).keyOf(small)).toBeUndefined();
    },
  );

  it("lets a model's own base URL win", () => {
    const access = createLocalAccess(readEnvironment({ OPENAI_BASE_URL: 'https://proxy.example/v1' }));

    expect(access.keyOf({ ...small, baseUrl: 'http://127.0.0.1:9/v1' })).toBeUndefined();
  });

  it('asks for the key of a server elsewhere', () => {
    const access = createLocalAccess(readEnvironment({ OPENAI_API_KEY: ' ' }));

    expect(() => access.keyOf(small)).toThrow(UsageError);
  });

  it.each([
    ['OPENAI_API_KEY', 'openai'],
    ['FRESHET_HTTP_TOKEN', 'http'],
  ] as const)('refuses a %s that no header can carry, without showing it', (variable, provider) => {
    const access = createLocalAccess(readEnvironment({ [variable]: 'canary\nkey' }));

    expect(() => access.keyOf(makeModel({ provider }))).toThrow(
      new RegExp(`^(?!.*canary).*\\(${variable}\\)`),
    );
  });

  it('reads headers from the variables that a model names', () => {
    const access = createLocalAccess(readEnvironment({ ACME_KEY: ' k ' }));

    expect(access.headersOf?.(makeModel({ headers: { 'x-api-key': { env: 'ACME_KEY' } } }))).toEqual({
      'x-api-key': 'k',
    });
    expect(access.headersOf?.(makeModel())).toEqual({});
  });

  it.each([
    [undefined, /The model small sends the header x-api-key from ACME_KEY, which is not set/],
    ['', /which is not set/],
    ['canary\nkey', /^(?!.*canary).*holds a line break/],
  ])('refuses a variable of a header that holds %j, without showing it', (ACME_KEY, expected) => {
    const access = createLocalAccess(readEnvironment({ ACME_KEY }));

    expect(() => access.headersOf?.(makeModel({ headers: { 'x-api-key': { env: 'ACME_KEY' } } }))).toThrow(
      expected,
    );
  });

  it('sends no key beside a header api-key of the model, whatever the environment holds', () => {
    const access = createLocalAccess(readEnvironment({ OPENAI_API_KEY: 'for another', AZURE_KEY: 'k' }));
    const model = makeModel({ headers: { 'api-key': { env: 'AZURE_KEY' } } });

    expect(access.keyOf(model)).toBeUndefined();
    expect(access.headersOf?.(model)).toEqual({ 'api-key': 'k' });
  });

  it.each([
    { headers: { 'x-api-key': { env: 'ACME_KEY' } } },
    { baseUrl: 'http://ollama:11434/v1', allowHttp: true },
  ])('asks for no key of a server elsewhere with %o', changes => {
    const model = makeModel({ baseUrl: 'https://models.example/v1', ...changes });

    expect(createLocalAccess(readEnvironment({})).keyOf(model)).toBeUndefined();
  });
});
