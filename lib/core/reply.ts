import { FreshetError } from './errors.ts';
import type { ExclusionReason, ModelDefinition } from './model.ts';
import { viewFloats } from './vectors.ts';

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
function compareModelNames(requested: string, answered: string): 'same' | 'unfamiliar' | 'other' {
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
    `The provider was asked for the model ${requested} and says that another one answered: check the ` +
      'endpoint and modelId.',
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

/** A provider's reply. The vectors are float32, little-endian. */
interface ReceivedReply {
  readonly items: readonly { readonly index: number; readonly bytes: Buffer }[];
  /** Texts without a vector though nothing failed. Undefined: none. */
  readonly excluded?: readonly { readonly index: number; readonly reason: ExclusionReason }[];
  readonly requestId?: string | undefined;
  /** The model that answered, as the provider names it. */
  readonly model?: string | undefined;
}

interface ExpectedReply {
  readonly count: number;
  readonly dimensions: number;
  readonly normalized: boolean;
}

/**
 * How far the length of a normalized vector may be from 1.
 * float16 inference and rounding in transport stay well inside; a vector that was never normalised
 * does not.
 */
const NORM_TOLERANCE = 0.01;

/**
 * Arranges the vectors by the position of their texts and checks each one.
 * `invalid` lists the positions whose own vector is unusable: of another length, NaN, infinite,
 * zero, or not of length 1 where the model promises it. `excluded` has the reasons of the texts for
 * which the model has no vector. The vectors of both are null.
 * @throws FreshetError for a wrong count or index, of class `transient`
 * @throws FreshetError `wrong_dimensions` where all vectors share a wrong length, of class `stop`:
 *   another model answers
 */
export function validateReply(
  reply: ReceivedReply,
  expected: ExpectedReply,
): { vectors: (Buffer | null)[]; invalid: number[]; excluded: ReadonlyMap<number, ExclusionReason> } {
  const received = arrangeByIndex(reply, expected.count);
  const buffers = received.filter(answer => typeof answer !== 'string');
  rejectForeignDimensions(buffers, reply.requestId, expected.dimensions);
  const invalid: number[] = [];
  const excluded = new Map<number, ExclusionReason>();
  const vectors = received.map((answer, position) => {
    if (typeof answer === 'string') excluded.set(position, answer);
    else if (isUsable(answer, expected)) return answer;
    else invalid.push(position);
    return null;
  });
  return { vectors, invalid, excluded };
}

/** Arranges by the position of the texts what the reply says of each: its vector or its reason. */
function arrangeByIndex(reply: ReceivedReply, count: number): (Buffer | ExclusionReason)[] {
  const answers = [
    ...reply.items.map(({ index, bytes }) => [index, bytes] as const),
    ...(reply.excluded ?? []).map(({ index, reason }) => [index, reason] as const),
  ];
  if (answers.length !== count) {
    throw invalidReply(
      'invalid_reply_count',
      `${answers.length} vectors for ${count} texts`,
      reply.requestId,
    );
  }
  // What stands alone in a reply belongs to the only text, whatever its number.
  if (count === 1) return answers.map(([, answer]) => answer);
  const arranged: (Buffer | ExclusionReason | undefined)[] = new Array(count).fill(undefined);
  for (const [index, answer] of answers) {
    if (!Number.isInteger(index) || index < 0 || index >= count || arranged[index] !== undefined) {
      throw invalidReply(
        'invalid_reply_index',
        'indexes that are no permutation of the texts',
        reply.requestId,
      );
    }
    arranged[index] = answer;
  }
  return arranged as (Buffer | ExclusionReason)[];
}

/**
 * Counts the texts of a call that the server tells apart, by a reply that `validateReply` rejects.
 * Some servers number every vector 0 or begin anew after each part of a call: they can be asked for
 * as many texts as are numbered by their places. Others answer the first texts only.
 * @returns undefined where the reply may be about one of its texts: it lacks less than half
 */
export function countTellable(reply: Pick<ReceivedReply, 'items'>, count: number): number | undefined {
  const { items } = reply;
  if (items.length !== count) return items.length > 0 && 2 * items.length < count ? items.length : undefined;
  const ordered = items.findIndex(({ index }, place) => index !== place);
  return ordered < 0 ? undefined : Math.max(1, ordered);
}

function rejectForeignDimensions(
  vectors: readonly Buffer[],
  requestId: string | undefined,
  dimensions: number,
): void {
  const bytes = vectors[0]?.length ?? 0;
  const foreign = bytes > 0 && bytes % 4 === 0 && bytes !== dimensions * 4;
  if (!foreign || vectors.some(vector => vector.length !== bytes)) return;
  throw new FreshetError(
    `The provider answered vectors of ${bytes / 4} dimensions where ${dimensions} are configured. ` +
      `Set the model's dimensions to ${bytes / 4}, or name the model that has ${dimensions}.`,
    { failureClass: 'stop', code: 'wrong_dimensions', requestId },
  );
}

function isUsable(bytes: Buffer, expected: ExpectedReply): boolean {
  if (bytes.length !== expected.dimensions * 4) return false;
  let squares = 0;
  const values = viewFloats(bytes);
  // The loop goes by position: an iterator takes five times as long, and this loop alone reads
  // every number.
  for (let position = 0; position < values.length; position += 1) {
    const value = values[position]!;
    squares += value * value;
  }
  // pgvector sums in float32: a vector whose sum is zero or infinite there has no cosine distance.
  // NaN fails both comparisons.
  const inSinglePrecision = Math.fround(squares);
  if (!(inSinglePrecision > 0 && inSinglePrecision < Number.POSITIVE_INFINITY)) return false;
  return !expected.normalized || Math.abs(Math.sqrt(squares) - 1) <= NORM_TOLERANCE;
}

function invalidReply(code: string, what: string, requestId: string | undefined): FreshetError {
  return new FreshetError(`The provider answered ${what}.`, { failureClass: 'transient', code, requestId });
}

/**
 * Returns all vectors by position, for callers that need every one of them.
 * @throws FreshetError what `validateReply` throws
 * @throws FreshetError `wrong_model` where the reply names another model, of class `stop`
 * @throws FreshetError `unknown_words` where the model knows no word of a text, of class `item`
 * @throws FreshetError `invalid_vector` where a vector is unusable, of class `stop`
 */
export function requireVectors(
  reply: ReceivedReply,
  model: Pick<ModelDefinition, 'modelId' | 'dimensions' | 'normalized'>,
  count: number,
): Buffer[] {
  rejectOtherModel(reply, model.modelId);
  const { dimensions, normalized } = model;
  const { vectors, excluded } = validateReply(reply, { count, dimensions, normalized });
  if (excluded.size > 0) refuseUnknownWords(model.modelId);
  return vectors.map(vector => vector ?? refuseVector(reply.requestId));
}

/** The code of a text of which the model knows no word, where a vector cannot be done without. */
export const UNKNOWN_WORDS_CODE = 'unknown_words';

function refuseUnknownWords(modelId: string): never {
  throw new FreshetError(
    `The model ${modelId} knows no word of the text, so that the text has no place among the others.`,
    { failureClass: 'item', code: UNKNOWN_WORDS_CODE },
  );
}

function refuseVector(requestId: string | undefined): never {
  throw new FreshetError(
    'The provider answered a vector that cannot be stored: not finite, zero, or not of length 1.',
    { failureClass: 'stop', code: 'invalid_vector', requestId },
  );
}
