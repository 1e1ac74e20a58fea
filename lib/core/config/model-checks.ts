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
  checkOnlyModel(model, complain);
  checkFiles(settings, model, complain);
  checkDimensions(settings, model, complain);
  checkBodyFields(settings, model, problems);
  checkHeaders(settings, model, problems);
  checkBatch(settings, model, complain);
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

/** Refuses batches where nothing would be bought by them, or the address has none. */
function checkBatch({ bulk, batch }: ParsedModel, model: ModelDefinition, complain: Complain): void {
  if (batch !== undefined && bulk !== 'batch')
    complain('batch', "has no effect without bulk: 'batch'; add that, or leave batch out");
  if (bulk === 'batch' && model.baseUrl?.includes('api-version='))
    complain('bulk', "is 'batch'; an address with api-version has its batches elsewhere: leave bulk out");
}

/** The commit of a repository of the hub, as its pages and `git log` show it. */
const COMMIT = /^[\da-f]{40}$/;

/** A model that runs on this machine says which files it is made of, and where they come from. */
function checkFiles(settings: ParsedModel, model: ModelDefinition, complain: Complain): void {
  const { runsFiles } = PROVIDERS[model.provider];
  if (!runsFiles) return;
  if (settings.files === undefined)
    complain(
      'files',
      `is missing; provider "${model.provider}" checks every file: files: { 'model.onnx': '…', ` +
        "'tokenizer.json': '…' }, each with its SHA-256, as sha256sum prints it",
    );
  if (model.maxTokensPerText === undefined)
    complain(
      'maxTokensPerText',
      'is missing; it is max_seq_length in the sentence_bert_config.json of the model',
    );
  if (settings.modelFolder !== undefined) return;
  if (!COMMIT.test(model.revision))
    complain(
      'revision',
      `is ${JSON.stringify(model.revision)}; files of the hub are downloaded from a commit, of 40 ` +
        'hexadecimal digits: pin one, or name the folder that holds the files as modelFolder',
    );
  if (!/^[\w.-]+\/[\w.-]+$/.test(model.modelId))
    complain('modelId', 'expected owner/name, as the hub names the model, or a modelFolder');
}

/** Refuses another model than the one that the provider has, and another form of that one. */
function checkOnlyModel(model: ModelDefinition, complain: Complain): void {
  const only = PROVIDERS[model.provider].onlyModel;
  if (only === undefined) return;
  for (const key of ['modelId', 'revision', 'dimensions'] as const) {
    if (model[key] === only[key]) continue;
    complain(
      key,
      `is ${JSON.stringify(model[key])}; provider "${model.provider}" has one model, with ${key} ` +
        `${JSON.stringify(only[key])}: leave ${key} out, or choose another provider`,
    );
  }
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

/** Complains of additional fields that the adapter sends itself; names the key that sets each. */
function checkBodyFields(
  settings: ParsedModel,
  { alias, provider }: ModelDefinition,
  problems: ConfigProblem[],
): void {
  const { fields } = PROVIDERS[provider];
  for (const key of ['extraBody', 'queryExtraBody'] as const)
    for (const name of Object.keys(settings[key] ?? {})) {
      const source = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (source === undefined) continue;
      const isKey = source !== 'texts' && source !== 'adapter';
      const setter = key === 'queryExtraBody' && source === 'modelId' ? 'queryModelId' : source;
      const remedy = isKey ? `the key ${setter} sets it` : 'leave it out';
      problems.push({
        path: formatPath(['models', alias, key, name]),
        message: `is a field that Freshet sends itself; ${remedy}`,
      });
    }
}

/** Headers that belong to the request itself, whatever a configuration wants. */
const OWN_HEADERS = new Set([
  'host',
  'connection',
  'content-type',
  'content-length',
  'transfer-encoding',
  'accept-encoding',
  'content-encoding',
  'expect',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'proxy-authorization',
  'proxy-connection',
]);

function checkHeaders(
  { headers = {} }: ParsedModel,
  { alias, provider }: ModelDefinition,
  problems: ConfigProblem[],
): void {
  const { key } = PROVIDERS[provider];
  for (const name of Object.keys(headers)) {
    const isKey = name === 'authorization' && key !== undefined;
    if (!isKey && !OWN_HEADERS.has(name)) continue;
    problems.push({
      path: formatPath(['models', alias, 'headers', name]),
      message: isKey ? `is made of the key in ${key.variable}; set that` : 'is set by each request itself',
    });
  }
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
