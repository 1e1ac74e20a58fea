import { UsageError } from '../errors/usage-error.ts';
import type { ModelDefinition } from '../model/space.ts';
import { builtInModels } from './built-in-models.ts';
import { configSchema, type ParsedModel } from './config-schema.ts';
import { type ConfigProblem, describeIssues, formatPath } from './describe-issues.ts';
import { findAwsProblems } from './find-aws-problems.ts';
import { nearestWord } from './nearest-word.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';

/**
 * Checks what `freshet.config.ts` exports and fills in the defaults.
 * @throws UsageError that lists every problem: the key's path, what was expected there and the nearest valid word.
 */
export function parseConfig(input: unknown): PipelineConfig {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) throw problemsError(describeIssues(parsed.error.issues, configSchema, input));
  const problems: ConfigProblem[] = [];
  const models: Record<string, ModelDefinition> = { ...builtInModels };
  for (const [alias, settings] of Object.entries(parsed.data.models))
    models[alias] = mergeModel(alias, settings, problems);
  const sources = parsed.data.sources.map(
    ({ model, ...source }): SourceConfig => ({ ...source, models: model }),
  );
  checkSources(sources, models, problems);
  problems.push(...findAwsProblems(parsed.data.aws, Object.keys(models)));
  if (problems.length > 0) throw problemsError(problems);
  const { database, limits, aws } = parsed.data;
  return { database, models, sources, limits, ...(aws && { aws }) };
}

function problemsError(problems: readonly ConfigProblem[]): UsageError {
  const lines = problems.map(problem => `  ${problem.path}: ${problem.message}`);
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new UsageError(`The configuration has ${count}:\n${lines.join('\n')}`);
}

function mergeModel(alias: string, settings: ParsedModel, problems: ConfigProblem[]): ModelDefinition {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const base = Object.hasOwn(builtInModels, alias) ? builtInModels[alias]! : undefined;
  for (const key of ['provider', 'modelId', 'dimensions'] as const) {
    if (base === undefined && settings[key] === undefined)
      problems.push({
        path: formatPath(['models', alias, key]),
        message: 'is missing; a model that is not built in needs provider, modelId and dimensions',
      });
  }
  const defaults = {
    provider: 'openai',
    modelId: alias,
    revision: 'latest',
    dimensions: 1,
    documentPrefix: '',
    queryPrefix: '',
    normalized: true,
    usdPerMillionTokens: 0,
    sendDimensions: false,
  } as const;
  return { ...defaults, ...base, ...given, alias };
}

function checkSources(
  sources: readonly SourceConfig[],
  models: Readonly<Record<string, ModelDefinition>>,
  problems: ConfigProblem[],
): void {
  const seen = new Map<string, number>();
  for (const [index, source] of sources.entries()) {
    const first = seen.get(source.name);
    if (first === undefined) seen.set(source.name, index);
    else
      problems.push({
        path: formatPath(['sources', index, 'name']),
        message: `"${source.name}" is the name of sources[${first}] already; each source needs its own`,
      });
    checkAliases(source, index, models, problems);
    checkTemplate(source, index, problems);
  }
}

function checkAliases(
  source: SourceConfig,
  index: number,
  models: Readonly<Record<string, ModelDefinition>>,
  problems: ConfigProblem[],
): void {
  const path = formatPath(['sources', index, 'model']);
  if (new Set(source.models).size < source.models.length)
    problems.push({ path, message: 'names a model twice' });
  for (const alias of source.models) {
    if (Object.hasOwn(models, alias)) continue;
    const known = Object.keys(models);
    const nearest = nearestWord(alias, known);
    const suggestion = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
    problems.push({ path, message: `"${alias}" is no model${suggestion} (known: ${known.join(', ')})` });
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
    const nearest = nearestWord(name, columns);
    const suggestion = nearest === undefined ? '' : `; did you mean {${nearest}}?`;
    problems.push({
      path,
      message: `{${name}} is not among text.columns${suggestion} (known: ${columns.join(', ')})`,
    });
  }
}
