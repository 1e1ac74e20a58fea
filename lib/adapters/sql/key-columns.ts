import { type Kysely, type RawBuilder, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { KeyColumn, ResolvedSource } from '../../core/model.ts';
import type { KeyRange } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** A key in a statement: one expression per part, in the order of the parts. */
export type KeyExpression = readonly RawBuilder<unknown>[];

/**
 * The key of a source as statements name, compare and render it.
 * The source's alias is always `s`, that of a lease `l`.
 *
 * The parts have the source's names in the source. In a vector table they are `item_id`,
 * `item_id_2` and so on, so `item_id IS NULL` tells a missing outcome for every key. A query that
 * passes a key on calls the parts `key`, `key_2` and so on.
 *
 * An id is the key as text: one part as it is, several as a JSON array of texts.
 */
export interface KeyColumns {
  /** Whether the key has several parts. */
  readonly isComposite: boolean;
  /**
   * Whether equal keys always have equal texts.
   * Where not (`numeric`, `citext`, some collations), a row may have the key of an id and yet
   * another text.
   */
  readonly hasOneText: boolean;
  readonly source: KeyExpression;
  /**
   * The id of row `s` under collation "C", which is what `freshet.leases.item_id` holds.
   * Without the explicit "C", two columns with different collations cannot be compared (42P22).
   */
  readonly leaseId: RawBuilder<string>;
  /** The key of the lease `l`. */
  readonly leased: KeyExpression;
  stored(alias: string): KeyExpression;
  carried(alias: string): KeyExpression;
  /** The key of a line of ids, whose columns are `givenNames`. */
  given(alias: string): KeyExpression;
  /** `item_id`, or as many columns as there are parts. */
  readonly storedNames: RawBuilder<unknown>;
  /** `id`, or as many columns as there are parts. */
  readonly givenNames: RawBuilder<unknown>;
  /**
   * Renders ids as arguments of `unnest`: one array per part.
   * @throws FreshetError of class `item` where an id has another number of parts.
   */
  unnested(ids: readonly string[]): RawBuilder<unknown>;
  /** Renders `… AS key`, with as many columns as there are parts. */
  carry(key: KeyExpression): RawBuilder<unknown>;
  /** Renders the id of a key. Neither the session's time zone nor its date style changes it. */
  text(key: KeyExpression): RawBuilder<string>;
  /**
   * The key of an id, from parameters.
   * @throws FreshetError of class `item` where the id has another number of parts.
   */
  ofId(id: string): KeyExpression;
  /** Renders whether a key is that of an id which a person typed. */
  isNamed(key: KeyExpression, id: string): RawBuilder<boolean>;
  /**
   * Renders ` AND key > … AND key <= …`, or as much of it as the range has.
   * Several parts are compared as a row, which is one range of an index.
   */
  within(key: KeyExpression, range: KeyRange): RawBuilder<unknown>;
}

/** Renders the parts one after the other, for SELECT, ORDER BY and DISTINCT ON. */
export function listKey(key: KeyExpression): RawBuilder<unknown> {
  return sql.join(key);
}

/** Renders whether two keys are equal, part by part. */
export function areEqual(left: KeyExpression, right: KeyExpression): RawBuilder<boolean> {
  return sql`${sql.join(
    left.map((part, place) => sql`${part} = ${right[place]}`),
    sql` AND `,
  )}`;
}

/** Renders whether a LEFT JOIN found no row; no part of a key is ever NULL. */
export function isAbsent(key: KeyExpression): RawBuilder<boolean> {
  return sql`${key[0]} IS NULL`;
}

/**
 * Runs a statement that joins source and vector table over a range of keys.
 * Ranges of several parts are planned without nested loops. PostgreSQL does not know how many rows
 * a comparison of rows leaves, and a slice of one tenant would be a nested loop over the tenant's
 * rows (39 s for 16,000 rows instead of 22 ms). The setting ends with the transaction.
 */
export async function joinByRange<Result>(
  db: SqlDatabase,
  { isComposite }: KeyColumns,
  work: (kysely: Kysely<FreshetTables>) => Promise<Result>,
): Promise<Result> {
  if (!isComposite) return work(db.kysely);
  return db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('enable_nestloop', 'off', true)`.execute(transaction);
    return work(transaction);
  });
}

/** Names the column of a part in the vector table. */
export function storedColumn(place: number): string {
  return numbered('item_id', place);
}

/** What was made of a key before: a run renders the same key several times for each batch. */
const known = new WeakMap<readonly KeyColumn[], KeyColumns>();

export function keyColumnsOf({ keyColumns }: Pick<ResolvedSource, 'keyColumns'>): KeyColumns {
  const made = known.get(keyColumns) ?? makeKeyColumns(keyColumns);
  known.set(keyColumns, made);
  return made;
}

function makeKeyColumns(keyColumns: readonly KeyColumn[]): KeyColumns {
  const parts = keyColumns.map(formOf);
  const isComposite = parts.length > 1;
  const named = (alias: string, name: string): RawBuilder<unknown>[] =>
    parts.map((_, place) => sql.id(alias, numbered(name, place)));
  const text = (key: KeyExpression): RawBuilder<string> => {
    const texts = parts.map((part, place) => part.toText(key[place] ?? sql``));
    return isComposite ? sql<string>`json_build_array(${sql.join(texts)})::text` : sql<string>`${texts[0]}`;
  };
  const source = keyColumns.map(({ name }) => sql.id('s', name));
  const toKey = (id: string): KeyExpression => {
    const values = splitId(id, parts.length);
    return parts.map((part, place) => part.toKey(sql`${values[place]}::${part.parameterType}`));
  };
  const asRow = (key: KeyExpression) => (isComposite ? sql`(${sql.join(key)})` : sql`${key[0]}`);
  return {
    isComposite,
    hasOneText: keyColumns.every(hasOneText),
    source,
    leaseId: sql`(${text(source)} COLLATE "C")`,
    leased: isComposite
      ? parts.map((part, place) => part.fromText(sql`(l.item_id::json ->> ${sql.lit(place)})`))
      : // Through json, because json has no collation: the result compares by the key's own.
        parts.map(part => part.fromText(part.isText ? sql`(to_json(l.item_id) #>> '{}')` : sql`l.item_id`)),
    stored: alias => named(alias, 'item_id'),
    carried: alias => named(alias, 'key'),
    given: alias => named(alias, 'id').map((column, place) => parts[place]?.toKey(column) ?? column),
    storedNames: sql.join(parts.map((_, place) => sql.id(numbered('item_id', place)))),
    givenNames: sql.join(parts.map((_, place) => sql.id(numbered('id', place)))),
    unnested(ids) {
      const [part] = parts;
      if (part !== undefined && !isComposite) return sql`${arrayLiteral(ids)}::${part.parameterType}[]`;
      const values = ids.map(id => splitId(id, parts.length));
      const lists = parts.map(
        (part, place) =>
          sql`${arrayLiteral(values.map(value => value[place] ?? null))}::${part.parameterType}[]`,
      );
      return sql.join(lists);
    },
    carry: key => sql.join(key.map((part, place) => sql`${part} AS ${sql.id(numbered('key', place))}`)),
    text,
    ofId: toKey,
    isNamed: (key, id) => (isComposite ? areEqual(key, toKey(id)) : sql`${text(key)} = ${id}`),
    within(key, { after, through }) {
      const lower = after === null ? sql`` : sql` AND ${asRow(key)} > ${asRow(toKey(after))}`;
      const upper = through === null ? sql`` : sql` AND ${asRow(key)} <= ${asRow(toKey(through))}`;
      return sql`${lower}${upper}`;
    },
  };
}

function numbered(name: string, place: number): string {
  return place === 0 ? name : `${name}_${place + 1}`;
}

/** Splits an id into the texts of its parts. */
function splitId(id: string, count: number): readonly string[] {
  if (count === 1) return [id];
  const parts = parseParts(id);
  if (parts?.length === count) return parts;
  throw new FreshetError(
    `A key of this source has ${count} parts: write it as a JSON array of ${count} texts, as ` +
      'freshet failures prints it.',
    { failureClass: 'item', code: 'invalid_key' },
  );
}

function parseParts(id: string): readonly string[] | undefined {
  try {
    const parts: unknown = JSON.parse(id);
    return Array.isArray(parts) && parts.every(part => typeof part === 'string') ? parts : undefined;
  } catch {
    return undefined;
  }
}

/** How one part travels between its column and its text. */
interface PartForm {
  readonly isText: boolean;
  /** Type of a parameter, and of the elements of a list of parameters. */
  readonly parameterType: RawBuilder<unknown>;
  toText(column: RawBuilder<unknown>): RawBuilder<unknown>;
  fromText(text: RawBuilder<unknown>): RawBuilder<unknown>;
  /** A value of `parameterType` as a value of the key. */
  toKey(value: RawBuilder<unknown>): RawBuilder<unknown>;
}

/**
 * Tells how a part is rendered and read back.
 * No parameter is cast to a type with a modifier: `varchar(n)`, `numeric(p, s)` and `name` cut or
 * round a value silently, and the value would then name another row. Times are rendered by json,
 * always as ISO 8601, and as UTC by the statement.
 */
function formOf({ type }: KeyColumn): PartForm {
  const plain = type.replace(/\(\d+(,\d+)?\)/, '');
  const isText = /^(text|character varying|name)$/.test(plain);
  if (plain === 'timestamp with time zone') {
    const zone = sql.lit('UTC');
    return {
      isText: false,
      parameterType: sql`timestamp`,
      toText: column => sql`(to_json(${column} AT TIME ZONE ${zone}) #>> '{}')`,
      fromText: text => sql`(${text}::timestamp AT TIME ZONE ${zone})`,
      toKey: value => sql`(${value} AT TIME ZONE ${zone})`,
    };
  }
  const parameterType = sql.raw(isText ? 'text' : plain);
  const isTime = plain === 'timestamp without time zone' || plain === 'date';
  return {
    isText: isText || isCaseless(plain),
    parameterType,
    toText: column => (isTime ? sql`(to_json(${column}) #>> '{}')` : sql`${column}::text`),
    fromText: text => (isText ? text : sql`${text}::${parameterType}`),
    toKey: value => value,
  };
}

/** `citext` in whatever schema it was installed. */
function isCaseless(type: string): boolean {
  return /^(.+\.)?citext$/.test(type);
}

function hasOneText({ type, isLoose }: KeyColumn): boolean {
  return isLoose !== true && !type.startsWith('numeric') && !isCaseless(type);
}

/** Joins names or types of a key for one column of text: one as it is, several as a JSON array. */
export function joinNames(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? '') : JSON.stringify(names);
}

/**
 * Reads the key columns of a space from its row, whose types tell one column from several.
 * No type begins with a bracket.
 */
export function readKeyColumns(row: {
  readonly key_column: string;
  readonly key_type: string;
}): readonly KeyColumn[] {
  if (!row.key_type.startsWith('[')) return [{ name: row.key_column, type: row.key_type }];
  const types = JSON.parse(row.key_type) as string[];
  const names = JSON.parse(row.key_column) as string[];
  return names.map((name, place) => ({ name, type: types[place] ?? '' }));
}
