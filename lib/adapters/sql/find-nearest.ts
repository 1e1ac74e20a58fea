import { type Kysely, sql } from 'kysely';
import { pickClaims } from '../../core/claims.ts';
import { hashSearch } from '../../core/search-cursor.ts';
import type { Clock } from '../../ports/process.ts';
import type { FoundRow, NearestRequest, SearchPlan, SearchScope } from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { EF_PER_HIT, efBoundsOf, exactRowsOf, isNarrow, readInScope } from './search-predicate.ts';
import { readVector, renderExact, renderSearched, renderWalk, toFoundRow } from './search-statements.ts';

/** Milliseconds for which a scope of many rows is taken to have many. */
const MANY_FOR_MS = 30_000;
/** Scopes that are remembered; the one that was counted longest ago is forgotten first. */
const MAX_SCOPES = 1000;

/** The compiler would take longer than the search; the plan must see the values. */
export const SEARCH_SETTINGS = {
  ...{ jit: 'off', plan_cache_mode: 'force_custom_plan', statement_timeout: '20000' },
};

/** Remembers which scopes had too many rows to compare each, and when that was counted. */
interface ManyRows {
  has(scope: SearchScope): boolean;
  set(scope: SearchScope): void;
  delete(scope: SearchScope): void;
}

/**
 * Makes the memory of counts. Only "too many" is remembered: a few rows are counted as they are
 * compared, and cost nothing more. A scope that lost its rows meanwhile is walked for a while.
 */
export function rememberMany(clock: Pick<Clock, 'now'>): ManyRows {
  const countedAtMs = new Map<string, number>();
  return {
    has: scope => clock.now() - (countedAtMs.get(nameOf(scope)) ?? Number.NEGATIVE_INFINITY) < MANY_FOR_MS,
    set(scope) {
      const name = nameOf(scope);
      countedAtMs.delete(name);
      countedAtMs.set(name, clock.now());
      if (countedAtMs.size > MAX_SCOPES) countedAtMs.delete(countedAtMs.keys().next().value!);
    },
    delete: scope => countedAtMs.delete(nameOf(scope)),
  };
}

/** Names what decides which rows are counted, without a value that could be read from it. */
function nameOf({ source, caller, filter }: SearchScope): string {
  const claims = pickClaims(caller.claims, Object.values(source.claims));
  const parts = [source.space.spaceId, caller.kind, caller.tenant ?? null, claims, filter ?? null];
  return hashSearch(parts).toString('base64');
}

/**
 * Finds the nearest rows, each compared where they are few, else by the index of their vectors.
 * Rows are few by counting, never by an estimate: that of a tenant's rows can be wrong by any
 * factor, and a table that was never analysed has none. The statement that compares each counts
 * them first, and compares none where they are many. Undefined: the row of `like` is not there.
 * Only where everything is searched, a table of very many rows is taken for one without counting.
 */
export async function findNearest(
  db: SqlDatabase,
  request: NearestRequest,
  many: ManyRows,
): Promise<{ readonly rows: readonly FoundRow[]; readonly isExact: boolean } | undefined> {
  const isIndexed = request.source.index === 'valid';
  const walksAtOnce = isIndexed && (many.has(request) || isLarge(request));
  const settings = { ...SEARCH_SETTINGS, ...(walksAtOnce && walkSettings(request)) };
  return readInScope(db, request, settings, async transaction => {
    const vector = await readNear(transaction, request);
    if (vector === undefined) return undefined;
    if (isIndexed && !walksAtOnce) {
      const most = mostCompared(request);
      const found = await compareEach(transaction, request, vector, most);
      if (found.counted <= most) return { rows: found.rows, isExact: true };
      many.set(request);
      await setWalk(transaction, request);
    }
    if (isIndexed) {
      const rows = await walk(transaction, request, vector);
      if (rows !== undefined) return { rows, isExact: false };
      many.delete(request);
    }
    return { rows: (await compareEach(transaction, request, vector)).rows, isExact: true };
  });
}

/** A table that is taken for large has as many times the rows that are compared, by its pages. */
const SURELY_MANY = 2;

/**
 * Whether the table is large and all of it is searched.
 * Such a search can be told by the table's pages: where they lie, since rows were deleted, the walk
 * finds the few that are left, or every row is compared after it.
 */
function isLarge(request: NearestRequest): boolean {
  return !isNarrow(request) && request.source.likelyRows > SURELY_MANY * mostCompared(request);
}

/** Tells how `findNearest` would search now; the rows are counted anew. */
export function explainNearest(db: SqlDatabase, request: NearestRequest): Promise<SearchPlan | undefined> {
  return readInScope(db, request, SEARCH_SETTINGS, async transaction => {
    const vector = await readNear(transaction, request);
    return vector === undefined ? undefined : explain(transaction, request, vector);
  });
}

async function readNear(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
): Promise<Buffer | undefined> {
  const { near } = request;
  return 'vector' in near ? near.vector : readVector(transaction, { ...request, near });
}

const mostCompared = (scope: SearchScope) => exactRowsOf(scope.source.space.model, isNarrow(scope));

/** @param most rows up to which each is compared; unless said, however many there are */
async function compareEach(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
  most?: number,
): Promise<{ readonly rows: readonly FoundRow[]; readonly counted: number }> {
  const { rows } = await renderExact(request, vector, most).execute(transaction);
  const counted = rows[0]?.counted ?? 0;
  return { rows: rows.filter(({ id }) => id !== null).map(toFoundRow), counted };
}

/** Undefined: the walk ended before it met as many rows as asked for. */
async function walk(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
): Promise<readonly FoundRow[] | undefined> {
  const { rows } = await renderWalk(request, vector).execute(transaction);
  if (rows.length < request.limit) return undefined;
  const { maxDistance = Number.POSITIVE_INFINITY } = request;
  const near = rows.filter(({ distance }) => distance !== null && distance <= maxDistance);
  return near.map(toFoundRow);
}

function efSearchOf(request: NearestRequest): number {
  const { least, most } = efBoundsOf(isNarrow(request));
  return Math.min(most, Math.max(least, request.limit * EF_PER_HIT));
}

/** Sorting is made dear, so that the order comes from the index and the walk can end early. */
const walkSettings = (request: NearestRequest) => ({
  ...{ 'hnsw.iterative_scan': 'strict_order', 'hnsw.ef_search': String(efSearchOf(request)) },
  enable_sort: 'off',
});

async function setWalk(transaction: Kysely<FreshetTables>, request: NearestRequest): Promise<void> {
  const calls = Object.entries(walkSettings(request)).map(
    ([name, value]) => sql`set_config(${name}, ${value}, true)`,
  );
  await sql`SELECT ${sql.join(calls)}`.execute(transaction);
}

async function explain(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
): Promise<SearchPlan> {
  const { source, caller } = request;
  const exactUpTo = mostCompared(request);
  const { rows: found } = await sql<{ rows: number }>`
    SELECT count(*)::float8 AS rows
      FROM (SELECT ${renderSearched(request)} LIMIT ${exactUpTo + 1}::int) AS counted`.execute(transaction);
  const counted = found[0]?.rows ?? 0;
  const walks = source.index === 'valid' && counted > exactUpTo;
  if (walks) await setWalk(transaction, request);
  const most = source.index === 'valid' ? exactUpTo : undefined;
  const statement = walks ? renderWalk(request, vector) : renderExact(request, vector, most);
  const { rows } = await sql<Record<string, string>>`EXPLAIN ${statement}`.execute(transaction);
  return {
    source: source.space.source.name,
    space: source.space.spaceId,
    leg: walks ? 'hnsw' : 'exact',
    counted,
    exactUpTo,
    index: source.index,
    efSearch: walks ? efSearchOf(request) : null,
    tenant: source.tenant !== undefined && (caller.kind === 'client' || caller.tenant !== undefined),
    rowLevelSecurity: source.role !== undefined && caller.kind === 'client',
    plan: rows.map(row => hideValues(Object.values(row)[0] ?? '')),
  };
}

/** A plan repeats the query's vector and the filter's values: neither says anything of the plan. */
function hideValues(line: string): string {
  return line.replace(/'(?:[^']|'')*'/g, "'…'");
}
