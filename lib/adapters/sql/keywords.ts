import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import type { ResolvedSource, Space } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { quoteName, renderText } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { lockSchemaChanges } from './migrations/migrate.ts';
import { MIGRATE_COMMAND } from './migrations/schema-version.ts';
import { quoteSpace } from './quote-space.ts';

/** Bytes of a row's text of which words are kept; PostgreSQL takes no more than 1 MiB of words. */
const MAX_KEYWORD_BYTES = 256 * 1024;
const SLICE_ROWS = 1000;
/** Stands before the language until the words of every row are made, and the index after them. */
const FILLING = 'filling ';
const OFF = 'off';

/**
 * Makes the words of a text, of its first 256 KiB; NULL for a text of which PostgreSQL makes none.
 * Without the handler, such a text would take its row's vector with it (54000: shown).
 */
const TO_KEYWORDS = `
DECLARE
  bytes bytea;
  kept integer := ${MAX_KEYWORD_BYTES};
BEGIN
  IF octet_length($2) <= kept THEN RETURN to_tsvector($1, $2); END IF;
  bytes := convert_to($2, 'UTF8');
  WHILE kept > 0 AND get_byte(bytes, kept) & 192 = 128 LOOP kept := kept - 1; END LOOP;
  RETURN to_tsvector($1, convert_from(substring(bytes FROM 1 FOR kept), 'UTF8'));
EXCEPTION WHEN program_limit_exceeded OR data_exception THEN
  RETURN NULL;
END`;

/**
 * Requires that the database has the text search configuration of the source's words.
 * @throws UsageError that lists those it has
 */
export async function requireLanguage(
  db: SqlDatabase,
  { name, keywordLanguage }: Pick<ResolvedSource, 'name' | 'keywordLanguage'>,
): Promise<void> {
  if (keywordLanguage === undefined) return;
  const { rows } = await sql<{ known: boolean; names: string }>`
    SELECT coalesce(bool_or(cfgname = ${keywordLanguage}), false) AS known,
           string_agg(DISTINCT cfgname::text, ', ') AS names
      FROM pg_ts_config WHERE pg_ts_config_is_visible(oid)`.execute(db.kysely);
  if (rows[0]?.known === true) return;
  throw new UsageError(
    `Source "${name}": search.keywords.language: the database has no text search configuration ` +
      `"${keywordLanguage}" (it has: ${rows[0]?.names ?? 'none'}).`,
  );
}

/** What a statement of the writer says of words, for a source that keeps them. */
export interface KeywordParts {
  /** `, keywords, keywords_read_at`; nothing where the source keeps no words. */
  readonly names: RawBuilder<unknown>;
  /** The words of row `s`, where it still is the version that was read; else NULL. */
  readonly made: RawBuilder<unknown>;
  readonly replaced: RawBuilder<unknown>;
}

/**
 * Renders how words are written; undefined: the source keeps none.
 * No text travels: the writer's own statement reads the row. A row that was changed since it was
 * read is stale, and its words would be those of a text that has no vector yet. The stamp beside
 * the words says of which reading they are: code that knows no words leaves both as they are, and
 * a search takes no words of another reading.
 */
export function renderKeywords(space: Space, xid: RawBuilder<unknown>): KeywordParts | undefined {
  if (space.source.keywordLanguage === undefined) return undefined;
  const { rowVersion } = quoteSpace(space);
  return {
    names: sql`, keywords, keywords_read_at`,
    made: sql`CASE WHEN ${rowVersion} IS NOT DISTINCT FROM ${xid} THEN ${renderWords(space)} END`,
    replaced: sql`, keywords = excluded.keywords, keywords_read_at = excluded.keywords_read_at`,
  };
}

/** Renders the words of row `s`. */
function renderWords({ source }: Space): RawBuilder<unknown> {
  const texts = source.textColumns.map(renderText);
  return sql`freshet.to_keywords(${sql.lit(quoteName(source.keywordLanguage!))}::regconfig,
    concat_ws(E'\\n', ${sql.join(texts)}))`;
}

/**
 * Brings the columns of words to what the configuration says, in the transaction of `ensureSpaces`.
 * They stand in the vector table of a source that keeps words, and in no other. Their language
 * stands in the column's comment, so that one that was changed is noticed.
 */
export async function ensureKeywords(transaction: Transaction<FreshetTables>, space: Space): Promise<void> {
  const { vectors } = quoteSpace(space);
  const state = await readKeywordState(transaction, space);
  const language = space.source.keywordLanguage;
  if (state === undefined && language === undefined) return;
  if (state === (language ?? OFF) || state === FILLING + language) return;
  if (state === undefined) {
    await sql`ALTER TABLE ${vectors} ADD COLUMN keywords tsvector,
      ADD COLUMN keywords_read_at timestamptz`.execute(transaction);
  } else {
    // Without the index, rows lose their words in place.
    await sql`DROP INDEX IF EXISTS ${sql.id('freshet', indexOf(space))}`.execute(transaction);
    await sql`UPDATE ${vectors} SET keywords = NULL, keywords_read_at = NULL
      WHERE keywords_read_at IS NOT NULL`.execute(transaction);
  }
  if (language !== undefined) await makeToKeywords(transaction);
  await markKeywords(transaction, space, language === undefined ? OFF : FILLING + language);
}

/**
 * Makes the words of rows that were embedded before the source kept any, and then their index.
 * Each slice is a statement of its own, so that the writer never waits for long, and whoever ends
 * in the middle goes on there the next time. The index comes last: without it, a row gets its words
 * in place. Rows that changed meanwhile are left to the writer.
 * @param mends whether an index that somebody dropped, or whose build failed, is built again where
 *   the words are there: that takes as long as it takes, and no run waits for it
 */
export async function fillKeywords(db: SqlDatabase, space: Space, mends: boolean): Promise<void> {
  const language = space.source.keywordLanguage;
  if (language === undefined) return;
  const state = await readKeywordState(db.kysely, space);
  if (state === language && mends) await buildIndex(db, space);
  if (state !== FILLING + language) return;
  const { source, vectors, rowVersion } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const stored = keys.stored('v');
  const last = keys.stored('c').map(part => sql`${part} DESC`);
  for (let after: string | null = null; ; ) {
    const { rows } = await sql<{ rows: number; last: string | null }>`
      WITH chosen AS MATERIALIZED (
        SELECT ${listKey(stored)}, v.read_at, ${renderWords(space)} AS keywords
          FROM ${vectors} AS v JOIN ${source} AS s ON ${areEqual(keys.source, stored)}
         WHERE v.chunk = 0 AND v.outcome = 'embedded' AND v.keywords_read_at IS DISTINCT FROM v.read_at
           AND v.source_xid IS NOT DISTINCT FROM ${rowVersion}
           ${keys.within(stored, { after, through: null })}
         ORDER BY ${listKey(stored)} LIMIT ${SLICE_ROWS}::int
           FOR NO KEY UPDATE OF v
      ), written AS (
        UPDATE ${vectors} AS v SET keywords = c.keywords, keywords_read_at = c.read_at
          FROM chosen AS c
         WHERE ${areEqual(stored, keys.stored('c'))} AND v.chunk = 0 AND v.read_at = c.read_at
      )
      SELECT count(*)::float8 AS rows,
             (SELECT ${keys.text(keys.stored('c'))} FROM chosen AS c
               ORDER BY ${sql.join(last)} LIMIT 1) AS last
        FROM chosen`.execute(db.kysely);
    after = rows[0]?.last ?? null;
    if ((rows[0]?.rows ?? 0) < SLICE_ROWS) break;
  }
  await buildIndex(db, space);
  await db.kysely.transaction().execute(async transaction => {
    await lockSchemaChanges(transaction);
    if ((await readKeywordState(transaction, space)) === state)
      await markKeywords(transaction, space, language);
  });
}

/**
 * Builds the index of words beside whoever writes, where there is none that searches use.
 * A build that was ended leaves an index that no search uses and that every write pays for: it is
 * dropped first. One that goes on looks alike, and is waited for: else whoever comes meanwhile
 * would drop it and build another one. The build waits for transactions that are open when it
 * begins, and holds up no writer.
 */
async function buildIndex(db: SqlDatabase, space: Space): Promise<void> {
  let left: number | undefined;
  for (;;) {
    const { index, oid, isHeld } = await readIndex(db.kysely, space);
    if (index === 'valid') return;
    // A build lets go of the table before it commits that its index is valid: look twice.
    if (index === 'invalid' && (isHeld || left !== oid)) {
      left = isHeld ? undefined : oid;
      await sql`SELECT pg_sleep(1)`.execute(db.kysely);
    } else {
      const name = sql.id('freshet', indexOf(space));
      if (index === 'invalid') await sql`DROP INDEX CONCURRENTLY IF EXISTS ${name}`.execute(db.kysely);
      await sql`CREATE INDEX CONCURRENTLY IF NOT EXISTS ${sql.id(indexOf(space))}
        ON ${quoteSpace(space).vectors} USING gin (keywords)`.execute(db.kysely);
    }
  }
}

/**
 * Reads what there is of the index of words, and whether another session holds the table as who
 * builds an index does. A vacuum holds it so too; which of the two it is, not every role may see.
 */
async function readIndex(
  db: Kysely<FreshetTables>,
  { vectorTable }: Pick<Space, 'vectorTable'>,
): Promise<{
  readonly index: 'none' | 'valid' | 'invalid';
  readonly oid: number | undefined;
  readonly isHeld: boolean;
}> {
  const table = quoteName('freshet', vectorTable);
  const name = quoteName('freshet', indexOf({ vectorTable }));
  const { rows } = await sql<{ oid: number | null; valid: boolean | null; held: boolean }>`
    SELECT t.index::int8::float8 AS oid,
           (SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = t.index) AS valid,
           EXISTS (SELECT FROM pg_locks AS l
                    WHERE l.relation = t.oid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.pid <> pg_backend_pid()
                      AND l.database = (SELECT d.oid FROM pg_database AS d
                                         WHERE d.datname = current_database())) AS held
      FROM (SELECT to_regclass(${table}::text)::oid AS oid,
                   to_regclass(${name}::text)::oid AS index) AS t`.execute(db);
  const { oid = null, valid = null, held = false } = rows[0] ?? {};
  const index = valid === null ? 'none' : valid ? 'valid' : 'invalid';
  return { index, oid: oid ?? undefined, isHeld: held };
}

/** Says for `doctor` whether the words of a source can be searched, and by their index. */
export async function inspectKeywords(
  db: SqlDatabase,
  source: Pick<ResolvedSource, 'name' | 'keywordLanguage'>,
  vectorTable: string,
): Promise<readonly DoctorFinding[]> {
  if (source.keywordLanguage === undefined) return [];
  const check = 'keyword-index';
  const subject = `Source "${source.name}": `;
  const mend = (message: string): readonly DoctorFinding[] => [
    {
      ...{ check, ok: false, severity: 'warning', statement: MIGRATE_COMMAND },
      message: `${subject}${message}`,
    },
  ];
  if ((await readKeywordState(db.kysely, { vectorTable })) !== source.keywordLanguage)
    return mend('the words of its rows are not made yet, so that no search finds rows by them.');
  const { index, isHeld } = await readIndex(db.kysely, { vectorTable });
  if (index === 'none') return mend('the index of its words is gone: each search by words reads them all.');
  if (index === 'invalid')
    return mend(
      `the index of its words is ${isHeld ? 'being built, or ' : ''}invalid: ` +
        'each search by words reads them all.',
    );
  return [{ check, ok: true, severity: 'info', message: `${subject}the index of its words is there.` }];
}

/** Whether the words of every row are made, in the language of the configuration. */
export async function hasKeywords(db: Kysely<FreshetTables>, space: Space): Promise<boolean> {
  const language = space.source.keywordLanguage;
  return language !== undefined && (await readKeywordState(db, space)) === language;
}

/** Whether the space's table has columns of words, whatever stands in them. */
export async function hasKeywordColumns(db: Kysely<FreshetTables>, space: Space): Promise<boolean> {
  return (await readKeywordState(db, space)) !== undefined;
}

/** Reads what the words are of: a language, `off`, or one that is being filled in. */
async function readKeywordState(
  db: Kysely<FreshetTables>,
  { vectorTable }: Pick<Space, 'vectorTable'>,
): Promise<string | undefined> {
  const { rows } = await sql<{ state: string | null }>`
    SELECT col_description(a.attrelid, a.attnum) AS state FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'freshet' AND c.relname = ${vectorTable} AND a.attname = 'keywords'
       AND NOT a.attisdropped`.execute(db);
  return rows.length === 0 ? undefined : (rows[0]?.state ?? '');
}

async function markKeywords(db: Kysely<FreshetTables>, space: Space, state: string): Promise<void> {
  await sql`COMMENT ON COLUMN ${quoteSpace(space).vectors}.keywords IS ${sql.lit(state)}`.execute(db);
}

async function makeToKeywords(transaction: Transaction<FreshetTables>): Promise<void> {
  const found = await sql<{ body: string }>`
    SELECT p.prosrc AS body FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'freshet' AND p.proname = 'to_keywords'`.execute(transaction);
  if (found.rows[0]?.body === TO_KEYWORDS) return;
  await sql`CREATE OR REPLACE FUNCTION freshet.to_keywords(regconfig, text) RETURNS tsvector
    LANGUAGE plpgsql STABLE AS ${sql.lit(TO_KEYWORDS)}`.execute(transaction);
}

const indexOf = ({ vectorTable }: Pick<Space, 'vectorTable'>) => `${vectorTable}_by_keywords`;
