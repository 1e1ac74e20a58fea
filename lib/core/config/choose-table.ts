import { UsageError } from '../errors.ts';
import { nearestWord } from './describe-issues.ts';
import type { JudgedTable, PassedOver, TableFacts } from './judge-tables.ts';

/**
 * How people are told of a table: schema and name, with a dot between.
 * A name is foreign text: one that could break a line of a message is quoted as in JSON.
 */
export function nameTable({ schema, name }: Pick<TableFacts, 'schema' | 'name'>): string {
  const plain = `${schema}.${name}`;
  return /^[\p{L}\p{N}_$. -]+$/u.test(plain) ? plain : JSON.stringify(plain);
}

/**
 * Finds the tables among which somebody has to choose: those that can be a source.
 * With `named`, it is that table alone. `database` ends a sentence about what is missing with the
 * name of the database that was asked.
 * @throws UsageError where no table is eligible, which says why each was passed over; and for a
 * name that no table has, or several
 */
export function findEligible(
  judged: readonly JudgedTable[],
  named: string | undefined,
  database: string,
): readonly [JudgedTable, ...JudgedTable[]] {
  if (named !== undefined) return [requireEligible(findNamed(judged, named, database))];
  // A view or a foreign table is a source where somebody names it, and is proposed to nobody.
  const tables = judged.filter(({ table }) => table.relation === undefined);
  const [first, ...others] = tables.filter(
    ({ table, faults }) => faults.length === 0 && !isOfPlatform(table),
  );
  if (first !== undefined) return [first, ...others];
  if (tables.length === 0)
    throw new UsageError(
      `There is no table to embed.${database}`,
      'An example of one is in examples/openai/schema.sql.',
    );
  throw describePassedOver(tables);
}

/**
 * Names of schemas that platforms and extensions keep beside the application's.
 * Their tables are proposed to nobody, and can be named.
 */
const PLATFORM_SCHEMAS: readonly RegExp[] = [
  /^(auth|storage|realtime|vault|net|pgsodium|supabase_.*|graphql.*)$/,
  /^(cron|hdb_catalog|tiger|tiger_data|topology|_?timescaledb_.*)$/,
];

function isOfPlatform({ schema }: TableFacts): boolean {
  return PLATFORM_SCHEMAS.some(names => names.test(schema));
}

function findNamed(judged: readonly JudgedTable[], named: string, database: string): JudgedTable {
  const qualified = judged.filter(({ table }) => `${table.schema}.${table.name}` === named);
  const found = qualified.length > 0 ? qualified : judged.filter(({ table }) => isWritten(table, named));
  if (found.length === 1) return found[0]!;
  const names = (found.length > 1 ? found : judged).map(({ table }) => nameTable(table));
  if (found.length > 1)
    throw new UsageError(
      `--table ${JSON.stringify(named)}: several schemas have it.`,
      `Tables: ${names.join(', ')}`,
    );
  const nearest = nearestWord(named.includes('.') ? named : `public.${named}`, names);
  throw new UsageError(
    `--table ${JSON.stringify(named)}: there is no such table` +
      `${nearest === undefined ? '.' : `; did you mean ${nearest}?`}${database}`,
    `Tables: ${listSome(names)}`,
  );
}

/** Whether a table is written so: plain or with the quotes of SQL, with or without its schema. */
function isWritten({ schema, name }: TableFacts, written: string): boolean {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const names = [name, quoted(name)];
  const schemas = ['', `${schema}.`, `${quoted(schema)}.`];
  return schemas.some(start => names.some(end => start + end === written));
}

function requireEligible(judged: JudgedTable): JudgedTable {
  if (judged.faults.length === 0) return judged;
  throw new UsageError(describeFaults(judged), joinRemedies(judged.faults));
}

/** Tables that a message names, at most. */
const NAMED_TABLES = 20;

function describePassedOver(judged: readonly JudgedTable[]): UsageError {
  const lines = judged
    .slice(0, NAMED_TABLES)
    .map(one => (one.faults.length > 0 ? describeFaults(one) : `${nameTable(one.table)} is a platform's.`));
  const rest = judged.length > NAMED_TABLES ? [`… and ${judged.length - NAMED_TABLES} more.`] : [];
  const mendable = judged.slice(0, NAMED_TABLES).flatMap(({ faults }) => faults);
  return new UsageError(
    ['No table can be embedded as it is:', ...[...lines, ...rest].map(line => `  ${line}`)].join('\n'),
    joinRemedies(mendable) ?? '--table with --key, --text and --updated-at names what is not proposed.',
  );
}

function describeFaults({ table, faults }: JudgedTable): string {
  return `${nameTable(table)} ${faults.map(({ reason }) => reason).join('; it ')}.`;
}

function joinRemedies(faults: readonly PassedOver[]): string | undefined {
  const statements = faults.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy]));
  return statements.length === 0 ? undefined : statements.join('\n');
}

/** Names as a remedy lists them; the first of many. */
export function listSome(names: readonly string[]): string {
  const shown = names.slice(0, NAMED_TABLES).join(', ');
  return names.length > NAMED_TABLES ? `${shown}, … (${names.length})` : shown;
}
