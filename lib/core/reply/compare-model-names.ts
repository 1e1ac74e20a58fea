import { FreshetError } from '../errors/freshet-error.ts';

/**
 * Model families in which no name is an alias of another one.
 * Servers add organisations, tags and versions to these names.
 */
const FAMILIES = [
  'text-embedding-3-small',
  'text-embedding-3-large',
  'text-embedding-ada-002',
  'all-minilm-l6-v2',
  'all-minilm-l12-v2',
  'all-mpnet-base-v2',
  'paraphrase-multilingual-minilm-l12-v2',
  'bge-m3',
  'multilingual-e5-small',
  'multilingual-e5-base',
  'multilingual-e5-large',
  'nomic-embed-text',
  'mxbai-embed-large',
];

/**
 * Compares the requested model's name with the name in the reply.
 *
 * - `same`: the names agree but for an organisation, tag or version.
 * - `other`: both names are known models and differ. Their dimensions may well agree.
 * - `unfamiliar`: nobody can say, as with Azure's deployment names and file names of local servers.
 */
export function compareModelNames(requested: string, answered: string): 'same' | 'unfamiliar' | 'other' {
  const [asked, named] = [bareName(requested), bareName(answered)];
  if (asked === named || asked.startsWith(`${named}-`) || named.startsWith(`${asked}-`)) return 'same';
  const [askedFamily, namedFamily] = [findFamily(asked), findFamily(named)];
  if (askedFamily === undefined || namedFamily === undefined) return 'unfamiliar';
  return askedFamily === namedFamily ? 'same' : 'other';
}

/**
 * Rejects a reply from another model; returns `same` where the reply names no model.
 * The name in the reply is the server's text, so that the error does not repeat it.
 * @throws FreshetError `wrong_model`, of class `stop`
 */
export function rejectOtherModel(
  reply: { readonly model?: string | undefined; readonly requestId?: string | undefined },
  requested: string,
): 'same' | 'unfamiliar' {
  const comparison = reply.model === undefined ? 'same' : compareModelNames(requested, reply.model);
  if (comparison !== 'other') return comparison;
  throw new FreshetError(
    `The provider was asked for the model ${requested} and says that another one answered: check the endpoint and modelId.`,
    { failureClass: 'stop', code: 'wrong_model', requestId: reply.requestId },
  );
}

function findFamily(name: string): string | undefined {
  return FAMILIES.find(family => name === family || name.startsWith(`${family}-`));
}

/** Strips the organisation and the tag from a model's name. */
function bareName(name: string): string {
  const lower = name.toLowerCase();
  return lower.slice(lower.lastIndexOf('/') + 1).replace(/:.*$/, '');
}
