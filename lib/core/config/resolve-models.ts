import type { ModelDefinition } from '../model/space.ts';
import { builtInAliases, builtInModels } from './built-in-models.ts';
import { checkModel } from './check-model.ts';
import type { ParsedConfig, ParsedModel } from './config-schema.ts';
import type { ConfigProblem } from './describe-issues.ts';
import { findKnownModel } from './known-models.ts';
import { parseModelList } from './parse-model-list.ts';
import { resolveModel } from './resolve-model.ts';

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
    const settings = placeModel(alias, { ...standsFor(alias, own), ...own }, place);
    const model = resolveModel(alias, settings);
    problems.push(...checkModel(settings, model));
    models[alias] = model;
  }
  return models;
}

function findNamedAliases({ sources, profiles }: ParsedConfig): readonly string[] {
  const named = sources.flatMap(({ model = [], fallback = [] }) => [...model, fallback].flat());
  return [...named, ...Object.values(profiles).flat()];
}

function withoutUndefined(settings: ParsedModel): ParsedModel {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/**
 * Returns what a built-in alias adds to an entry of the same name.
 * The alias gives its model only where the entry names none, and its provider in any case. The
 * entry's own keys win over both.
 */
function standsFor(alias: string, own: ParsedModel): ParsedModel {
  const builtIn = Object.hasOwn(builtInAliases, alias) ? builtInAliases[alias] : undefined;
  if (builtIn === undefined) return {};
  return own.modelId === undefined ? builtIn : { provider: builtIn.provider };
}

/** Gives a model the common place, unless it names a provider or only one serves it. */
function placeModel(alias: string, settings: ParsedModel, place: Partial<ParsedModel>): ParsedModel {
  const named = settings.provider ?? findKnownModel(settings.modelId ?? alias)?.provider;
  return named === undefined ? { ...place, ...settings } : settings;
}
