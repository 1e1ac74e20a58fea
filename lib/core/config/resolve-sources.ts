import type { ModelDefinition } from '../model/space.ts';
import { describeMissingPlace } from './check-model.ts';
import type { ParsedConfig, ParsedSource } from './config-schema.ts';
import { type ConfigProblem, formatPath } from './describe-issues.ts';
import { findKnownModel } from './known-models.ts';
import { nearestWord } from './nearest-word.ts';
import type { SourceConfig } from './pipeline-config.ts';

type Models = Readonly<Record<string, ModelDefinition>>;
type Path = (string | number)[];

/**
 * Resolves the sources to the aliases of their models.
 * `profile` is replaced by the models that it stands for, and every alias is checked to exist.
 * `problems` receives what is wrong.
 */
export function resolveSources(
  config: Pick<ParsedConfig, 'sources' | 'profiles' | 'limits'>,
  models: Models,
  problems: ConfigProblem[],
): SourceConfig[] {
  for (const [name, aliases] of Object.entries(config.profiles))
    checkAliases(aliases, ['profiles', name], models, problems);
  return config.sources.map((source, index) => {
    const { model, profile, fallback, onOutage, ...rest } = source;
    const aliases = model ?? findProfile(source, index, config.profiles, problems);
    if (model !== undefined) checkAliases(model, ['sources', index, 'model'], models, problems);
    if (fallback !== undefined) {
      checkAliases([fallback], ['sources', index, 'fallback'], models, problems);
      if (aliases.includes(fallback))
        problems.push({
          path: formatPath(['sources', index, 'fallback']),
          message: `"${fallback}" is a model of the source already; expected another one`,
        });
    }
    if (model !== undefined && profile !== undefined)
      problems.push({
        path: formatPath(['sources', index, 'profile']),
        message: 'stands beside model; give one of the two',
      });
    const deadLetters = (onOutage ?? config.limits.onOutage) === 'dead-letter';
    return {
      ...rest,
      models: aliases,
      ...(fallback !== undefined && { fallback }),
      ...(deadLetters && { onOutage: 'dead-letter' as const }),
    };
  });
}

function findProfile(
  { profile }: ParsedSource,
  index: number,
  profiles: ParsedConfig['profiles'],
  problems: ConfigProblem[],
): readonly string[] {
  if (profile === undefined) {
    problems.push({
      path: formatPath(['sources', index, 'model']),
      message: 'expected the alias of a model, or several of them in an array, but it is missing',
    });
    return [];
  }
  const found = Object.hasOwn(profiles, profile) ? profiles[profile] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(profiles);
  const nearest = nearestWord(profile, known);
  const suggestion = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  problems.push({
    path: formatPath(['sources', index, 'profile']),
    message: `"${profile}" is no profile${suggestion} (known: ${known.join(', ') || 'none'})`,
  });
  return [];
}

function checkAliases(
  aliases: readonly string[],
  path: Path,
  models: Models,
  problems: ConfigProblem[],
): void {
  const place = formatPath(path);
  if (new Set(aliases).size < aliases.length) problems.push({ path: place, message: 'names a model twice' });
  for (const alias of aliases) {
    if (Object.hasOwn(models, alias)) continue;
    if (findKnownModel(alias)) {
      problems.push({
        path: formatPath(['models', alias, 'provider']),
        message: describeMissingPlace(alias),
      });
      continue;
    }
    const known = Object.keys(models);
    const nearest = nearestWord(alias, known);
    const suggestion = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
    problems.push({
      path: place,
      message: `"${alias}" is no model${suggestion} (known: ${known.join(', ')})`,
    });
  }
}
