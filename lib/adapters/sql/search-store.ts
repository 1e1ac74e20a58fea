import { type Kysely, sql } from 'kysely';
import type { PipelineConfig } from '../../core/config/pipeline-config.ts';
import { coveragePercent } from '../../core/outcomes.ts';
import { cosineOperatorClass } from '../../core/vectors.ts';
import type {
  CoverageCount,
  FoundRow,
  NearestRequest,
  SearchedSource,
  SearchPlan,
  SearchScope,
  SearchStore,
} from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import { excludedOutcomes, quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { hasKeywords } from './keywords.ts';
import { openSpaces } from './open-spaces.ts';
import { quoteSpace } from './quote-space.ts';
import { EF_SEARCH, exactRowsOf, isNarrow, readInScope, renderScope } from './search-predicate.ts';
import {
  readTexts,
  readVector,
  renderExact,
  renderSearched,
  renderWalk,
  toFoundRow,
} from './search-statements.ts';
import { findByWords } from './search-words.ts';
import { resolveSearch } from './searched-source.ts';

/** Opens the searches of the configuration's sources, each checked when it is first asked for. */
export function createSearchStore(db: SqlDatabase, config: PipelineConfig): SearchStore {
  const opened = new Map<string, SearchedSource>();
  return {
    names: () => config.sources.map(({ name }) => name),
    async find(name) {
      const known = opened.get(name);
      if (known !== undefined && (await isCurrent(db, known))) return known;
      const source = await openSource(db, config, name);
      if (source !== undefined) opened.set(name, source);
      return source;
    },
    findNearest: request =>
      readInScope(db, request, SETTINGS, async transaction => {
        const vector = await readNear(transaction, request);
        return vector === undefined ? undefined : findNearest(transaction, request, vector);
      }),
    explain: request =>
      readInScope(db, request, SETTINGS, async transaction => {
        const vector = await readNear(transaction, request);
        return vector === undefined ? undefined : explainNearest(transaction, request, vector);
      }),
    findByWords: request =>
      readInScope(db, request, SETTINGS, transaction => findByWords(transaction, request)),
    readTexts: (scope, ids, maxCharacters) =>
      readInScope(db, scope, SETTINGS, transaction => readTexts(transaction, scope, ids, maxCharacters)),
    readCoverage: (scope, timeoutMs) =>
      readInScope(db, scope, { statement_timeout: String(Math.ceil(timeoutMs)) }, transaction =>
        countCovered(transaction, { ...scope, filter: undefined }),
      ),
  };
}

/** The compiler would take longer than the search; the plan must see the values. */
const SETTINGS = { jit: 'off', plan_cache_mode: 'force_custom_plan', statement_timeout: '20000' };

async function openSource(
  db: SqlDatabase,
  config: PipelineConfig,
  name: string,
): Promise<SearchedSource | undefined> {
  const source = config.sources.find(each => each.name === name);
  if (source === undefined) return undefined;
  const spaces = await (await openSpaces(db, { ...config, sources: [source] })).list();
  const space = spaces.find(({ status }) => status === 'active') ?? spaces[0];
  if (space === undefined) return undefined;
  return {
    space,
    ...(await resolveSearch(db, space.source, source.search)),
    hasKeywords: await hasKeywords(db.kysely, space),
  };
}

/** Whether the space that was opened is still the one that the source's view shows. */
async function isCurrent(db: SqlDatabase, { space, hasKeywords: had }: SearchedSource): Promise<boolean> {
  if (space.source.keywordLanguage !== undefined && had !== (await hasKeywords(db.kysely, space)))
    return false;
  const { rows } = await sql<{ id: number }>`
    SELECT space_id AS id FROM freshet.spaces
     WHERE source_name = ${space.source.name} AND status = 'active'`.execute(db.kysely);
  return rows[0] === undefined ? space.status !== 'active' : rows[0].id === space.spaceId;
}

async function readNear(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
): Promise<Buffer | undefined> {
  const { near } = request;
  return 'vector' in near ? near.vector : readVector(transaction, { ...request, near });
}

async function findNearest(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
): Promise<{ readonly rows: readonly FoundRow[]; readonly isExact: boolean }> {
  const index = await readIndex(transaction, request.source);
  // Without an index there is nothing to decide, and counting would be for nothing.
  const leg = index === 'valid' ? (await decideLeg(transaction, request, index)).leg : 'exact';
  if (leg === 'hnsw') {
    await setWalk(transaction, request.limit);
    const { rows } = await renderWalk(request, vector).execute(transaction);
    // Fewer than asked for: the walk ended before it met all that the search may see.
    if (rows.length === request.limit) {
      const { maxDistance = Number.POSITIVE_INFINITY } = request;
      const near = rows.filter(({ distance }) => distance !== null && distance <= maxDistance);
      return { rows: near.map(toFoundRow), isExact: false };
    }
  }
  const { rows } = await renderExact(request, vector).execute(transaction);
  return { rows: rows.map(toFoundRow), isExact: true };
}

interface Decision {
  readonly leg: SearchPlan['leg'];
  readonly counted: number;
  readonly exactUpTo: number;
}

/**
 * Decides by counting whether every row is compared.
 * The planner's estimate is not asked: a table that was never analysed has none, and that of a
 * tenant's rows can be wrong by any factor.
 */
async function decideLeg(
  transaction: Kysely<FreshetTables>,
  scope: SearchScope,
  index: SearchPlan['index'],
): Promise<Decision> {
  const { space } = scope.source;
  const exactUpTo = exactRowsOf(space.model, isNarrow(scope));
  const { rows: found } = await sql<{ rows: number }>`
    SELECT count(*)::float8 AS rows
      FROM (SELECT ${renderSearched(scope)} LIMIT ${exactUpTo + 1}::int) AS counted`.execute(transaction);
  const counted = found[0]?.rows ?? 0;
  return { leg: index === 'valid' && counted > exactUpTo ? 'hnsw' : 'exact', counted, exactUpTo };
}

async function readIndex(
  transaction: Kysely<FreshetTables>,
  { space }: SearchedSource,
): Promise<SearchPlan['index']> {
  const { rows } = await sql<{ valid: boolean | null }>`
    SELECT bool_or(i.indisvalid AND i.indisready) AS valid FROM pg_index i
      JOIN pg_opclass o ON o.oid = i.indclass[0]
     WHERE i.indrelid = ${quoteName('freshet', space.vectorTable)}::text::regclass
       AND o.opcname = ${cosineOperatorClass(space.source.storage)}
       AND o.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hnsw')`.execute(transaction);
  const valid = rows[0]?.valid ?? null;
  return valid === null ? 'none' : valid ? 'valid' : 'invalid';
}

const efSearchOf = (limit: number) => Math.min(EF_SEARCH.most, Math.max(EF_SEARCH.least, limit * 2));

/** Sorting is made dear, so that the order comes from the index and the walk can end early. */
async function setWalk(transaction: Kysely<FreshetTables>, limit: number): Promise<void> {
  await sql`SELECT set_config('hnsw.iterative_scan', 'strict_order', true),
    set_config('hnsw.ef_search', ${String(efSearchOf(limit))}, true),
    set_config('enable_sort', 'off', true)`.execute(transaction);
}

async function explainNearest(
  transaction: Kysely<FreshetTables>,
  request: NearestRequest,
  vector: Buffer,
): Promise<SearchPlan> {
  const { source, caller } = request;
  const index = await readIndex(transaction, source);
  const { leg, counted, exactUpTo } = await decideLeg(transaction, request, index);
  if (leg === 'hnsw') await setWalk(transaction, request.limit);
  const statement = leg === 'hnsw' ? renderWalk(request, vector) : renderExact(request, vector);
  const { rows } = await sql<Record<string, string>>`EXPLAIN ${statement}`.execute(transaction);
  return {
    source: source.space.source.name,
    space: source.space.spaceId,
    leg,
    counted,
    exactUpTo,
    index,
    efSearch: leg === 'hnsw' ? efSearchOf(request.limit) : null,
    tenant: source.tenant !== undefined && (caller.kind === 'client' || caller.tenant !== undefined),
    rowLevelSecurity: source.role !== undefined && caller.kind === 'client',
    plan: rows.map(row => hideValues(Object.values(row)[0] ?? '')),
  };
}

/** A plan repeats the query's vector and the filter's values: neither says anything of the plan. */
function hideValues(line: string): string {
  return line.replace(/'(?:[^']|'')*'/g, "'…'");
}

/** Counts, of the rows that the caller may see, those whose present text can be found. */
async function countCovered(transaction: Kysely<FreshetTables>, scope: SearchScope): Promise<CoverageCount> {
  const { space } = scope.source;
  const { source, vectors, isStale } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const keeps = space.source.keywordLanguage !== undefined;
  const isWordless = keeps
    ? sql`(v.keywords IS NULL OR v.keywords_read_at IS DISTINCT FROM v.read_at)`
    : sql`false`;
  const { rows } = await sql<Record<'eligible' | 'fresh' | 'excluded' | 'stale' | 'wordless', number>>`
    SELECT count(*)::float8 AS eligible,
           count(*) FILTER (WHERE NOT stale AND outcome = 'embedded')::float8 AS fresh,
           count(*) FILTER (WHERE NOT stale AND outcome IN (${excludedOutcomes}))::float8 AS excluded,
           count(*) FILTER (WHERE stale)::float8 AS stale,
           count(*) FILTER (WHERE outcome = 'embedded' AND wordless)::float8 AS wordless
      FROM (SELECT v.outcome, ${isWordless} AS wordless, coalesce(${isStale}, true) AS stale
              FROM ${source} AS s
              LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
             WHERE ${renderScope(scope)}) AS seen`.execute(transaction);
  const { eligible = 0, fresh = 0, excluded = 0, stale = 0, wordless = 0 } = rows[0] ?? {};
  return {
    coveragePercent: coveragePercent(fresh, eligible, excluded),
    stale,
    withoutKeywords: keeps ? wordless : null,
  };
}
