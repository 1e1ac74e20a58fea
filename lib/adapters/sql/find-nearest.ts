import { type Kysely, sql } from 'kysely';
import { pickClaims } from '../../core/claims.ts';
import { hashSearch } from '../../core/search-cursor.ts';
import type { Clock } from '../../ports/process.ts';
import type { FoundRow, NearestRequest, SearchPlan, SearchScope } from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { EF_PER_HIT, efBoundsOf, exactRowsOf, isNarrow, readInScope } from './search-predicate.ts';
import {
  type FewRows,
  readVector,
  renderEvery,
  renderFew,
  renderSearched,
  renderWalk,
  toFoundRow,
} from './search-statements.ts';

/** Milliseconds for which a scope of many rows is taken to have many. */
const MANY_FOR_MS = 30_000;
/** Scopes that are remembered; the one that was counted longest ago is forgotten first. */
const MAX_SCOPES = 1000;

/** The compiler would take longer than the search; the plan must see the values. */
export const SEARCH_SETTINGS = {
  ...{ jit: 'off', plan_cache_mode: 'force_custom_plan', statement_timeout: '20000' },
};

/** Remembers which scopes had too many rows to compare each, and which had few. */
interface RowCounts {
  recall(scope: SearchScope): 'few' | 'many' | undefined;
  note(scope: SearchScope, were: 'few' | 'many'): void;
  forget(scope: SearchScope): void;
}

/**
 * Makes the memory of counts. A scope that had many rows is walked for a while, even if it lost
 * them. Few rows are counted again with each search: that they were few says only that counting
 * them before they are compared would be more work.
 */
export function rememberCounts(clock: Pick<Clock, 'now'>): RowCounts {
  const counts = new Map<string, { readonly were: 'few' | 'many'; readonly atMs: number }>();
  return {
    recall(scope) {
      const count = counts.get(nameOf(scope));
      const isOld = count?.were === 'many' && clock.now() - count.atMs >= MANY_FOR_MS;
      return isOld ? undefined : count?.were;
    },
    note(scope, were) {
      const name = nameOf(scope);
      counts.delete(name);
      counts.set(name, { were, atMs: clock.now() });
      if (counts.size > MAX_SCOPES) counts.delete(counts.keys().next().value!);
    },
    forget: scope => void counts.delete(nameOf(scope)),
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
 * them first, by their keys alone unless they were few before, and compares none where they are
 * many. Undefined: the row of `like` is not there.
 * Only where everything is searched, a table of very many rows is taken for one without counting.
 */
export async function findNearest(
  db: SqlDatabase,
  request: NearestRequest,
  counts: RowCounts,
): Promise<{ readonly rows: readonly FoundRow[]; readonly isExact: boolean } | undefined> {
  const isIndexed = request.source.index === 'valid';
  const known = counts.recall(request);
  const walksAtOnce = isIndexed && (known === 'many' || isLarge(request));
  const settings = { ...SEARCH_SETTINGS, ...(isIndexed && walkSettings(request)) };
  return readInScope(db, request, settings, async transaction => {
    const vector = await readNear(transaction, request);
    if (vector === undefined) return undefined;
    if (isIndexed && !walksAtOnce) {
      const most = mostCompared(request);
      // Without statistics, the planner would read every vector to compare a few.
      const areCountedFirst = known !== 'few' || request.source.likelyRows === 0;
      const found = await compareFew(transaction, request, vector, { most, areCountedFirst });
      counts.note(request, found.counted <= most ? 'few' : 'many');
      if (found.counted <= most) return { rows: found.rows, isExact: true };
    }
    if (isIndexed) {
      const rows = await walk(transaction, request, vector);
      if (rows !== undefined) return { rows, isExact: false };
      // Many rows can end a walk early too, as where their vectors are in no index.
      counts.forget(request);
    }
    const { rows } = await renderEvery(request, vector).execute(transaction);
    return { rows: rows.map(toFoundRow), isExact: true };
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

/** @returns no row where there are more than so many */
async function compareFew(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
  few: FewRows,
): Promise<{ readonly rows: readonly FoundRow[]; readonly counted: number }> {
  const { rows } = await renderFew(request, vector, few).execute(transaction);
  const { counted = 0 } = rows[0] ?? {};
  if (counted === null) return compareFew(transaction, request, vector, { ...few, areCountedFirst: false });
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

/**
 * What a walk needs, set before rows are counted too: that takes no plan of theirs away.
 * Sorting is made dear, so that the order comes from the index and the walk can end early.
 */
const walkSettings = (request: NearestRequest) => ({
  ...{ 'hnsw.iterative_scan': 'strict_order', 'hnsw.ef_search': String(efSearchOf(request)) },
  enable_sort: 'off',
});

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
  // Only now: where rows are compared, people would read the costs of sorts that are made dear.
  const calls = Object.entries(walkSettings(request)).map(
    ([name, value]) => sql`set_config(${name}, ${value}, true)`,
  );
  if (walks) await sql`SELECT ${sql.join(calls)}`.execute(transaction);
  const statement = walks
    ? renderWalk(request, vector)
    : source.index === 'valid'
      ? renderFew(request, vector, { most: exactUpTo, areCountedFirst: false })
      : renderEvery(request, vector);
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
