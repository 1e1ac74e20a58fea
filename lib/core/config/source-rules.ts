import type { ResolvedSource } from '../model.ts';

/** Most columns of a key. */
export const MAX_KEY_COLUMNS = 4;

/** Types whose values have a text that names them, and an order in which they are walked. */
const KEY_TYPES = [
  /^(bigint|integer|smallint|numeric|uuid)$/,
  /^(text|character varying|name|(.+\.)?citext)$/,
  /^(date|timestamp with(out)? time zone)$/,
];

/** What a sentence says of the types that a column of a key may have. */
export const LISTED_KEY_TYPES =
  'bigint, integer, smallint, numeric, uuid, text, varchar, citext, name, date, timestamp or timestamptz';

/** Tells whether a column of a key may have the type, named without its modifier. */
export function isKeyType(baseType: string): boolean {
  return KEY_TYPES.some(types => types.test(baseType));
}

/** Columns of the view beside the key, so names that no key may have. */
export const VIEW_COLUMNS: readonly string[] = ['embedding', 'embedding_model', 'embedding_updated_at'];

/** Types of a column that may be a source's `updatedAt`. */
export const VERSION_TYPES = [
  'timestamp with time zone',
  'timestamp without time zone',
  'date',
  'bigint',
] as const satisfies readonly ResolvedSource['versionType'][];

/** Tells whether the type holds a time by itself; a number does with a unit alone. */
export function holdsTime(versionType: string): boolean {
  return versionType !== 'bigint' && VERSION_TYPES.some(type => type === versionType);
}

/** Tells whether values of the type need a zone from the configuration to be moments. */
export function needsTimeZone(versionType: string): boolean {
  return versionType === 'timestamp without time zone' || versionType === 'date';
}

/**
 * Tells whether people wrote what a column holds, by its type or the type of its elements.
 * Bytes and vectors are no text; the text form of everything else may be embedded.
 */
export function holdsText(type: string): boolean {
  return !/^bytea$/.test(type) && !isVectorType(type);
}

/** Tells whether the type is one of pgvector's, qualified by a schema or not. */
export function isVectorType(type: string): boolean {
  return /^(.+\.)?(vector|halfvec|sparsevec)$/.test(type);
}

/** Names the function that searches a source; names of PostgreSQL end after 63 bytes. */
export function searchFunctionOf(sourceName: string): string {
  return Buffer.from(`search_${sourceName}`)
    .subarray(0, 63)
    .toString()
    .replace(/\uFFFD+$/, '');
}
