import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { failureClassOf } from '../../lib/core/provider-failure-codes.ts';
import { PLACE_KEYS, type PlaceKey, PROVIDER_NAMES, PROVIDERS } from '../../lib/core/providers.ts';
import { createLocalAccess } from '../../lib/wiring/providers.ts';
import { readEnvironment } from '../../lib/wiring/workspace.ts';
import { makeModel } from '../factories/model-definition.ts';

const placeKeys = Object.keys(PLACE_KEYS) as PlaceKey[];
const exampleOf = (key: PlaceKey) => (PLACE_KEYS[key].isUrl ? 'https://models.example' : 'name');

/** What `parseConfig` says of one model; empty where the model is right. */
function complaintsAbout(settings: object): string {
  const provider = (settings as { provider?: keyof typeof PROVIDERS }).provider;
  const only = provider === undefined ? undefined : PROVIDERS[provider].onlyModel;
  const named = only === undefined ? { modelId: 'm', dimensions: 8, revision: '1' } : {};
  const model = { ...named, ...settings };
  const sources = [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'mine' }];
  try {
    parseConfig({ models: { mine: model }, sources });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

/** A place as the provider needs it. */
function placeOf(provider: keyof typeof PROVIDERS): object {
  const needed = Object.keys(PROVIDERS[provider].needs) as PlaceKey[];
  const digest = 'a'.repeat(64);
  const files = { 'model.onnx': digest, 'tokenizer.json': digest };
  return {
    provider,
    ...Object.fromEntries(needed.map(key => [key, exampleOf(key)])),
    ...(PROVIDERS[provider].runsFiles && { modelFolder: 'folder', files, maxTokensPerText: 256 }),
  };
}

describe.each(PROVIDER_NAMES)('the provider %s', name => {
  const { keys, needs, key, dialect } = PROVIDERS[name];

  it('is a provider that a configuration can name with what it needs, and not without', () => {
    expect(complaintsAbout(placeOf(name))).toBe('');
    for (const needed of Object.keys(needs))
      expect(complaintsAbout({ ...placeOf(name), [needed]: undefined })).toContain(
        `${needed}: is missing; provider "${name}" needs it`,
      );
  });

  it('takes its own keys of the place and refuses those of others', () => {
    for (const given of placeKeys) {
      const complaints = complaintsAbout({ ...placeOf(name), [given]: exampleOf(given) });
      if (keys.includes(given)) expect(complaints).toBe('');
      else expect(complaints).toContain(`${given}: means nothing to provider "${name}"`);
    }
  });

  it('refuses another model where it has only one', () => {
    const others = { modelId: 'another', revision: '2', dimensions: 7 };
    for (const [setting, value] of Object.entries(others)) {
      const complaints = complaintsAbout({ ...placeOf(name), [setting]: value });
      if (PROVIDERS[name].onlyModel === undefined) expect(complaints).toBe('');
      else
        expect(complaints).toContain(`${setting}: is ${JSON.stringify(value)}; provider "${name}" has one`);
    }
  });

  it('gets the key of its own variable and of no other', async () => {
    const variables = PROVIDER_NAMES.flatMap(each => PROVIDERS[each].key?.variable ?? []);
    const { keyOf } = createLocalAccess(
      readEnvironment(Object.fromEntries(variables.map(variable => [variable, `key-of-${variable}`]))),
    );

    const source = keyOf(makeModel({ provider: name }));

    expect(await source?.()).toBe(key === undefined ? undefined : `key-of-${key.variable}`);
    expect(variables).toHaveLength(new Set(variables).size);
  });

  it('means codes that have a class, by words in lower case', () => {
    for (const code of [...Object.values(dialect.words), ...Object.values(dialect.statuses)])
      expect(failureClassOf(code), code).toBeDefined();
    for (const word of Object.keys(dialect.words)) expect(word).toBe(word.toLowerCase());
  });
});
