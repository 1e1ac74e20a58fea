import { UsageError } from '../errors.ts';
import { PROVIDER_NAMES } from '../providers.ts';
import type { FreshetConfig } from './config-schema.ts';
import { nearestWord } from './describe-issues.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/** One variable that services of embeddings are commonly configured by. */
interface Variable {
  /** What the value must be, for the error that names the variable. */
  readonly expected: string;
  readonly isValid: (value: string) => boolean;
  /** Where the configuration says the same, and what it says; undefined: it says nothing. */
  readonly given: (config: FreshetConfig) => readonly unknown[];
  /** Whether what the configuration says agrees. Undefined: where it is equal as text. */
  readonly agrees?: (given: unknown, value: string) => boolean;
  /** The configuration with the value where it says nothing. */
  readonly fill: (config: FreshetConfig, value: string) => FreshetConfig;
  /** The key that says the same, for the error about a contradiction. */
  readonly key: string;
}

const isWhole = (least: number, most: number) => (value: string) =>
  /^\d{1,7}$/.test(value) && Number(value) >= least && Number(value) <= most;

const isWords = (value: string) => splitWords(value).length > 0;
const splitWords = (value: string) => value.split(/[\s,;]+/).filter(word => word !== '');

/** Gives each source a key that it lacks. */
const fillSources = (config: FreshetConfig, fill: (source: Source) => Partial<Source>): FreshetConfig => ({
  ...config,
  sources: config.sources.map(source => ({ ...source, ...fill(source) })),
});
type Source = FreshetConfig['sources'][number];

const limit = (name: 'batchSize' | 'timeoutSeconds', most: number): Variable => ({
  expected: `a whole number from 1 to ${most}`,
  isValid: isWhole(1, most),
  given: ({ limits }) => [limits?.[name]],
  fill: (config, value) => ({ ...config, limits: { ...config.limits, [name]: Number(value) } }),
  key: `limits.${name}`,
});

const profile = (name: 'rt' | 'bulk'): Variable => ({
  expected: 'aliases of models, parted by commas',
  isValid: isWords,
  given: ({ profiles }) => [profiles?.[name]],
  agrees: (given, value) => [given].flat().join() === splitWords(value).join(),
  fill: (config, value) => ({
    ...config,
    profiles: { ...config.profiles, [name]: splitWords(value) },
  }),
  key: `profiles.${name}`,
});

/** The built-in model that stands in for a service which is down, in a space of its own. */
const BUILT_IN = 'static';

/** In the order in which they are applied. */
const TABLE: Readonly<Record<string, Variable>> = {
  EMBED_PROVIDER: {
    expected: `one of ${PROVIDER_NAMES.join(', ')}`,
    isValid: value => PROVIDER_NAMES.some(name => name === value),
    given: ({ place }) => [place?.provider],
    fill: (config, value) => ({
      ...config,
      place: { ...config.place, provider: value as (typeof PROVIDER_NAMES)[number] },
    }),
    key: 'place.provider',
  },
  MIS_URL: {
    expected: 'an http or https URL',
    isValid: value => /^https?:$/.test(URL.parse(value)?.protocol ?? ''),
    given: ({ place }) => [place?.baseUrl],
    // Such a service speaks `POST /v1/embed` where nothing else is said.
    fill: (config, value) => ({ ...config, place: { provider: 'http', ...config.place, baseUrl: value } }),
    key: 'place.baseUrl',
  },
  EMB_MODELS: {
    expected: 'entries alias:model_id:rev:dim:max_seq, parted by commas',
    isValid: isWords,
    given: ({ registry }) => [registry],
    agrees: (given, value) =>
      [given]
        .flat()
        .flatMap(entry => splitWords(String(entry)))
        .join() === splitWords(value).join(),
    fill: (config, value) => ({ ...config, registry: value }),
    key: 'registry',
  },
  EMB_DEFAULT_RT_MODELS: profile('rt'),
  EMB_DEFAULT_BULK_MODELS: profile('bulk'),
  EMBED_MODEL: {
    expected: 'the alias of a model',
    isValid: value => /^\S+$/.test(value),
    given: ({ sources }) => sources.map(source => source.model ?? source.profile),
    agrees: (given, value) => [given].flat().join() === value,
    fill: (config, value) =>
      fillSources(config, ({ model, profile: named }) =>
        model === undefined && named === undefined ? { model: value } : {},
      ),
    key: 'sources[].model',
  },
  EMBED_BATCH_SIZE: limit('batchSize', 2048),
  EMBED_TIMEOUT_SEC: limit('timeoutSeconds', 600),
  EMBED_MAX_RETRY: {
    expected: 'a whole number from 0 to 10',
    isValid: isWhole(0, 10),
    given: ({ models }) => Object.values(models ?? {}).map(model => model.maxRetries),
    fill: (config, value) => fillModels(config, { maxRetries: Number(value) }),
    key: 'models.*.maxRetries',
  },
  EMBED_FALLBACK_TO_TOY: {
    expected: '0 or 1',
    isValid: value => value === '0' || value === '1',
    given: ({ sources, limits }) =>
      sources.map(({ fallback, onOutage }) => fallback ?? onOutage ?? limits?.onOutage),
    agrees: (given, value) =>
      value === '1' ? given !== 'stop' && given !== 'dead-letter' : given === 'dead-letter',
    fill: (config, value) =>
      fillSources(config, ({ model, fallback, onOutage }) => {
        if (fallback !== undefined || (onOutage ?? config.limits?.onOutage) !== undefined) return {};
        if (value === '0') return { onOutage: 'dead-letter' };
        return [model].flat().includes(BUILT_IN) ? {} : { fallback: BUILT_IN };
      }),
    key: 'sources[].fallback, sources[].onOutage',
  },
};

/** Gives the models that the configuration names or uses a key that they lack. */
function fillModels(config: FreshetConfig, settings: { readonly maxRetries: number }): FreshetConfig {
  const { models = {}, profiles = {}, sources } = config;
  const used = [...sources.map(({ model }) => model ?? []), ...Object.values(profiles)].flat(2);
  const names = new Set([...Object.keys(models), ...used]);
  return {
    ...config,
    models: Object.fromEntries([...names].map(name => [name, { ...settings, ...models[name] }])),
  };
}

/**
 * Fills what a configuration leaves out from the variables of the table.
 * An empty variable counts as not set. What is no configuration is given back as it is:
 * `parseConfig` says what is wrong with it.
 * @throws UsageError for a wrong value, and where variable and configuration contradict each other.
 *   It names the variable and the key, and repeats neither value: an address can hold a key
 */
export function fillFromEnvironment(config: unknown, variables: Variables): unknown {
  let filled = config as FreshetConfig;
  for (const [name, variable] of Object.entries(TABLE)) {
    const value = variables[name]?.trim() || undefined;
    if (value === undefined || !isConfiguration(config)) continue;
    if (!variable.isValid(value)) throw wrongValue(name, value, variable);
    const agrees = variable.agrees ?? ((given: unknown) => String(given) === value);
    const given = variable.given(filled).filter(each => each !== undefined);
    if (given.some(each => !agrees(each, value)))
      throw new UsageError(
        `The variable ${name} contradicts ${variable.key} of the configuration.`,
        `Leave one of the two out: unset ${name}`,
      );
    filled = variable.fill(filled, value);
  }
  return filled;
}

/** The names of all variables of the table. */
export const VARIABLE_NAMES: readonly string[] = Object.keys(TABLE);

/** Lists the variables of the table that are set, each with what its value must be. */
export function listSet(
  variables: Variables,
): readonly { readonly name: string; readonly expected: string }[] {
  return Object.entries(TABLE).flatMap(([name, { expected }]) =>
    variables[name]?.trim() ? [{ name, expected }] : [],
  );
}

function isConfiguration(config: unknown): boolean {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const {
    sources,
    models = {},
    profiles = {},
    place = {},
    limits = {},
  } = Object(config) as Record<string, unknown>;
  return Array.isArray(sources) && [...sources, models, profiles, place, limits].every(isObject);
}

function wrongValue(name: string, value: string, { expected }: Variable): UsageError {
  const nearest = name === 'EMBED_PROVIDER' ? nearestWord(value, PROVIDER_NAMES) : undefined;
  const suggestion = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  return new UsageError(`The variable ${name} has a wrong value: expected ${expected}.${suggestion}`);
}
