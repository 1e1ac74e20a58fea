import { ServiceRefusal } from './service-refusal.ts';

/** What can be said of values of a column; the values of each travel as text and are cast. */
export type FilterKind = 'text' | 'whole' | 'number' | 'boolean' | 'time' | 'uuid';

/** A column that a filter may name, with its type as `pg_catalog` has it. */
export interface FilterColumn {
  readonly name: string;
  /** The type without a modifier, qualified where it is no type of PostgreSQL's own. */
  readonly type: string;
  readonly kind: FilterKind;
  /** Where the value lies within a column of JSON. Undefined: it is the column. */
  readonly within?: { readonly column: string; readonly key: string } | undefined;
}

/** A filter that was read: every column is an allowed one, every value of the column's kind. */
export type Filter =
  | { readonly type: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly type: Comparison; readonly column: FilterColumn; readonly value: string }
  | { readonly type: 'in' | 'nin'; readonly column: FilterColumn; readonly values: readonly string[] }
  | { readonly type: 'is_null'; readonly column: FilterColumn; readonly value: boolean };

type Comparison = 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte' | 'like';

/** Ends a sentence about a word that is not known; empty where no known word is near. */
export type SuggestWord = (word: string, known: readonly string[]) => string;

const COMPARISONS: readonly Comparison[] = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'like'];
const OPERATORS: readonly string[] = [...COMPARISONS, 'in', 'nin', 'is_null', 'and', 'or'];

/** Deeper filters are refused: nobody writes one by hand. */
const MAX_DEPTH = 8;
const MAX_NODES = 200;
const MAX_VALUES = 1000;
const MAX_VALUE_LENGTH = 10_000;

/**
 * Reads a filter in the grammar of OpenAI's vector stores: `{type, key, value}`, `{type, filters}`.
 * A filter can name allowed columns alone, and its values go into statements as parameters.
 * @throws ServiceRefusal `invalid_request` that names the place and the nearest valid word, and
 *   repeats no value
 */
export function readFilter(input: unknown, columns: readonly FilterColumn[], suggest: SuggestWord): Filter {
  let nodes = 0;
  const read = (node: unknown, place: string, depth: number): Filter => {
    nodes += 1;
    if (depth > MAX_DEPTH) throw refuse(place, `is nested deeper than ${MAX_DEPTH} levels`);
    if (nodes > MAX_NODES) throw refuse(place, `has more than ${MAX_NODES} conditions`);
    if (typeof node !== 'object' || node === null || Array.isArray(node))
      throw refuse(place, "expected an object such as { type: 'eq', key, value }");
    const { type, key, value, filters, ...rest } = node as Readonly<Record<string, unknown>>;
    if (typeof type !== 'string' || !OPERATORS.includes(type))
      throw refuse(
        `${place}.type`,
        `is no operator${suggestNear(type, OPERATORS)} (known: ${OPERATORS.join(', ')})`,
      );
    const [stray] = Object.keys(rest);
    if (stray !== undefined)
      throw refuse(
        `${place}.${shorten(stray)}`,
        `is not a known field${suggestNear(stray, ['type', 'key', 'value', 'filters'])}`,
      );
    if (type === 'and' || type === 'or') {
      if (!Array.isArray(filters) || filters.length === 0)
        throw refuse(`${place}.filters`, 'expected an array of filters, at least one');
      if (key !== undefined || value !== undefined) throw refuse(place, `"${type}" takes filters alone`);
      return {
        type,
        filters: filters.map((each, index) => read(each, `${place}.filters[${index}]`, depth + 1)),
      };
    }
    if (filters !== undefined) throw refuse(place, `"${type}" takes key and value`);
    const column = findColumn(key, place);
    return compare(type, column, value, `${place}.value`);
  };
  const suggestNear = (word: unknown, known: readonly string[]) =>
    typeof word === 'string' ? suggest(shorten(word), known) : '';
  const findColumn = (key: unknown, place: string): FilterColumn => {
    const found = columns.find(({ name }) => name === key);
    if (found !== undefined) return found;
    const names = columns.map(({ name }) => name);
    const known = names.length === 0 ? 'this source has none' : `known: ${names.join(', ')}`;
    throw refuse(`${place}.key`, `is no column to filter by${suggestNear(key, names)} (${known})`);
  };
  return read(input, 'filter', 1);
}

function compare(type: string, column: FilterColumn, value: unknown, place: string): Filter {
  if (type === 'is_null') {
    if (typeof value !== 'boolean') throw refuse(place, 'expected true or false');
    return { type, column, value };
  }
  if (type === 'in' || type === 'nin') {
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_VALUES)
      throw refuse(place, `expected an array of 1 to ${MAX_VALUES} values`);
    return { type, column, values: value.map((each, index) => toText(column, each, `${place}[${index}]`)) };
  }
  if (type === 'like' && column.kind !== 'text')
    throw refuse(place, `"like" is for columns of text; ${column.name} is of type ${column.type}`);
  if (type === 'like' && typeof value === 'string' && ENDS_IN_ESCAPE.test(value))
    throw refuse(
      place,
      '"like" takes no pattern that ends with one \\, as it quotes what follows: write two',
    );
  return { type: type as Comparison, column, value: toText(column, value, place) };
}

/** PostgreSQL refuses such a pattern only once it meets a row that has what stands before. */
const ENDS_IN_ESCAPE = /(?<!\\)(\\\\)*\\$/;

interface KindRule {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

/** Years of four digits; what no calendar has is refused by the cast. */
const TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$/;
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const KINDS: Readonly<Record<FilterKind, KindRule>> = {
  text: {
    expected: `a text of at most ${MAX_VALUE_LENGTH} characters, none of them NUL`,
    accepts: value => typeof value === 'string' && !value.includes('\0') && value.length <= MAX_VALUE_LENGTH,
  },
  whole: {
    expected: 'a whole number, or its digits as a text where it is over 2^53',
    accepts: value =>
      Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d{1,19}$/.test(value)),
  },
  number: {
    expected: 'a number, or its digits as a text',
    accepts: value =>
      (typeof value === 'number' && Number.isFinite(value)) ||
      (typeof value === 'string' && /^-?\d{1,100}(\.\d{1,100})?$/.test(value)),
  },
  boolean: { expected: 'true or false', accepts: value => typeof value === 'boolean' },
  time: {
    expected: "a time such as '2026-01-31' or '2026-01-31T12:00:00Z'",
    accepts: value => typeof value === 'string' && TIME.test(value) && isInCalendar(value),
  },
  uuid: { expected: 'a UUID', accepts: value => typeof value === 'string' && UUID.test(value) },
};

function isInCalendar(time: string): boolean {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split('-').map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function toText(column: FilterColumn, value: unknown, place: string): string {
  const { expected, accepts } = KINDS[column.kind];
  if (accepts(value)) return String(value);
  throw refuse(place, `expected ${expected}: ${column.name} is of type ${column.type}`);
}

function shorten(word: string): string {
  return word.slice(0, 80);
}

function refuse(place: string, message: string): ServiceRefusal {
  return new ServiceRefusal('invalid_request', `${place}: ${message}`, { param: place });
}
