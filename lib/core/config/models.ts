import type { ModelDefinition } from '../model.ts';
import { ASSUMED_PROVIDER, PROVIDERS, type ProviderName } from '../providers.ts';
import { MAX_DIMENSIONS, MAX_TOKENS_PER_TEXT, type ParsedConfig, type ParsedModel } from './config-schema.ts';
import type { ConfigProblem } from './describe-issues.ts';
import { findKnownModel, type KnownModel, knownModels } from './known-models.ts';
import { checkModelDefinition } from './model-checks.ts';
import { aliasesOf, type PipelineConfig } from './pipeline-config.ts';

/**
 * Resolves every model that a source may name, each with its place.
 * They are built in, listed in `registry`, or entries of `models`; the last of these wins.
 */
export function resolveModels(
  config: ParsedConfig,
  problems: ConfigProblem[],
): Readonly<Record<string, ModelDefinition>> {
  const listed = parseModelList(config.registry, problems);
  const models: Record<string, ModelDefinition> = { ...builtInModels };
  const place = config.place ?? {};
  const wanted = new Set([...listed.keys(), ...Object.keys(config.models)]);
  if (place.provider !== undefined) {
    for (const alias of findNamedAliases(config))
      if (!Object.hasOwn(models, alias) && findKnownModel(alias)) wanted.add(alias);
  }
  for (const alias of wanted) {
    const own = withoutUndefined({ ...listed.get(alias), ...withoutUndefined(config.models[alias] ?? {}) });
    const settings = placeModel(alias, { ...builtInSettings(alias, own), ...own }, place);
    const model = resolveModel(alias, settings);
    problems.push(...checkModelDefinition(settings, model));
    models[alias] = model;
  }
  return models;
}

function findNamedAliases({ sources, profiles }: ParsedConfig): readonly string[] {
  const named = sources.flatMap(({ model = [], fallback = [] }) => [...model, fallback].flat());
  return [...named, ...Object.values(profiles).flat()];
}

/** The keys that an entry gives, without those that are there and undefined. */
function withoutUndefined(settings: ParsedModel): {
  [Key in keyof ParsedModel]?: NonNullable<ParsedModel[Key]>;
} {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/**
 * Returns what a built-in alias adds to an entry of the same name.
 * The alias gives its model only where the entry names none, and its provider in any case. A
 * provider with one model gives that model. The entry's own keys win over all of them.
 */
function builtInSettings(alias: string, own: ParsedModel): ParsedModel {
  const builtIn = Object.hasOwn(builtInAliases, alias) ? builtInAliases[alias] : undefined;
  const settings = own.modelId === undefined ? builtIn : { provider: builtIn?.provider };
  return withoutUndefined({ ...settings, ...settingsOfOnlyModel(own.provider ?? builtIn?.provider) });
}

function settingsOfOnlyModel(provider: ProviderName | undefined): ParsedModel {
  const only = provider === undefined ? undefined : PROVIDERS[provider].onlyModel;
  if (only === undefined) return {};
  const { modelId, revision, dimensions } = only;
  return { modelId, revision, dimensions };
}

/** Gives a model the common place, unless it names a provider or only one serves it. */
function placeModel(alias: string, settings: ParsedModel, place: Partial<ParsedModel>): ParsedModel {
  const named = settings.provider ?? findKnownModel(settings.modelId ?? alias)?.provider;
  return named === undefined ? { ...place, ...settings } : settings;
}

/**
 * Resolves a model: its settings over what is known of its weights, over defaults.
 * What nothing says is filled in so that checks can go on; `checkModelDefinition` names it.
 */
function resolveModel(alias: string, settings: ParsedModel): ModelDefinition {
  const known = findKnownModel(settings.modelId ?? alias);
  const name = settings.provider ?? known?.provider ?? ASSUMED_PROVIDER;
  const provider = PROVIDERS[name];
  const dimensions = settings.dimensions ?? known?.dimensions ?? 1;
  return {
    modelId: known?.[provider.modelName] ?? known?.fullName ?? alias,
    revision: (provider.servesHubRevisions ? known?.revision : undefined) ?? 'latest',
    ...(known && { maxTokensPerText: known.maxTokensPerText }),
    documentPrefix: known?.documentPrefix ?? '',
    queryPrefix: known?.queryPrefix ?? '',
    normalized: provider.normalizes || known?.normalized !== false,
    usdPerMillionTokens: known?.usdPerMillionTokens ?? 0,
    // A variable can replace the address of the others, so their models hold none.
    ...(provider.urlVariable === undefined && provider.url !== undefined && { baseUrl: provider.url }),
    sendDimensions: sendsDimensions(name, dimensions, known),
    ...(provider.runsFiles && { pooling: known?.pooling ?? 'mean' }),
    ...withoutUndefined(settings),
    // The hub knows no short names.
    ...(provider.runsFiles && known && { modelId: known.fullName }),
    provider: name,
    dimensions,
    alias,
  };
}

/**
 * Whether calls ask for the dimensions of a model.
 * Weights of one provider alone are always asked: OpenAI's third generation knows the parameter.
 * Other servers are asked only for a shorter vector, because not every one knows it.
 */
function sendsDimensions(provider: ProviderName, dimensions: number, known: KnownModel | undefined): boolean {
  if (known?.shortestDimensions === undefined || !PROVIDERS[provider].takesDimensions) return false;
  return known.provider !== undefined || dimensions !== known.dimensions;
}

/**
 * Aliases that stand for a model and the place where it is served.
 * The model names of `knownModels` are aliases too.
 */
const builtInAliases: Readonly<Record<string, ParsedModel>> = {
  static: { provider: 'static', ...settingsOfOnlyModel('static') },
  hash: { provider: 'hash', modelId: 'feature-hashing', revision: '1', dimensions: 384 },
  openai: { provider: 'openai', modelId: 'text-embedding-3-small' },
  ollama: { provider: 'ollama', modelId: 'nomic-embed-text' },
};

/** Models that need no entry under `models`, because their place is known without one. */
const builtInModels: Readonly<Record<string, ModelDefinition>> = Object.fromEntries([
  ...Object.entries(builtInAliases).map(([alias, settings]) => [alias, resolveModel(alias, settings)]),
  ...knownModels
    .filter(({ provider }) => provider !== undefined)
    .map(({ name }) => [name, resolveModel(name, {})]),
]);

const SHAPE = 'alias:model_id:rev:dim:max_seq';

/**
 * Parses entries `alias:model_id:rev:dim:max_seq`; problems are added to `problems`.
 * The entries are an array, or one text in which commas, semicolons or white space separate them.
 * Only `model_id` may contain a colon, as Ollama's tags do. An empty `rev` is filled from what is
 * known of the weights.
 */
function parseModelList(
  list: string | readonly string[],
  problems: ConfigProblem[],
): ReadonlyMap<string, ParsedModel> {
  const entries = typeof list === 'string' ? list.split(/[\s,;]+/).filter(entry => entry !== '') : list;
  const models = new Map<string, ParsedModel>();
  for (const [index, entry] of entries.entries()) {
    const path = `registry[${index}]`;
    const complain = (message: string) =>
      problems.push({ path, message: `${JSON.stringify(entry.slice(0, 120))}: ${message}` });
    const [alias = '', model] = parseEntry(entry.trim(), complain);
    if (model === undefined) continue;
    if (models.has(alias)) complain(`alias: "${alias}" is there already`);
    models.set(alias, model);
  }
  return models;
}

function parseEntry(entry: string, complain: (message: string) => void): [string?, ParsedModel?] {
  const fields = entry.split(':');
  if (fields.length < 5) {
    complain(`expected five fields, ${SHAPE}, got ${fields.length}`);
    return [];
  }
  const alias = fields[0]!.trim();
  const [revision, dimensions, maxTokens] = fields.slice(-3).map(field => field.trim());
  const modelId = fields.slice(1, -3).join(':').trim();
  const found: string[] = [];
  if (alias === '') found.push('alias: is empty');
  if (modelId === '') found.push('model_id: is empty');
  if (!isWholeNumber(dimensions, MAX_DIMENSIONS))
    found.push(`dim: expected a whole number from 1 to ${MAX_DIMENSIONS}, got "${dimensions}"`);
  if (!isWholeNumber(maxTokens, MAX_TOKENS_PER_TEXT))
    found.push(`max_seq: expected a whole number from 1 to ${MAX_TOKENS_PER_TEXT}, got "${maxTokens}"`);
  found.forEach(complain);
  if (found.length > 0) return [];
  const numbers = { dimensions: Number(dimensions), maxTokensPerText: Number(maxTokens) };
  return [alias, { modelId, ...(revision !== '' && { revision }), ...numbers }];
}

function isWholeNumber(text: string | undefined, most: number): boolean {
  return text !== undefined && /^[0-9]{1,7}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}

/** A model as `freshet models` lists it. */
export interface ListedModel
  extends Pick<
    ModelDefinition,
    'alias' | 'modelId' | 'dimensions' | 'documentPrefix' | 'queryPrefix' | 'usdPerMillionTokens'
  > {
  /** Null: the weights are known, and the configuration gives them no place. */
  readonly provider: ModelDefinition['provider'] | null;
  /** Null: the revision is not known. */
  readonly revision: string | null;
  readonly maxTokensPerText: number | null;
  readonly origin: 'built in' | 'configured';
  /** Names of the sources that use the model. */
  readonly sources: readonly string[];
}

/**
 * Lists the models that a source can name.
 * The models of the configuration come first, then the built-in ones, then known weights without a
 * place.
 */
export function listModels({ models, sources }: PipelineConfig): ListedModel[] {
  const placed = Object.values(models).map((model): ListedModel => {
    const { alias, provider, modelId, revision, dimensions, maxTokensPerText } = model;
    const { documentPrefix, queryPrefix, usdPerMillionTokens } = model;
    return {
      ...{ alias, provider, modelId, revision, dimensions, documentPrefix, queryPrefix, usdPerMillionTokens },
      maxTokensPerText: maxTokensPerText ?? null,
      origin: model === builtInModels[alias] ? 'built in' : 'configured',
      sources: sources.filter(source => aliasesOf(source).includes(alias)).map(({ name }) => name),
    };
  });
  const unplaced = knownModels
    .filter(({ name }) => !Object.hasOwn(models, name))
    .map((known): ListedModel => {
      const { name: alias, dimensions, maxTokensPerText, documentPrefix, queryPrefix } = known;
      return {
        ...{
          alias,
          dimensions,
          maxTokensPerText,
          documentPrefix,
          queryPrefix,
          provider: null,
          revision: known.revision ?? null,
        },
        ...{ modelId: known.fullName, usdPerMillionTokens: 0, origin: 'built in', sources: [] },
      };
    });
  const configured = placed.filter(({ origin }) => origin === 'configured');
  return [...configured, ...placed.filter(({ origin }) => origin === 'built in'), ...unplaced];
}
