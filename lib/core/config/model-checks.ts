import type { ModelDefinition } from '../model.ts';
import { type PlaceKey, PROVIDER_NAMES, PROVIDERS } from '../providers.ts';
import type { ParsedModel } from './config-schema.ts';
import { type ConfigProblem, formatPath } from './describe-issues.ts';
import { findKnownModel } from './known-models.ts';

type Key = keyof ParsedModel;
type Complain = (key: Key, message: string) => void;

/** Keys that mean nothing to some provider. */
const PROVIDER_KEYS = [...new Set(PROVIDER_NAMES.flatMap(name => PROVIDERS[name].keys))];

/**
 * Finds what is wrong between the keys of one model.
 * `settings` is what the configuration gives, `model` what it was resolved to.
 */
export function checkModelDefinition(settings: ParsedModel, model: ModelDefinition): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const complain: Complain = (key, message) =>
    problems.push({ path: formatPath(['models', model.alias, key]), message });
  const known = findKnownModel(settings.modelId ?? model.alias);
  const missing = 'is missing; a model that is not built in needs provider, modelId and dimensions';
  if (settings.provider === undefined && known?.provider === undefined) {
    complain('provider', known === undefined ? missing : describeMissingPlace(model.alias));
  }
  if (known === undefined && settings.modelId === undefined) complain('modelId', missing);
  if (known === undefined && settings.dimensions === undefined) complain('dimensions', missing);
  checkPlace(settings, model, complain);
  checkDimensions(settings, model, complain);
  return problems;
}

/** What a person is told who names known weights and no place that serves them. */
export function describeMissingPlace(alias: string): string {
  return (
    `is missing: where is ${alias} served? For example models: { ${JSON.stringify(alias)}: { ` +
    "provider: 'ollama' } }, or provider 'http' with baseUrl, 'sagemaker' with endpointName and " +
    "revision, 'openai' with baseUrl"
  );
}

function checkPlace(settings: ParsedModel, { provider, alias }: ModelDefinition, complain: Complain): void {
  const { keys, needs, needsPinnedRevision } = PROVIDERS[provider];
  for (const key of PROVIDER_KEYS) {
    if (settings[key] === undefined || keys.includes(key)) continue;
    const readers = PROVIDER_NAMES.filter(name => PROVIDERS[name].keys.includes(key));
    complain(
      key,
      `means nothing to provider "${provider}"; it is for ${readers.map(name => `"${name}"`).join(', ')}`,
    );
  }
  for (const [key, example] of Object.entries(needs) as [PlaceKey, string][]) {
    if (settings[key] === undefined)
      complain(key, `is missing; provider "${provider}" needs it, as ${key}: '${example}'`);
  }
  if (needsPinnedRevision) checkServedRevision(settings, alias, complain);
}

/** Names of revisions that move with the weights. */
const MOVING = new Set(['latest', 'main', 'head']);

function checkServedRevision(settings: ParsedModel, alias: string, complain: Complain): void {
  const { revision } = settings;
  if (revision !== undefined && !MOVING.has(revision.toLowerCase())) return;
  const what = revision === undefined ? 'is missing' : `is ${JSON.stringify(revision)}, which moves`;
  const pinned = findKnownModel(settings.modelId ?? alias)?.revision;
  const example = pinned === undefined ? '' : `, as ${pinned}`;
  complain(
    'revision',
    `${what}; an endpoint can be given other weights under the same name: pin the commit of the ` +
      `model that it serves${example}, or the digits that models publish prints`,
  );
}

function checkDimensions(
  settings: ParsedModel,
  { alias, provider, dimensions, sendDimensions }: ModelDefinition,
  complain: Complain,
): void {
  const known = findKnownModel(settings.modelId ?? alias);
  const { takesDimensions } = PROVIDERS[provider];
  if (settings.sendDimensions === true && !takesDimensions)
    complain('sendDimensions', `is not possible: provider "${provider}" takes no dimensions`);
  if (known === undefined) return;
  const { name, shortestDimensions } = known;
  if (dimensions > known.dimensions)
    complain('dimensions', `expected at most ${known.dimensions}, all that ${name} gives, got ${dimensions}`);
  if (settings.sendDimensions === true && shortestDimensions === undefined)
    complain('sendDimensions', `is not possible: the vectors of ${name} cannot be shortened`);
  if (dimensions >= known.dimensions) return;
  if (shortestDimensions === undefined || dimensions < shortestDimensions) {
    const least = shortestDimensions === undefined ? '' : `${shortestDimensions} to `;
    complain('dimensions', `expected ${least}${known.dimensions}, which ${name} gives, got ${dimensions}`);
  } else if (!sendDimensions)
    complain(
      takesDimensions ? 'sendDimensions' : 'dimensions',
      takesDimensions
        ? `must be true for ${dimensions} dimensions: ${name} gives ${known.dimensions} unless it is asked`
        : `expected ${known.dimensions}: provider "${provider}" cannot ask for fewer, got ${dimensions}`,
    );
}
