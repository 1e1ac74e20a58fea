import type { ParsedModel } from './config-schema.ts';
import type { ConfigProblem } from './describe-issues.ts';

const SHAPE = 'alias:model_id:rev:dim:max_seq';
const MAX_DIMENSIONS = 16_000;
const MAX_TOKENS = 1_000_000;

/**
 * Parses entries `alias:model_id:rev:dim:max_seq`; problems are added to `problems`.
 * The entries are an array, or one text in which commas, semicolons or white space separate them.
 * Only `model_id` may contain a colon, as Ollama's tags do. An empty `rev` is filled from what is
 * known of the weights.
 */
export function parseModelList(
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
  if (!isWholeNumber(maxTokens, MAX_TOKENS))
    found.push(`max_seq: expected a whole number from 1 to ${MAX_TOKENS}, got "${maxTokens}"`);
  found.forEach(complain);
  if (found.length > 0) return [];
  const numbers = { dimensions: Number(dimensions), maxTokensPerText: Number(maxTokens) };
  return [alias, { modelId, ...(revision !== '' && { revision }), ...numbers }];
}

function isWholeNumber(text: string | undefined, most: number): boolean {
  return text !== undefined && /^[0-9]{1,7}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}
