import type { ListedModel } from '../../lib/core/config/models.ts';
import type { CheckedModel } from '../../lib/wiring/models.ts';
import { formatTable } from './format-table.ts';

const MODEL_HEADINGS = [
  'alias',
  'provider',
  'model',
  'revision',
  'dimensions',
  'max tokens',
  '$ per 1M',
  'used by',
];
const CHECK_HEADINGS = ['alias', 'provider', 'dimensions', 'norm', 'golden', 'cosine', 'ms', 'result'];

export function formatModels(models: readonly ListedModel[]): string[] {
  return formatTable(
    MODEL_HEADINGS,
    models.map(model => [
      model.alias,
      model.provider ?? '(no place)',
      model.modelId,
      model.revision ?? '',
      String(model.dimensions),
      String(model.maxTokensPerText ?? ''),
      String(model.usdPerMillionTokens),
      model.sources.join(', '),
    ]),
  );
}

export function formatChecks(checks: readonly CheckedModel[]): string[] {
  const rows = checks.map(check => [
    check.alias,
    check.provider,
    String(check.dimensions),
    check.norm?.toFixed(4) ?? '',
    check.golden,
    check.cosine?.toFixed(6) ?? '',
    String(Math.round(check.latencyMs)),
    check.problem?.code ?? 'ok',
  ]);
  const problems = checks.flatMap(({ alias, problem }) => {
    if (problem === undefined) return [];
    const line = problem.line === undefined ? '' : ` The line is ${problem.line}.`;
    return ['', `${alias}: ${problem.message}${line}`];
  });
  return [...formatTable(CHECK_HEADINGS, rows), ...problems];
}
