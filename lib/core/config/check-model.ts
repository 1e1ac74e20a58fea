import type { ModelDefinition, ProviderName } from '../model/space.ts';
import type { ParsedModel } from './config-schema.ts';
import { type ConfigProblem, formatPath } from './describe-issues.ts';
import { findKnownModel } from './known-models.ts';
import { takesDimensions } from './resolve-model.ts';

type Key = keyof ParsedModel;

/** Keys that one kind of place needs, and that mean nothing elsewhere. */
const PLACE_KEYS: readonly { readonly key: Key; readonly providers: readonly ProviderName[] }[] = [
  { key: 'baseUrl', providers: ['openai', 'http', 'ollama'] },
  { key: 'endpointName', providers: ['sagemaker'] },
  { key: 'inferenceComponentName', providers: ['sagemaker'] },
  { key: 'sendTextHashes', providers: ['http'] },
];

const NEEDED: readonly { readonly key: Key; readonly provider: ProviderName; readonly example: string }[] = [
  { key: 'endpointName', provider: 'sagemaker', example: "endpointName: 'embeddings'" },
  { key: 'baseUrl', provider: 'http', example: "baseUrl: 'https://embeddings.internal'" },
];

/** What one key of a model must know of another. `settings` are the given ones, `model` what they were resolved to. */
export function checkModel(settings: ParsedModel, model: ModelDefinition): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const complain = (key: Key, message: string) =>
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

/** For weights that are known and served nowhere in particular. */
export function describeMissingPlace(alias: string): string {
  return `is missing: where is ${alias} served? For example models: { ${JSON.stringify(alias)}: { provider: 'ollama' } }, or provider 'http' with baseUrl, 'sagemaker' with endpointName and revision, 'openai' with baseUrl`;
}

function checkPlace(
  settings: ParsedModel,
  { provider, alias }: ModelDefinition,
  complain: (key: Key, message: string) => void,
): void {
  for (const { key, providers } of PLACE_KEYS) {
    if (settings[key] !== undefined && !providers.includes(provider))
      complain(
        key,
        `means nothing to provider "${provider}"; it is for ${providers.map(name => `"${name}"`).join(', ')}`,
      );
  }
  for (const { key, provider: needing, example } of NEEDED) {
    if (provider === needing && settings[key] === undefined)
      complain(key, `is missing; provider "${needing}" needs it, as ${example}`);
  }
  if (provider === 'sagemaker') checkServedRevision(settings, alias, complain);
}

/** Names that move with the weights. */
const MOVING = new Set(['latest', 'main', 'head']);

function checkServedRevision(
  settings: ParsedModel,
  alias: string,
  complain: (key: Key, message: string) => void,
): void {
  const { revision } = settings;
  if (revision !== undefined && !MOVING.has(revision.toLowerCase())) return;
  const what = revision === undefined ? 'is missing' : `is ${JSON.stringify(revision)}, which moves`;
  const pinned = findKnownModel(settings.modelId ?? alias)?.revision;
  const example = pinned === undefined ? '' : `, as ${pinned}`;
  complain(
    'revision',
    `${what}; an endpoint can be given other weights under the same name: pin the commit of the model that it serves${example}, or the digits that models publish prints`,
  );
}

function checkDimensions(
  settings: ParsedModel,
  { alias, provider, dimensions, sendDimensions }: ModelDefinition,
  complain: (key: Key, message: string) => void,
): void {
  const known = findKnownModel(settings.modelId ?? alias);
  if (settings.sendDimensions === true && !takesDimensions(provider))
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
      takesDimensions(provider) ? 'sendDimensions' : 'dimensions',
      takesDimensions(provider)
        ? `must be true for ${dimensions} dimensions: ${name} gives ${known.dimensions} unless it is asked`
        : `expected ${known.dimensions}: provider "${provider}" cannot ask for fewer, got ${dimensions}`,
    );
}
