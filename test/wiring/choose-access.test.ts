import { describe, expect, it } from 'vitest';
import { builtInModels } from '../../lib/core/config/built-in-models.ts';
import { UsageError } from '../../lib/core/errors/usage-error.ts';
import { chooseAccess } from '../../lib/wiring/create-providers.ts';
import { readEnvironment } from '../../lib/wiring/read-environment.ts';

const small = builtInModels['text-embedding-3-small']!;
const ollama = builtInModels.ollama!;

describe('chooseAccess', () => {
  it('takes key and base URL from the environment', () => {
    const environment = readEnvironment({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'https://proxy.example/v1' });

    expect(chooseAccess(small, environment)).toEqual({ apiKey: 'k', baseUrl: 'https://proxy.example/v1' });
  });

  it("lets a model's own base URL win", () => {
    const environment = readEnvironment({ OPENAI_BASE_URL: 'https://proxy.example/v1' });

    expect(chooseAccess(ollama, environment).baseUrl).toBe('http://127.0.0.1:11434');
  });

  it.each(['http://127.0.0.1:9/v1', 'http://localhost:9/v1', 'http://[::1]:9/v1'])(
    'needs no key for %s',
    OPENAI_BASE_URL => {
      expect(chooseAccess(small, readEnvironment({ OPENAI_BASE_URL })).apiKey).toBe('');
    },
  );

  it('asks for the key of a server elsewhere', () => {
    expect(() => chooseAccess(small, readEnvironment({ OPENAI_API_KEY: ' ' }))).toThrow(UsageError);
  });
});
