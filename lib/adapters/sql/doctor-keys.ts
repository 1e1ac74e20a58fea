import { sql } from 'kysely';
import type { ResolvedSource } from '../../core/model.ts';
import { FRESHET } from '../../core/own-command.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { forbidIndexes, quoteName } from './fragments.ts';
import { keyColumnsOf, listKey } from './key-columns.ts';
import { hasHashedRows } from './quote-space.ts';

/**
 * Rows above which the keys of a table are counted only when somebody asks.
 * The count reads the whole table: ten million rows take some seconds.
 */
const MOST_ROWS_COUNTED = 10_000_000;
const SHOWN_KEYS = 5;

/**
 * Reports keys of the source that stand in several rows or are not whole, and what may repeat keys.
 * The keys are counted from the table itself, as a broken index answers wrongly. Children of the
 * table (INHERITS) may repeat its keys, which no index of it forbids. Nothing forbids it in views
 * and foreign tables, whose keys may also lack a part.
 */
export async function inspectKeys(
  db: SqlDatabase,
  source: ResolvedSource,
  countAll: boolean,
): Promise<readonly DoctorFinding[]> {
  const { rows } = await sql<{ estimate: number; children: string | null }>`
    WITH RECURSIVE tables (oid) AS (
      SELECT ${source.tableOid}::oid
      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN tables AS t ON i.inhparent = t.oid
    )
    SELECT sum(greatest(c.reltuples, 0))::float8 AS estimate,
           (SELECT string_agg(i.inhrelid::regclass::text, ', ' ORDER BY i.inhrelid)
              FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent
             WHERE i.inhparent = ${source.tableOid}::oid AND p.relkind = 'r') AS children
      FROM tables AS t JOIN pg_class AS c ON c.oid = t.oid`.execute(db.kysely);
  const { estimate = 0, children = null } = rows[0] ?? {};
  const findings: DoctorFinding[] = children === null ? [] : [describeChildren(source, children)];
  if (estimate > MOST_ROWS_COUNTED && !countAll) return [describeUncounted(source, estimate), ...findings];
  const odd = await countOddKeys(db, source);
  if (odd.doubled > 0) findings.unshift(describeDoubled(source, odd));
  if (hasHashedRows(source)) findings.unshift(describeWholeKey(source, odd.partialRows));
  return findings;
}

interface OddKeys {
  /** Number of keys that stand in several rows. */
  readonly doubled: number;
  /** Some of them, the lowest first. */
  readonly examples: string | null;
  /** Number of rows of which a part of the key is NULL. */
  readonly partialRows: number;
}

async function countOddKeys(db: SqlDatabase, source: ResolvedSource): Promise<OddKeys> {
  const keys = keyColumnsOf(source);
  const key = listKey(keys.carried('d'));
  const isPartial = sql.join(
    keys.source.map(part => sql`${part} IS NULL`),
    sql` OR `,
  );
  return db.kysely.transaction().execute(async transaction => {
    await forbidIndexes(transaction);
    const { rows } = await sql<OddKeys>`
      WITH odd AS (
        SELECT ${keys.carry(keys.source)}, count(*) AS rows, (${isPartial}) AS partial
          FROM ${sql.id(source.schema, source.table)} AS s
         GROUP BY ${listKey(keys.source)} HAVING count(*) > 1 OR ${isPartial}
      )
      SELECT (SELECT count(*)::float8 FROM odd WHERE NOT partial) AS doubled,
             (SELECT coalesce(sum(rows), 0)::float8 FROM odd WHERE partial) AS "partialRows",
             (SELECT string_agg(${keys.text(keys.carried('d'))}, ', ' ORDER BY ${key})
                FROM (SELECT * FROM odd AS d WHERE NOT d.partial
                       ORDER BY ${key} LIMIT ${SHOWN_KEYS}::int) AS d) AS examples
    `.execute(transaction);
    return rows[0] ?? { doubled: 0, examples: null, partialRows: 0 };
  });
}

const check = 'duplicate-keys';

function describeUncounted(source: ResolvedSource, estimate: number): DoctorFinding {
  return {
    check,
    ok: true,
    severity: 'info',
    message:
      `Source "${source.name}": about ${Math.round(estimate)} rows, whose keys are not counted unless ` +
      `asked: ${FRESHET} doctor --count-keys`,
  };
}

function describeDoubled(source: ResolvedSource, { doubled, examples }: OddKeys): DoctorFinding {
  const table = quoteName(source.schema, source.table);
  const isLoose = hasHashedRows(source);
  return {
    check,
    ok: false,
    severity: 'error',
    message:
      `Source "${source.name}": ${doubled} keys stand in several rows of ${table}: ${examples}` +
      `${doubled > SHOWN_KEYS ? ', …' : ''}. None of their rows is embedded. ` +
      (isLoose
        ? 'Name other columns with key, or change what the source shows.'
        : 'Remove the rows that are not meant (SET enable_indexscan = off shows them), then, where no ' +
          'child table repeats them, rebuild the index, which is broken.'),
    ...(isLoose ? {} : { statement: `REINDEX TABLE ${table};` }),
  };
}

function describeWholeKey(source: ResolvedSource, partialRows: number): DoctorFinding {
  const key = source.keyColumns.map(({ name }) => `"${name}"`).join(', ');
  const ok = partialRows === 0;
  return {
    check: 'key',
    ok,
    severity: ok ? 'info' : 'warning',
    message: ok
      ? `Source "${source.name}": key (${key}) is whole in all rows. The source is a ${source.relation}.`
      : `Source "${source.name}": ${partialRows} rows lack a part of key (${key}) and are left out. Name ` +
        'other columns with key, or change what the source shows.',
  };
}

function describeChildren(source: ResolvedSource, children: string): DoctorFinding {
  return {
    check: 'child-tables',
    ok: false,
    severity: 'warning',
    message:
      `Source "${source.name}": its table has children (INHERITS): ${children}. Their rows are embedded ` +
      'too, and no index keeps them from repeating a key.',
  };
}
