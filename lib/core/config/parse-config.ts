import { UsageError } from '../errors.ts';
import type { ModelDefinition } from '../model.ts';
import { findBudgetProblems } from './budget-schema.ts';
import { configSchema, type ParsedConfig, type ParsedSource } from './config-schema.ts';
import { type ConfigProblem, describeIssues, formatPath, suggestNearest } from './describe-issues.ts';
import { findDocumentsProblems, toDocumentsSource } from './documents-schema.ts';
import { findKnownModel } from './known-models.ts';
import { describeMissingPlace } from './model-checks.ts';
import { resolveModels } from './models.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';
import { findSearchProblems } from './search-schema.ts';
import { findServiceProblems } from './service-schema.ts';
import { searchFunctionOf } from './source-rules.ts';
import { findAwsProblems } from './stages.ts';

type Models = Readonly<Record<string, ModelDefinition>>;
type Path = (string | number)[];

/**
 * Resolves the sources to the aliases of their models.
 * `profile` is replaced by the models that it stands for, and every alias is checked to exist.
 * `problems` receives what is wrong.
 */
function resolveSources(
  config: Pick<ParsedConfig, 'sources' | 'profiles' | 'limits'>,
  models: Models,
  problems: ConfigProblem[],
): SourceConfig[] {
  for (const [name, aliases] of Object.entries(config.profiles))
    checkAliases(aliases, ['profiles', name], models, problems);
  return config.sources.map((source, index) => {
    const { model, profile, fallback, onOutage, storage, ...rest } = source;
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
      ...(storage === 'halfvec' && { storage }),
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
  const suggestion = suggestNearest(profile, known);
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
    const suggestion = suggestNearest(alias, known);
    problems.push({
      path: place,
      message: `"${alias}" is no model${suggestion} (known: ${known.join(', ')})`,
    });
  }
}

/**
 * Checks what `freshet.config.ts` exports and fills in the defaults.
 * @throws UsageError lists every problem: the key's path, what was expected there and the nearest
 *   valid word
 */
export function parseConfig(input: unknown): PipelineConfig {
  const { config, problems } = checkConfig(input);
  if (config === undefined) throw problemsError(problems);
  return config;
}

/** Checks as `parseConfig` does, and lists what is wrong; there is no configuration then. */
export function checkConfig(input: unknown): {
  readonly config: PipelineConfig | undefined;
  readonly problems: readonly ConfigProblem[];
} {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success)
    return { config: undefined, problems: describeIssues(parsed.error.issues, configSchema, input) };
  const problems: ConfigProblem[] = [];
  const models = resolveModels(parsed.data, problems);
  const { documents } = parsed.data;
  const tables = resolveSources(parsed.data, models, problems);
  checkSources(tables, problems);
  if (documents !== undefined) checkAliases(documents.model, ['documents', 'model'], models, problems);
  else if (tables.length === 0) problems.push({ path: 'sources', message: 'expected at least one source' });
  problems.push(
    ...findDocumentsProblems(
      documents,
      tables.map(({ name }) => name),
    ),
  );
  const sources = documents === undefined ? tables : [...tables, toDocumentsSource(documents)];
  const sourceNames = sources.map(({ name }) => name);
  problems.push(...findBudgetProblems(parsed.data.budget, sourceNames));
  problems.push(...findServiceProblems(parsed.data.service));
  problems.push(...findAwsProblems(parsed.data.aws, Object.keys(models)));
  if (problems.length > 0) return { config: undefined, problems };
  const { database, limits, modes, budget, service, aws, rerankers } = parsed.data;
  const config = {
    ...{ database, models, sources, limits, service },
    ...(documents && { documents }),
    ...(rerankers && { rerankers }),
    ...(modes && { modes }),
    ...(budget && { budget }),
    ...(aws && { aws }),
  };
  return { config, problems };
}

/**
 * Refuses a configuration; `remedy` says what to write where the problems do not.
 * @param subject what has the problems
 */
export function problemsError(
  problems: readonly ConfigProblem[],
  remedy?: string,
  subject = 'The configuration',
): UsageError {
  // Two keys can lack the same one.
  const lines = [...new Set(problems.map(problem => `  ${problem.path}: ${problem.message}`))];
  const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`;
  return new UsageError(`${subject} has ${count}:\n${lines.join('\n')}`, remedy);
}

function checkSources(sources: readonly SourceConfig[], problems: ConfigProblem[]): void {
  const seen = new Map<string, number>();
  for (const [index, source] of sources.entries()) {
    const made = searchFunctionOf(source.name);
    const first = seen.get(made);
    if (first === undefined) seen.set(made, index);
    else
      problems.push({
        path: formatPath(['sources', index, 'name']),
        message:
          sources[first]!.name === source.name
            ? `"${source.name}" is the name of sources[${first}] already; each source needs its own`
            : `begins as the name of sources[${first}] does: both would have the function "${made}"; let ` +
              'the first 56 bytes differ',
      });
    checkTemplate(source, index, problems);
    problems.push(...findSearchProblems(source.search, formatPath(['sources', index, 'search'])));
  }
}

function checkTemplate(source: SourceConfig, index: number, problems: ConfigProblem[]): void {
  const { columns, template } = source.text;
  if (new Set(columns).size < columns.length)
    problems.push({
      path: formatPath(['sources', index, 'text', 'columns']),
      message: 'names a column twice',
    });
  if (template === undefined) return;
  const path = formatPath(['sources', index, 'text', 'template']);
  const placeholders = [...template.matchAll(/\{([^{}]+)\}/g)].map(match => match[1]!);
  if (placeholders.length === 0)
    problems.push({ path, message: 'has no placeholder; expected a template such as "{title}: {summary}"' });
  for (const name of placeholders) {
    if (columns.includes(name)) continue;
    const suggestion = suggestNearest(name, columns, nearest => `{${nearest}}`);
    problems.push({
      path,
      message: `{${name}} is not among text.columns${suggestion} (known: ${columns.join(', ')})`,
    });
  }
}
