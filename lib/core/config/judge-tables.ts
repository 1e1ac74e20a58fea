import { suggestNearest } from './describe-issues.ts';
import {
  holdsText,
  holdsTime,
  isKeyType,
  isVectorType,
  MAX_KEY_COLUMNS,
  needsTimeZone,
  VIEW_COLUMNS,
} from './source-rules.ts';

/** A column as `pg_catalog` has it. */
export interface ColumnFacts {
  readonly name: string;
  /** Type with its modifier, as `character varying(20)`. */
  readonly type: string;
  /** Type without its modifier. */
  readonly baseType: string;
  /** Type of the elements of an array; null for other types. */
  readonly elementType: string | null;
  /** Whether the type, or that of the elements, is one of PostgreSQL's string types. */
  readonly isString: boolean;
  readonly notNull: boolean;
}

/** A table of the application, with all that decides whether it can be a source. */
export interface TableFacts {
  /** Undefined: a table. The others are taken only where somebody names them. */
  readonly relation?: 'view' | 'foreign table' | 'materialized view' | undefined;
  readonly schema: string;
  readonly name: string;
  /** Schema and name, quoted, as they stand in a statement. */
  readonly quotedName: string;
  /** Rows as of the last ANALYZE; null: never analysed. */
  readonly rows: number | null;
  /** Bytes of the table with its indexes. */
  readonly bytes: number;
  readonly columns: readonly ColumnFacts[];
  /** Unique indexes that can stand for a key: immediate, valid, of all rows, of columns alone. */
  readonly uniqueIndexes: readonly { readonly isPrimary: boolean; readonly columns: readonly string[] }[];
  /** The statements without which the role may not read the table; empty: it may. */
  readonly missingGrants: readonly string[];
}

/** What somebody asked for; what is undefined is proposed. */
interface SourceWishes {
  readonly key?: readonly string[] | undefined;
  readonly updatedAt?: string | undefined;
  readonly textColumns?: readonly string[] | undefined;
}

/** Columns that make a source of a table. Each first one, and all of the texts, are proposed. */
interface SourceChoices {
  /** Keys, each a list of columns; that of the primary key comes first. */
  readonly keys: readonly (readonly string[])[];
  readonly versions: readonly ColumnFacts[];
  /** Columns of prose. */
  readonly texts: readonly string[];
  /** All columns that could be embedded, for a person who knows better. */
  readonly allTexts: readonly string[];
}

/** Why a table cannot be a source, in a clause that follows the table's name. */
export interface PassedOver {
  readonly reason: string;
  /** The statement that mends it, if there is one. */
  readonly remedy?: string | undefined;
}

export interface JudgedTable {
  readonly table: TableFacts;
  readonly choices: SourceChoices;
  /** Empty: the table is eligible. */
  readonly faults: readonly PassedOver[];
}

/** Judges whether a table can be a source, and which of its columns take which part. */
export function judgeTable(table: TableFacts, wishes: SourceWishes): JudgedTable {
  const keys = findKeys(table, wishes.key);
  const versions = findVersions(table, wishes.updatedAt);
  const texts = findTexts(table, keys.found[0] ?? [], wishes.textColumns);
  const unreadable =
    table.missingGrants.length === 0
      ? []
      : [{ reason: 'may not be read by this role', remedy: table.missingGrants.join('\n') }];
  return {
    table,
    choices: { keys: keys.found, versions: versions.found, texts: texts.found, allTexts: texts.all },
    faults: [...unreadable, ...keys.faults, ...versions.faults, ...texts.faults],
  };
}

interface Found<Item> {
  readonly found: readonly Item[];
  readonly faults: readonly PassedOver[];
}

function findKeys(table: TableFacts, wished: readonly string[] | undefined): Found<readonly string[]> {
  if (table.relation !== undefined) return findKeysOfRelation(table, table.relation, wished);
  const fit = table.uniqueIndexes
    .filter(({ columns }) => isFitKey(table, columns))
    .toSorted(
      (left, right) =>
        Number(right.isPrimary) - Number(left.isPrimary) || left.columns.length - right.columns.length,
    );
  const found = fit.map(({ columns }) => columns);
  if (wished !== undefined) {
    const unknown = findUnknown(table, wished);
    if (unknown !== undefined) return { found: [], faults: [unknown] };
    const same = found.filter(columns => columns.join('\0') === wished.join('\0'));
    if (same.length > 0) return { found: same, faults: [] };
    const reason = `has no key ${quoteEach(wished)}: a key is unique, NOT NULL and of a type that ids have`;
    return { found: [], faults: [{ reason }] };
  }
  if (found.length > 0) return { found, faults: [] };
  return { found, faults: [explainNoKey(table)] };
}

/** What is no table has no index that says which columns tell its rows apart: a person has to. */
function findKeysOfRelation(
  table: TableFacts,
  relation: NonNullable<TableFacts['relation']>,
  wished: readonly string[] | undefined,
): Found<readonly string[]> {
  const refuse = (reason: string) => ({ found: [], faults: [{ reason }] });
  if (relation === 'materialized view')
    return refuse('is a materialized view, which is no source: name the table or a view in its place');
  const { columns } = table;
  const fit = columns.filter(({ name, baseType }) => isKeyType(baseType) && !VIEW_COLUMNS.includes(name));
  if (wished === undefined) {
    const example = fit.find(({ name }) => name === 'id') ?? fit[0];
    const named = example === undefined ? '' : `, as --key ${example.name}`;
    return refuse(`is a ${relation}: name the columns that tell its rows apart with --key${named}`);
  }
  const unknown = findUnknown(table, wished);
  if (unknown !== undefined) return { found: [], faults: [unknown] };
  const isFit = wished.every(name => fit.some(column => column.name === name));
  if (isFit && wished.length <= MAX_KEY_COLUMNS) return { found: [wished], faults: [] };
  return refuse(`has no key ${quoteEach(wished)}: up to ${MAX_KEY_COLUMNS} columns of a type that ids have`);
}

function isFitKey({ columns }: TableFacts, names: readonly string[]): boolean {
  return (
    names.length <= MAX_KEY_COLUMNS &&
    names.every(name => {
      const column = columns.find(candidate => candidate.name === name);
      return column?.notNull === true && isKeyType(column.baseType) && !VIEW_COLUMNS.includes(name);
    })
  );
}

function explainNoKey({ uniqueIndexes, columns, quotedName }: TableFacts): PassedOver {
  const primary = uniqueIndexes.find(({ isPrimary }) => isPrimary);
  const hasId = columns.some(({ name }) => name === 'id');
  const addUnique = hasId
    ? undefined
    : `ALTER TABLE ${quotedName} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY`;
  if (primary === undefined) {
    const isFit = columns.some(({ name, baseType }) => name === 'id' && isKeyType(baseType));
    const remedy = isFit
      ? `ALTER TABLE ${quotedName} ADD PRIMARY KEY (id);`
      : addUnique && `${addUnique} PRIMARY KEY;`;
    return { reason: 'has no key: no primary key, and no unique index of NOT NULL columns', remedy };
  }
  if (primary.columns.length > MAX_KEY_COLUMNS)
    return {
      reason: `has a primary key of ${primary.columns.length} columns (${quoteEach(primary.columns)})`,
      remedy: addUnique && `${addUnique} UNIQUE;`,
    };
  const types = columns.filter(({ name }) => primary.columns.includes(name)).map(({ type }) => type);
  const ofTypes = `${quoteEach(primary.columns)} is of type ${types.join(', ')}`;
  return {
    reason: `has no key of a type that ids have: ${ofTypes}`,
    remedy: addUnique && `${addUnique} UNIQUE;`,
  };
}

/** Words in the name of a column that an application sets at each change of a row. */
const CHANGED = /(^|_)(update[ds]?|modified|modification|mtime|change[ds]?|edit(ed)?|revised)(_|$)/;
/** Words of columns that are about a change and do not date it. */
const NOT_DATED = /(^|_)(by|count|from)(_|$)/;

function findVersions(table: TableFacts, wished: string | undefined): Found<ColumnFacts> {
  const times = table.columns.filter(({ baseType }) => holdsTime(baseType));
  if (wished !== undefined) {
    const unknown = findUnknown(table, [wished]);
    const found = times.filter(({ name }) => name === wished);
    const reason = `cannot go by ${JSON.stringify(wished)}, which is no timestamptz, timestamp or date`;
    return { found, faults: unknown ? [unknown] : found.length === 0 ? [{ reason }] : [] };
  }
  const dated = times.filter(
    ({ name }) => CHANGED.test(toSnakeCase(name)) && !NOT_DATED.test(toSnakeCase(name)),
  );
  const order = (column: ColumnFacts) =>
    Number(toSnakeCase(column.name) !== 'updated_at') * 2 + Number(needsTimeZone(column.baseType));
  const found = dated.toSorted((left, right) => order(left) - order(right));
  if (found.length > 0) return { found, faults: [] };
  const others =
    times.length === 0 ? '' : ` (${quoteEach(times.map(({ name }) => name))} may be something else)`;
  const reason = `has no updated_at, the time of a row's last change${others}`;
  if (table.relation !== undefined) return { found, faults: [{ reason: `${reason}: it has to show one` }] };
  const remedy =
    `ALTER TABLE ${table.quotedName} ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();` +
    ' -- every change of a row has to set it, as a trigger BEFORE UPDATE can';
  return { found, faults: [{ reason, remedy }] };
}

/** Words in names of columns that hold secrets, which go to no provider unless somebody asks. */
const SECRETS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passcode', 'passphrase', 'pwd', 'secret', 'token', 'tokens', 'hash'],
  ...['digest', 'salt', 'otp', 'ssn', 'iban', 'credential', 'credentials'],
]);
/** Last words of names of columns that hold no prose: references, addresses and codes. */
const NO_PROSE: ReadonlySet<string> = new Set([
  ...['id', 'ids', 'uuid', 'guid', 'key', 'url', 'uri', 'href', 'link', 'slug', 'path', 'file', 'filename'],
  ...['mime', 'mail', 'email', 'phone', 'fax', 'ip', 'locale', 'lang', 'language', 'currency', 'country'],
  ...['zip', 'status', 'state', 'type', 'kind', 'code', 'sku', 'version', 'checksum', 'etag', 'sha', 'md5'],
  ...['sha1', 'sha256', 'color', 'colour', 'image', 'icon', 'avatar', 'timezone', 'zone', 'tz'],
]);
/** Longest declared length of a text that is taken for a code. */
const CODE_LENGTH = 16;

function findTexts(
  table: TableFacts,
  key: readonly string[],
  wished: readonly string[] | undefined,
): Found<string> & { readonly all: readonly string[] } {
  const embeddable = table.columns.filter(({ elementType, baseType }) => holdsText(elementType ?? baseType));
  const all = embeddable.filter(({ isString }) => isString).map(({ name }) => name);
  if (wished !== undefined) {
    const unknown = findUnknown(table, wished);
    const wrong = wished.filter(name => !embeddable.some(column => column.name === name));
    const reason = `holds no text in ${quoteEach(wrong)}`;
    const faults = unknown ? [unknown] : wrong.length > 0 ? [{ reason }] : [];
    return { found: faults.length > 0 ? [] : wished, all, faults };
  }
  const prose = embeddable.filter(column => column.isString && isProse(column) && !key.includes(column.name));
  if (prose.length > 0) return { found: prose.map(({ name }) => name), all, faults: [] };
  const others = all.filter(name => !key.includes(name));
  const reason =
    others.length === 0
      ? 'has no text column'
      : `has no text column that looks like prose (${quoteEach(others)} can be named with --text)`;
  return { found: [], all, faults: [{ reason }] };
}

function isProse({ name, type }: ColumnFacts): boolean {
  const words = toSnakeCase(name).split('_');
  const length = /^(?:character|character varying|varchar|bpchar)\((\d+)\)/.exec(type)?.[1];
  const isCode = length !== undefined && Number(length) <= CODE_LENGTH;
  return !isCode && !NO_PROSE.has(words.at(-1)!) && !words.some(word => SECRETS.has(word));
}

/** Columns of the table that hold vectors already, which Freshet leaves alone. */
export function findVectorColumns({ columns }: TableFacts): readonly ColumnFacts[] {
  return columns.filter(({ baseType }) => isVectorType(baseType));
}

function findUnknown({ columns }: TableFacts, names: readonly string[]): PassedOver | undefined {
  const known = columns.map(({ name }) => name);
  const unknown = names.find(name => !known.includes(name));
  if (unknown === undefined) return undefined;
  return { reason: `has no column ${JSON.stringify(unknown)}${suggestNearest(unknown, known)}` };
}

function toSnakeCase(name: string): string {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .toLowerCase();
}

/** Names as a sentence lists them. */
function quoteEach(names: readonly string[]): string {
  return names.map(name => JSON.stringify(name)).join(', ');
}
