import { UsageError } from '../core/errors/usage-error.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import type { KeySource } from '../ports/embedding-provider.ts';
import type { ProviderAccess } from './provider-access.ts';
import type { Environment } from './read-environment.ts';

const OPENAI_URL = 'https://api.openai.com/v1';

/**
 * Keys from the environment. A model's own `baseUrl` wins over `OPENAI_BASE_URL`; a server on this machine needs no key.
 * `keyOf` throws `UsageError` for a key that no header can carry, or for none where OpenAI's API asks for one.
 */
export function createLocalAccess(environment: Environment): ProviderAccess {
  const { openAiApiKey, openAiBaseUrl, httpToken } = environment;
  return {
    openAiBaseUrl,
    keyOf: model => {
      if (model.provider === 'http') return keep(httpToken, 'FRESHET_HTTP_TOKEN');
      if (model.provider !== 'openai') return undefined;
      if (openAiApiKey === undefined) requireNoKey(model, model.baseUrl ?? openAiBaseUrl ?? OPENAI_URL);
      return keep(openAiApiKey, 'OPENAI_API_KEY');
    },
  };
}

function keep(key: string | undefined, variable: string): KeySource | undefined {
  if (key === undefined) return undefined;
  if (/^[\x21-\x7e]*$/.test(key)) return async () => key;
  throw new UsageError(
    `The key holds a space, a line break or another character that no key has (${variable}).`,
  );
}

function requireNoKey(model: ModelDefinition, baseUrl: string): void {
  const url = URL.parse(baseUrl);
  if (url === null || isLoopback(url.hostname)) return;
  throw new UsageError(
    `The model ${model.alias} is served by ${url.host}, and OPENAI_API_KEY is not set.`,
    "export OPENAI_API_KEY=… (any word where the server asks for none), or try the pipeline with model: 'hash'",
  );
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}
