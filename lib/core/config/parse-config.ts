import { UsageError } from '../errors/usage-error.ts';
import { configSchema } from './config-schema.ts';
import { type ConfigProblem, describeIssues, formatPath } from './describe-issues.ts';
import { findAwsProblems } from './find-aws-problems.ts';
import { nearestWord } from './nearest-word.ts';
import type { PipelineConfig, SourceConfig } from './pipeline-config.ts';
import { resolveModels } from './resolve-models.ts';
import { resolveSources } from './resolve-sources.ts';

/**
 * Checks what `freshet.config.ts` exports and fills in the defaults.
 * @throws UsageError lists every problem: the key's path, what was expected there and the nearest
 *   valid word
 */
export function parseConfig(input: unknown): PipelineConfig {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) throw problemsError(describeIssues(parsed.error.issues, configSchema, input));
  const problems: ConfigProblem[] = [];
  const models = resolveModels(parsed.data, problems);
  const sources = resolveSources(parsed.data, models, problems);
  checkSources(sources, problems);
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

function checkSources(sources: readonly SourceConfig[], problems: ConfigProblem[]): void {
  const seen = new Map<string, number>();
  for (const [index, source] of sources.entries()) {
    const first = seen.get(source.name);
    if (first === undefined) seen.set(source.name, index);
    else
      problems.push({
        path: formatPath(['sources', index, 'name']),
        message: `"${source.name}" is the name of sources[${first}] already; each source needs its own`,
      });
    checkTemplate(source, index, problems);
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
