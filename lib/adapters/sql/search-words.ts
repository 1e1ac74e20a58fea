import { type Kysely, type RawBuilder, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { FoundRow, FoundWords, WordsRequest } from '../../ports/search.ts';
import { withinSavepoint } from './divide-rows.ts';
import { arrayLiteral, quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { quoteSpace } from './quote-space.ts';
import { renderScope } from './search-predicate.ts';
import { renderColumns, renderQuery, renderSearched } from './search-statements.ts';

/** Rows that are ranked by their words, at most. */
const MOST_RANKED = 5000;
/** Words of a query that are looked for, its first ones. */
const MOST_TERMS = 32;
/** Time limit of each statement of a search by words, in milliseconds. */
const STATEMENT_MS = 1000;

interface Term {
  /** As a `tsquery`. */
  readonly query: string;
  /** Rows that have it, counted up to `MOST_RANKED` and one more. */
  readonly rows: number;
}

interface SharedTerm extends Term {
  /** Of the weight of the query's words, what this one has. */
  readonly share: number;
}

/**
 * Finds the rows that have the words of a query, best first.
 * Rows that have all words come first, then those that have one of the rarer words, as many as are
 * ranked. A word counts the more the fewer rows have it, of those that the caller may see: other
 * tenants' rows change nothing. Undefined: a statement took too long; the transaction goes on.
 */
export async function findByWords(
  transaction: Kysely<FreshetTables>,
  request: WordsRequest,
): Promise<FoundWords | undefined> {
  try {
    return await withinSavepoint(transaction, async () => {
      await sql`SELECT set_config('statement_timeout', ${String(STATEMENT_MS)}, true)`.execute(transaction);
      return rankByWords(transaction, request);
    });
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'sqlstate_57014') return undefined;
    throw error;
  }
}

async function rankByWords(transaction: Kysely<FreshetTables>, request: WordsRequest): Promise<FoundWords> {
  const { terms, isWhole } = await readTerms(transaction, request);
  const counted = await countTerms(transaction, request, terms);
  const rarest = shareWeight(counted)
    .filter(({ rows }) => rows > 0)
    .sort((a, b) => a.rows - b.rows);
  const shares = rarest.map(({ share }) => share);
  if (rarest.length === 0) return { rows: [], shares, isPartial: !isWhole };
  const rarer = chooseRarer(rarest);
  const { rows } = await renderRanked(request, rarest, rarer).execute(transaction);
  const [first] = rows;
  return {
    ...{ rows: rows.map(toFoundRow), shares },
    isPartial: !isWhole || rarer.length < rarest.length || (first?.ranked ?? 0) >= MOST_RANKED,
  };
}

/**
 * Gives each word its share of the query. A rare one has most of it, far more than it counts for
 * among rows that are ranked by words alone: `where is it used` is no evidence beside a name.
 * A word that no row has keeps its share: rows that have all others have not all.
 */
function shareWeight(terms: readonly Term[]): readonly SharedTerm[] {
  const weights = terms.map(({ rows }) => weigh(Math.max(1, rows)) ** 3);
  const total = weights.reduce((sum, each) => sum + each, 0);
  return terms.map((term, place) => ({ ...term, share: weights[place]! / total }));
}

/** Takes words from the rarest on, while all their rows can be ranked; one at least. */
function chooseRarer(rarest: readonly Term[]): readonly Term[] {
  let rows = 0;
  return rarest.filter((term, place) => {
    rows += term.rows;
    return place === 0 || rows <= MOST_RANKED;
  });
}

/** Reads the words of the query as the source's language has them, without those it leaves out. */
async function readTerms(
  transaction: Kysely<FreshetTables>,
  { source, query }: WordsRequest,
): Promise<{ readonly terms: readonly string[]; readonly isWhole: boolean }> {
  const language = quoteName(source.space.source.keywordLanguage!);
  const { rows } = await sql<{ word: string }>`
    SELECT lexeme AS word FROM unnest(to_tsvector(${language}::text::regconfig, ${query}::text))
     ORDER BY positions[1], lexeme LIMIT ${MOST_TERMS + 1}::int`.execute(transaction);
  const terms = rows
    .slice(0, MOST_TERMS)
    .map(({ word }) => `'${word.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`);
  return { terms, isWhole: rows.length <= MOST_TERMS };
}

async function countTerms(
  transaction: Kysely<FreshetTables>,
  request: WordsRequest,
  terms: readonly string[],
): Promise<readonly Term[]> {
  if (terms.length === 0) return [];
  const { rows } = await sql<Term>`
    SELECT t.query, (SELECT count(*)::float8 FROM (
             SELECT ${renderSearched(request)} AND ${haveWords(sql`t.query::tsquery`)}
              LIMIT ${MOST_RANKED + 1}::int) AS found) AS rows
      FROM unnest(${arrayLiteral(terms)}::text[]) AS t (query)`.execute(transaction);
  return rows;
}

/** Words of another reading than the vector's are not taken: code that knows none left them so. */
const haveWords = (query: RawBuilder<unknown>) =>
  sql<boolean>`v.keywords @@ ${query} AND v.keywords_read_at = v.read_at`;

interface RankedRow {
  readonly id: string;
  readonly words: number;
  readonly ranked: number;
  readonly distance: number | null;
  readonly columns: string;
  /** 1 or 0 of each word, in their order. */
  readonly has: string;
}

function renderRanked(
  request: WordsRequest,
  terms: readonly SharedTerm[],
  rarer: readonly Term[],
): RawBuilder<RankedRow> {
  const { space } = request.source;
  const keys = keyColumnsOf(space.source);
  const { source, vectors } = quoteSpace(space);
  const joined = (list: readonly Term[], operator: string) => list.map(term => term.query).join(operator);
  const [all, any] = [sql`${joined(terms, ' & ')}::tsquery`, sql`${joined(rarer, ' | ')}::tsquery`];
  const carried = keys.carry(keys.stored('v'));
  const ranked = keys.carried('r');
  // The density of the words decides among rows that have the same ones.
  const has = terms.map(({ query }) => sql`(v.keywords @@ ${query}::tsquery)::int`);
  const sum = (values: readonly number[]) =>
    sql.join(
      values.map((value, place) => sql`m.has[${sql.lit(place + 1)}] * ${value}::float8`),
      sql` + `,
    );
  const distance =
    request.vector === undefined
      ? sql`NULL::float8`
      : sql`v.embedding <=> ${renderQuery(request.source.space, request.vector)}`;
  return sql<RankedRow>`
    WITH allwords AS MATERIALIZED (
      SELECT ${carried} ${renderSearched(request)} AND ${haveWords(all)} LIMIT ${MOST_RANKED}::int
    ), anyword AS MATERIALIZED (
      SELECT ${carried} ${renderSearched(request)} AND ${haveWords(any)} LIMIT ${MOST_RANKED}::int
    ), found AS MATERIALIZED (
      SELECT * FROM (SELECT 1 AS place, e.* FROM allwords AS e
                      UNION ALL SELECT 2, n.* FROM anyword AS n
                       WHERE (${listKey(keys.carried('n'))})
                          NOT IN (SELECT ${listKey(keys.carried('e'))} FROM allwords AS e)
                    ) AS u ORDER BY u.place LIMIT ${MOST_RANKED}::int
    ), met AS MATERIALIZED (
      SELECT ${keys.carry(keys.carried('f'))}, ARRAY[${sql.join(has)}] AS has,
             ts_rank_cd(v.keywords, ${any}, 33)::float8 AS density
        FROM found AS f
        JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.carried('f'))} AND v.chunk = 0
    ), ranked AS MATERIALIZED (
      SELECT ${keys.carry(keys.carried('m'))}, m.has,
             ${sum(terms.map(({ rows }) => weigh(rows)))} + m.density AS words,
             ${sum(terms.map(({ share }) => share))} AS share, count(*) OVER () AS ranked
        FROM met AS m
    ), page AS MATERIALIZED (
      SELECT * FROM ranked AS r
       WHERE r.share >= ${request.leastShare}::float8 ${renderAfter(request, ranked)}
       ORDER BY r.words DESC, ${listKey(ranked)} LIMIT ${request.limit}::int
    )
    SELECT ${keys.text(keys.carried('page'))} AS id, page.words, page.ranked::float8 AS ranked,
           ${distance} AS distance, ${renderColumns(request)} AS columns,
           array_to_string(page.has, '') AS has
      FROM page
      JOIN ${source} AS s ON ${areEqual(keys.source, keys.carried('page'))}
      JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.carried('page'))} AND v.chunk = 0
     WHERE ${renderScope(request)}
     ORDER BY page.words DESC, ${listKey(keys.carried('page'))}`;
}

/** A word that every ranked row has counts least, and never nothing. */
const weigh = (rows: number) => Math.log(1 + (MOST_RANKED + 1) / rows);

function renderAfter(
  { after, source }: WordsRequest,
  key: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  if (after === undefined) return sql``;
  const keys = keyColumnsOf(source.space.source);
  return sql` AND (-r.words, ${listKey(key)}) > (${-after.words}::float8, ${listKey(keys.ofId(after.id))})`;
}

const toFoundRow = ({ id, words, distance, columns, has }: RankedRow): FoundRow => ({
  ...{ id, words, distance },
  terms: [...has].flatMap((digit, place) => (digit === '1' ? [place] : [])),
  columns: JSON.parse(columns) as unknown[],
});
