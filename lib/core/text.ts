import { hash } from 'node:crypto';
import type { Json, ModelDefinition, ResolvedSource, VectorStorage } from './model.ts';

/**
 * Prepares the text of a row that is fingerprinted and embedded.
 * The source's template places the columns; without a template the non-empty columns are joined
 * with newlines. The text is well-formed UTF-16 without NUL, because strict servers refuse a whole
 * batch for either fault, and it is trimmed. The text is empty when every column that takes part is
 * blank (`isBlank`), whatever else the template says. A column that is blank beside one that is not
 * stays as it is: no text that says something gets another fingerprint.
 * `columns` has the order of `source.textColumns`.
 */
export function prepareText(
  columns: readonly (string | null)[],
  source: Pick<ResolvedSource, 'textColumns' | 'template'>,
): string {
  const cleaned = columns.map(column => (column === null ? '' : cleanText(column)));
  if (source.template === undefined) {
    const text = cleaned.filter(column => column !== '').join('\n');
    return isBlank(text) ? '' : text;
  }
  return fillTemplate(source.template, source.textColumns, cleaned);
}

/**
 * Fills the template in one pass.
 * A value that looks like a placeholder therefore stays as it is. A placeholder that names no
 * column stays as written.
 */
function fillTemplate(
  template: string,
  textColumns: ResolvedSource['textColumns'],
  values: readonly string[],
): string {
  let hasContent = false;
  const filled = template.replace(/\{([^{}]+)\}/g, (placeholder, name: string) => {
    const position = textColumns.findIndex(column => column.name === name);
    if (position < 0) return placeholder;
    const value = values[position] ?? '';
    hasContent ||= !isBlank(value);
    return value;
  });
  return hasContent ? cleanText(filled) : '';
}

/** Cleans a text as every text is before it is embedded: well-formed, without NUL, trimmed. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '').trim();
}

/**
 * Tells whether a text shows nothing: no character of it has ink.
 * White space and controls; what Unicode's property Default_Ignorable_Code_Point holds, as zero
 * width spaces, joiners, byte order marks, variation selectors, tags and fillers; and the blanks of
 * Unicode 17 that have neither property: annotation anchors, the blanks of Braille, of Khitan, of
 * Egyptian hieroglyphs and of musical notation.
 */
export function isBlank(text: string): boolean {
  return BLANK.test(text);
}

const BLANK = new RegExp(
  '^[\\p{White_Space}\\p{Cc}\\p{Default_Ignorable_Code_Point}\\u2800\\ufff9-\\ufffb' +
    '\\u{13430}-\\u{1343f}\\u{13441}\\u{13442}\\u{16fe4}\\u{1d159}]*$',
  'u',
);

/** SHA-256 of a text's UTF-8 bytes or of a buffer, in hexadecimal. */
export function sha256Hex(content: Buffer | string): string {
  return hash('sha256', content, 'hex');
}

/**
 * SHA-256 in hexadecimal over fields, each preceded by its length in bytes.
 * The lengths keep two different lists of well-formed fields from reading alike.
 */
export function hashFields(fields: readonly string[]): string {
  return sha256Hex(fields.map(field => `${Buffer.byteLength(field)}:${field}`).join(''));
}

/**
 * Version of `prepareText` and `fingerprintText`.
 * It is raised when either would give another text for the same row. Every space is then made
 * anew. It was not raised when texts without ink became empty: rows that have one are left out from
 * their next edit on, and no other text changed.
 */
const RECIPE_VERSION = 1;

const DOMAIN = ['freshet-text', String(RECIPE_VERSION)];

/**
 * The content hash of a prepared text: SHA-256 in hexadecimal.
 * Within a space, equal hashes mean the same vector.
 */
export function fingerprintText(text: string): string {
  return hashFields([...DOMAIN, text]);
}

/**
 * Fingerprints everything that decides which vector a row gets.
 * What only searches use, the price, and how the endpoint is reached are left out: changing them
 * leaves stored vectors as they are.
 */
export function fingerprintSpace(space: {
  readonly sourceName: string;
  readonly model: ModelDefinition;
  /** The recipe as `describeRecipe` returns it. */
  readonly recipe: string;
  readonly storage?: VectorStorage;
}): string {
  const { model } = space;
  return hashFields([
    'freshet-space',
    '1',
    space.sourceName,
    model.alias,
    model.provider,
    model.modelId,
    model.revision,
    String(model.dimensions),
    String(model.maxTokensPerText ?? ''),
    model.documentPrefix,
    String(model.normalized),
    space.recipe,
    ...describeFurtherKeys(model),
    ...(space.storage === undefined ? [] : ['storage', space.storage]),
  ]);
}

/**
 * Lists what keys that few models have add to a fingerprint: nothing where there are none.
 * Fingerprints of models without such keys therefore stay as they are. The order of what is in
 * them says nothing.
 */
export function describeFurtherKeys({
  extraBody = {},
  files,
  pooling,
}: Pick<ModelDefinition, 'extraBody' | 'files' | 'pooling'>): string[] {
  return [
    ...(Object.keys(extraBody).length === 0 ? [] : ['extra-body', JSON.stringify(sortKeys(extraBody))]),
    ...(files === undefined ? [] : ['files', JSON.stringify(sortKeys(files)), pooling ?? 'mean']),
  ];
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sortKeys(child)]));
}

/**
 * Describes how a row becomes a text, as JSON.
 * The order of its keys is fixed, so that equal recipes are equal strings.
 */
export function describeRecipe(
  source: Pick<ResolvedSource, 'textColumns' | 'template' | 'overLimit'>,
): string {
  return JSON.stringify({
    version: RECIPE_VERSION,
    columns: source.textColumns.map(column => [column.name, column.isArray]),
    template: source.template ?? null,
    overLimit: source.overLimit,
  });
}
