import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PipelineConfig } from '../../lib/core/config/pipeline-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { createLocalAccess, createProviders } from '../../lib/wiring/providers.ts';
import { readEnvironment } from '../../lib/wiring/workspace.ts';
import { createNetworkClock } from '../doubles/network-clock.ts';
import { makeModel } from '../factories/model-definition.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';

function configure(...models: readonly ModelDefinition[]): PipelineConfig {
  return buildConfig([buildSourceConfig({ models: models.map(({ alias }) => alias) })], models);
}

const create = (config: PipelineConfig) =>
  createProviders(config, { keyOf: () => async () => 'key', region: 'eu-central-1' }, createNetworkClock());

afterEach(() => vi.unstubAllEnvs());

describe('createProviders', () => {
  it('makes one of each kind by configuration alone', async () => {
    const baseUrl = 'https://embed.example';
    const providers = await create(
      configure(
        makeModel({ alias: 'a', provider: 'hash' }),
        makeModel({ alias: 'b', provider: 'openai' }),
        makeModel({ alias: 'c', provider: 'http', baseUrl }),
        makeModel({ alias: 'd', provider: 'ollama' }),
        makeModel({ alias: 'e', provider: 'sagemaker', endpointName: 'endpoint' }),
        makeModel({ alias: 'f', provider: 'static' }),
      ),
    );

    const kinds = [...providers].map(([alias, { limits }]) => [alias, limits.tokenization]);
    expect(kinds).toEqual([
      ['a', 'server'],
      ['b', 'local'],
      ['c', 'server'],
      ['d', 'server'],
      ['e', 'server'],
      ['f', 'server'],
    ]);
  });

  it.each(['static', 'hash', 'openai', 'http', 'ollama', 'sagemaker'] as const)(
    "keeps to the model's limits (%s)",
    async provider => {
      const limits = { maxTextsPerCall: 3, maxTokensPerCall: 500, maxBytesPerCall: 4000 };
      const model = makeModel({ provider, baseUrl: 'https://embed.example', endpointName: 'e', limits });

      const providers = await create(configure(model));

      expect(providers.get(model.alias)?.limits).toMatchObject(limits);
    },
  );

  it.each([
    ['of a private host', 'http://10.0.0.7:8000', /is neither https nor http on this machine/],
    ['with a password', 'https://user:canary@host.example', /holds a user name or password/],
    ['with a query', 'https://host.example/?api_key=canary', /holds a query or fragment/],
    ['of metadata', 'http://169.254.169.254/', /names a link-local or metadata address/],
  ])('names the variable that an address %s stands in, or else the line', async (_, address, what) => {
    const model = makeModel({ alias: 'mini', provider: 'http', baseUrl: address });
    const refusalBy = (variables: Record<string, string>) => {
      const access = createLocalAccess(readEnvironment({ FRESHET_HTTP_TOKEN: 't', ...variables }));
      return createProviders(configure(model), access, createNetworkClock()).catch(error => error);
    };

    const byVariable = await refusalBy({ MIS_URL: address });
    const byFile = await refusalBy({ MIS_URL: 'https://another.example' });

    expect(byVariable).toBeInstanceOf(UsageError);
    expect(byVariable.message).toMatch(/^Model "mini", variable MIS_URL: /);
    expect(byVariable.remedy).toBe('export MIS_URL=https://…, or unset MIS_URL');
    expect(byFile.message).toMatch(/^Model "mini", models.mini.baseUrl: /);
    for (const { message } of [byVariable, byFile]) expect(message).toMatch(what);
    expect(`${byVariable.message} ${byFile.message}`).not.toContain('canary');
  });

  it('names OPENAI_BASE_URL where a model without an address takes it', async () => {
    const variables = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://10.0.0.7/v1' };
    const access = createLocalAccess(readEnvironment(variables));
    const { baseUrl: _, ...small } = makeModel({ alias: 'small', provider: 'openai' });

    await expect(createProviders(configure(small), access, createNetworkClock())).rejects.toThrow(
      /^Model "small", variable OPENAI_BASE_URL: /,
    );
  });

  it('looks at no proxy that no model is asked through', async () => {
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'])
      vi.stubEnv(name, '');
    vi.stubEnv('ALL_PROXY', 'socks5://127.0.0.1:1080');
    vi.stubEnv('all_proxy', '');
    const here = { provider: 'http', baseUrl: 'http://127.0.0.1:8080' } as const;
    const there = makeModel({ ...here, alias: 'there', baseUrl: 'https://embed.example' });

    await expect(
      create(configure(makeModel(here), makeModel({ alias: 's', provider: 'static' }))),
    ).resolves.toBeDefined();
    await expect(create(configure(makeModel(here), there))).rejects.toThrow(/^ALL_PROXY names no proxy/);
  });

  it.each([
    ['http', { baseUrl: undefined }],
    ['http', { baseUrl: 'http://embed.example' }],
    ['openai', { baseUrl: 'https://169.254.169.254/v1' }],
    ['ollama', { baseUrl: 'http://10.0.0.1:11434' }],
    ['sagemaker', { endpointName: undefined }],
  ] as const)('refuses %s with %o before anything is called', async (provider, changes) => {
    await expect(create(configure(makeModel({ provider, ...changes })))).rejects.toThrow(UsageError);
  });
});
