import { type Kysely, type RawBuilder, sql } from 'kysely';
import { encodeQuery } from '../../core/encode-query.ts';
import type { Space } from '../../core/model.ts';
import type { FoundRow, NearestRequest, SearchedSource, SearchScope } from '../../ports/search.ts';
import { renderText } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { quoteSpace } from './quote-space.ts';
import { renderScope } from './search-predicate.ts';

/** Farther than any two vectors are. NULL and NaN, of a vector of zeros, are not below it. */
const FARTHEST = 3;

/** Up to how many rows are compared, and how it is found out whether there are more. */
export interface FewRows {
  readonly most: number;
  /** Whether rows are counted before a vector is read: cheaper where they are many. */
  readonly areCountedFirst: boolean;
}

/** Renders the rows `s` of the source, with vectors `v`, that the search may see. */
export function renderSearched(scope: SearchScope): RawBuilder<unknown> {
  const { source, vectors } = quoteSpace(scope.source.space);
  const keys = keyColumnsOf(scope.source.space.source);
  return sql`FROM ${source} AS s
    JOIN ${vectors} AS v ON ${areEqual(keys.source, keys.stored('v'))} AND v.chunk = 0
   WHERE v.outcome = 'embedded' AND ${renderScope(scope)}`;
}

/**
 * Renders the search that compares every row, however many there are, and counts none.
 * Nothing but their order stands between the rows and the page, so that parallel workers share
 * them. They are ordered by a sum, because no index of vectors has the order of a sum: by such an
 * index, PostgreSQL found 6 of 200 rows of a tenant. The order names the sum, since one that is
 * written again has a parameter of its own and is computed too. The bound stands outside, where it
 * cuts off the same rows as within.
 */
export function renderEvery(request: NearestRequest, vector: Buffer): RawBuilder<RawRow> {
  const { space } = request.source;
  const keys = keyColumnsOf(space.source);
  const stored = keys.stored('v');
  const distance = sql`(v.embedding <=> ${renderQuery(space, vector)}) + 0::float8`;
  return sql<RawRow>`${renderHits(request)}
      FROM (SELECT ${keys.carry(stored)}, ${distance} AS distance
              ${renderSearched(request)}${renderOther(request)}${renderAfter(request, distance, stored)}
             ORDER BY distance, ${listKey(stored)} LIMIT ${request.limit}::int) AS page
      ${renderOfHits(request)} AND page.distance <= ${request.maxDistance ?? FARTHEST}::float8
     ORDER BY page.distance, ${listKey(keys.carried('page'))}`;
}

/**
 * Renders the search that compares every row, where they are few.
 * The list of distances is MATERIALIZED without an order, so that no index of vectors can be
 * chosen, and so that it can be counted. Where there are more than `few.most` rows, `counted` is
 * above it and there is no hit.
 */
export function renderFew(request: NearestRequest, vector: Buffer, few: FewRows): RawBuilder<CountedRow> {
  const keys = keyColumnsOf(request.source.space.source);
  const near = keys.carried('near');
  const { before, compared, counted } = renderCompared(request, vector, few);
  return sql<CountedRow>`
    WITH ${before}near AS MATERIALIZED (
      ${compared}
    ), total AS MATERIALIZED (
      ${counted}
    ), page AS MATERIALIZED (
      SELECT * FROM near
       WHERE (SELECT counted FROM total) <= ${few.most}::float8
         AND near.distance <= ${request.maxDistance ?? FARTHEST}::float8
         ${renderAfter(request, sql`near.distance`, near)}
       ORDER BY near.distance, ${listKey(near)} LIMIT ${request.limit}::int
    )
    SELECT total.counted, hit.id, hit.distance, hit.columns, hit.vector
      FROM total LEFT JOIN (
        ${renderHits(request)},
               row_number() OVER (ORDER BY page.distance, ${listKey(keys.carried('page'))}) AS place
          FROM page ${renderOfHits(request)}) AS hit ON true
     ORDER BY hit.place`;
}

/** Renders what is read of the rows of `page`. */
function renderHits(request: NearestRequest): RawBuilder<unknown> {
  const keys = keyColumnsOf(request.source.space.source);
  return sql`SELECT ${keys.text(keys.carried('page'))} AS id, page.distance,
    ${renderColumns(request)} AS columns,
    ${request.withVectors ? sql`v.embedding::text` : sql`NULL`} AS vector`;
}

/**
 * Renders the join of `page` with its rows `s` of the source and their vectors `v`.
 * The scope stands in both reads of the source: while a key stands in rows of two tenants, the key
 * of a hit is that of another row too.
 */
function renderOfHits(request: NearestRequest): RawBuilder<unknown> {
  const { source, vectors } = quoteSpace(request.source.space);
  const keys = keyColumnsOf(request.source.space.source);
  const page = keys.carried('page');
  return sql`JOIN ${source} AS s ON ${areEqual(keys.source, page)}
    JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), page)} AND v.chunk = 0
   WHERE ${renderScope(request)}`;
}

/** Parts of the search that compares few rows. */
interface ComparedParts {
  readonly before: RawBuilder<unknown>;
  readonly compared: RawBuilder<unknown>;
  readonly counted: RawBuilder<unknown>;
}

function renderCompared(request: NearestRequest, vector: Buffer, few: FewRows): ComparedParts {
  const { space } = request.source;
  const key = keyColumnsOf(space.source).carry(keyColumnsOf(space.source).stored('v'));
  const pair = sql`${key}, v.embedding <=> ${renderQuery(space, vector)} AS distance`;
  if (few.areCountedFirst) return renderCountedFirst(request, pair, few.most);
  return {
    before: sql``,
    compared: sql`SELECT ${pair} ${renderSearched(request)}${renderOther(request)}
      LIMIT ${few.most + 1}::int`,
    counted: sql`SELECT count(*)::float8 AS counted FROM near`,
  };
}

/**
 * Renders the parts of a search that counts rows before it reads a vector.
 * Rows are counted by the index of the key, a sixth of the work of reading their vectors. It has
 * the rows without a vector too, which are counted by an index of their own: as many more rows must
 * be there. Where those without are many themselves, nothing is known, and `counted` is NULL.
 * The bound within the bound is for the planner, to whom the outer one is no number. Each key that
 * was kept is looked up by itself (OFFSET 0), however many of them the planner expects.
 */
function renderCountedFirst(request: NearestRequest, pair: RawBuilder<unknown>, most: number): ComparedParts {
  const { space } = request.source;
  const keys = keyColumnsOf(space.source);
  const { source, vectors } = quoteSpace(space);
  const stored = keys.stored('v');
  const leftOut = sql`(SELECT counted FROM left_out)`;
  const isCut = sql`(SELECT "isCut" FROM judged)`;
  return {
    before: sql`left_out AS MATERIALIZED (
      SELECT count(*) AS counted FROM (
        SELECT FROM ${vectors} AS v WHERE v.outcome <> 'embedded' ORDER BY v.outcome LIMIT ${most}::int) AS v
    ), kept AS MATERIALIZED (
      SELECT * FROM (
        SELECT ${keys.carry(stored)} FROM ${source} AS s
          JOIN ${vectors} AS v ON ${areEqual(keys.source, stored)} AND v.chunk = 0
         WHERE ${renderScope(request)}${renderOther(request)} LIMIT ${2 * most + 1}::int) AS s
       LIMIT ${most + 1}::int + ${leftOut}
    ), judged AS MATERIALIZED (
      SELECT count(*) > ${most}::int + ${leftOut} AS "isCut" FROM kept
    ), `,
    compared: sql`SELECT v.* FROM kept CROSS JOIN LATERAL (
        SELECT ${pair} FROM ${vectors} AS v
         WHERE ${areEqual(stored, keys.carried('kept'))} AND v.chunk = 0 AND v.outcome = 'embedded'
        OFFSET 0) AS v
       WHERE NOT ${isCut}`,
    counted: sql`SELECT CASE WHEN NOT ${isCut} THEN count(*)
        WHEN ${leftOut} < ${most}::int THEN ${most + 1}::int END::float8 AS counted FROM near`,
  };
}

/**
 * Renders the search that walks the HNSW index, nearest first, until it has its rows.
 * The distance bound is left to the caller: a bound in the statement would make the walk go on to
 * the end of the graph.
 */
export function renderWalk(request: NearestRequest, vector: Buffer): RawBuilder<RawRow> {
  const keys = keyColumnsOf(request.source.space.source);
  const query = renderQuery(request.source.space, vector);
  const stored = keys.stored('v');
  return sql<RawRow>`
    SELECT ${keys.text(stored)} AS id, v.embedding <=> ${query} AS distance,
           ${renderColumns(request)} AS columns,
           ${request.withVectors ? sql`v.embedding::text` : sql`NULL`} AS vector
      ${renderSearched(request)}${renderOther(request)}
      ${renderAfter(request, sql`(v.embedding <=> ${query})`, stored)}
     ORDER BY v.embedding <=> ${query}, ${listKey(stored)} LIMIT ${request.limit}::int`;
}

/** Renders that the row which others are to be like is no hit itself. */
function renderOther({ near, source }: NearestRequest): RawBuilder<unknown> {
  if ('vector' in near) return sql``;
  const keys = keyColumnsOf(source.space.source);
  return sql` AND NOT (${areEqual(keys.source, keys.ofId(near.like))})`;
}

function renderAfter(
  { after, source }: NearestRequest,
  distance: RawBuilder<unknown>,
  key: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  if (after === undefined) return sql``;
  const keys = keyColumnsOf(source.space.source);
  const last = sql`${after.distance}::float8, ${listKey(keys.ofId(after.id))}`;
  return sql` AND (${distance}, ${listKey(key)}) > (${last})`;
}

/** Renders the asked columns of row `s` as a JSON array; numbers over 2^53 are texts in it. */
export function renderColumns({
  source,
  columns,
}: {
  readonly source: SearchedSource;
  readonly columns: readonly string[];
}): RawBuilder<unknown> {
  const texts = source.space.source.textColumns;
  const values = columns.map(name => {
    const text = texts.find(column => column.name === name);
    if (text !== undefined) return renderText(text);
    const column = sql.id('s', name);
    return sql`CASE WHEN pg_typeof(${column})::text IN ('bigint', 'numeric')
      THEN to_json(${column}::text) ELSE to_json(${column}) END`;
  });
  return sql`json_build_array(${sql.join(values)})::text`;
}

interface RawRow {
  readonly id: string;
  readonly distance: number | null;
  readonly columns: string;
  readonly vector: string | null;
}

/** Without a hit, there is one row whose `id` is NULL. */
interface CountedRow extends RawRow {
  /** Null: it could not be told before the vectors were read. */
  readonly counted: number | null;
}

export function toFoundRow({ id, distance, columns, vector }: RawRow): FoundRow {
  return {
    id,
    distance,
    columns: JSON.parse(columns) as unknown[],
    ...(vector !== null && { vector: new Float32Array(JSON.parse(vector) as number[]) }),
  };
}

/** Reads the vector of a row that the search may see, as float32. Undefined: there is none. */
export async function readVector(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest & { readonly near: { readonly like: string } },
): Promise<Buffer | undefined> {
  const keys = keyColumnsOf(request.source.space.source);
  const { rows } = await sql<{ vector: string }>`
    SELECT v.embedding::text AS vector
      ${renderSearched({ ...request, filter: undefined })}
       AND ${areEqual(keys.source, keys.ofId(request.near.like))}`.execute(transaction);
  const text = rows[0]?.vector;
  if (text === undefined) return undefined;
  return Buffer.from(new Float32Array(JSON.parse(text) as number[]).buffer);
}

/** Reads the texts of rows that the search may see, each cut to so many characters. */
export async function readTexts(
  transaction: Kysely<FreshetTables>,
  scope: SearchScope,
  ids: readonly string[],
  maxCharacters: number,
): Promise<ReadonlyMap<string, string>> {
  const keys = keyColumnsOf(scope.source.space.source);
  const texts = scope.source.space.source.textColumns.map(
    column => sql`left(${renderText(column)}, ${maxCharacters}::int)`,
  );
  const { rows } = await sql<{ id: string; text: string }>`
    SELECT ${keys.text(keys.source)} AS id,
           left(concat_ws(E'\n', ${sql.join(texts)}), ${maxCharacters}::int) AS text
      ${renderSearched(scope)} AND (${listKey(keys.source)}) IN (
        SELECT ${listKey(keys.given('u'))}
          FROM unnest(${keys.unnested(ids)}) AS u (${keys.givenNames}))`.execute(transaction);
  return new Map(rows.map(({ id, text }) => [id, text]));
}

/** Renders a query vector, float32 and little-endian, as a value of the space's type. */
export function renderQuery({ source }: Space, vector: Buffer): RawBuilder<unknown> {
  const value = encodeQuery(vector, source.storage);
  return source.storage === undefined ? sql`${value}::vector` : sql`${value}::halfvec`;
}
