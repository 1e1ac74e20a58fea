import { type Kysely, sql } from 'kysely';
import type { PipelineConfig } from '../../core/config/pipeline-config.ts';
import { coveragePercent } from '../../core/outcomes.ts';
import { cosineOperatorClass } from '../../core/vectors.ts';
import type { Clock } from '../../ports/process.ts';
import type { CoverageCount, SearchedSource, SearchScope, SearchStore } from '../../ports/search.ts';
import type { SqlDatabase } from './database.ts';
import { explainNearest, findNearest, rememberCounts, SEARCH_SETTINGS } from './find-nearest.ts';
import { excludedOutcomes, prepared, quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { hasKeywords } from './keywords.ts';
import { openSpaces } from './open-spaces.ts';
import { quoteSpace } from './quote-space.ts';
import { readInScope, renderScope } from './search-predicate.ts';
import { readTexts } from './search-statements.ts';
import { findByWords } from './search-words.ts';
import { resolveSearch } from './searched-source.ts';
import { nameSourceFault } from './source-faults.ts';

/** Opens the searches of the configuration's sources, each checked when it is first asked for. */
export function createSearchStore(
  db: SqlDatabase,
  config: PipelineConfig,
  clock: Pick<Clock, 'now'>,
): SearchStore {
  const find = rememberSources(db, config, clock);
  const counts = rememberCounts(clock);
  const ofSource = <Value>({ source }: Pick<SearchScope, 'source'>, work: () => Promise<Value>) =>
    nameSourceFault(db, source.space, work);
  return {
    names: () => config.sources.map(({ name }) => name),
    find,
    findNearest: request => ofSource(request, () => findNearest(db, request, counts)),
    explain: request => ofSource(request, () => explainNearest(db, request)),
    findByWords: request =>
      ofSource(request, () =>
        readInScope(db, request, SEARCH_SETTINGS, transaction => findByWords(transaction, request)),
      ),
    readTexts: (scope, ids, maxCharacters) =>
      ofSource(scope, () =>
        readInScope(db, scope, SEARCH_SETTINGS, transaction =>
          readTexts(transaction, scope, ids, maxCharacters),
        ),
      ),
    readCoverage: (scope, timeoutMs) =>
      ofSource(scope, () =>
        readInScope(db, scope, { statement_timeout: String(Math.ceil(timeoutMs)) }, transaction =>
          countCovered(transaction, { ...scope, filter: undefined }),
        ),
      ),
  };
}

/**
 * Milliseconds for which a source is taken to be as it was found.
 * A search that comes later sees a new active space, a new index and new words. One that comes
 * earlier answers from the space before, whose vectors are still there.
 */
const CURRENT_FOR_MS = 100;

/**
 * Finds sources, and asks ten times a second at the most whether one is still as it was opened.
 * Searches that come together share the answer.
 */
function rememberSources(
  db: SqlDatabase,
  config: PipelineConfig,
  clock: Pick<Clock, 'now'>,
): SearchStore['find'] {
  const opened = new Map<string, OpenedSource>();
  const asked = new Map<string, { readonly source: ReturnType<typeof lookUp>; readonly atMs: number }>();
  const lookUp = async (name: string): Promise<SearchedSource | undefined> => {
    const known = opened.get(name);
    if (known !== undefined) {
      const state = await readState(db, known);
      if (isCurrent(known, state)) return { ...known, ...pickState(state) };
    }
    const source = await openSource(db, config, name);
    if (source === undefined) return undefined;
    opened.set(name, source);
    return { ...source, ...pickState(await readState(db, source)) };
  };
  return name => {
    const nowMs = clock.now();
    const last = asked.get(name);
    // A clock that stepped back says nothing of the age.
    if (last !== undefined && nowMs >= last.atMs && nowMs - last.atMs < CURRENT_FOR_MS) return last.source;
    const source = lookUp(name);
    const answer = { source, atMs: nowMs };
    asked.set(name, answer);
    const forget = () => void (asked.get(name) === answer && asked.delete(name));
    source.then(found => found ?? forget(), forget);
    return source;
  };
}

async function openSource(
  db: SqlDatabase,
  config: PipelineConfig,
  name: string,
): Promise<OpenedSource | undefined> {
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

/** A source as it was opened, without what is looked at again. */
type OpenedSource = Omit<SearchedSource, 'index' | 'likelyRows'>;

interface SearchState extends Pick<SearchedSource, 'index' | 'likelyRows'> {
  /** The space that the view of the source shows. */
  readonly active: number | null;
  readonly keywords: string | null;
}

const pickState = ({ index, likelyRows }: SearchState) => ({ index, likelyRows });

/** Reads what may have changed since the source was opened. */
async function readState(db: SqlDatabase, { space }: Pick<SearchedSource, 'space'>): Promise<SearchState> {
  const { rows } = await sql<Omit<SearchState, 'index'> & { valid: boolean | null }>`${prepared}
    SELECT (SELECT s.space_id FROM freshet.spaces AS s
             WHERE s.source_name = ${space.source.name}::text AND s.status = 'active') AS active,
           (SELECT col_description(a.attrelid, a.attnum) FROM pg_attribute AS a
             WHERE a.attrelid = t.oid AND a.attname = 'keywords' AND NOT a.attisdropped) AS keywords,
           (SELECT bool_or(i.indisvalid AND i.indisready) FROM pg_index AS i
              JOIN pg_opclass AS o ON o.oid = i.indclass[0] JOIN pg_am AS m ON m.oid = o.opcmethod
             WHERE i.indrelid = t.oid AND m.amname = 'hnsw'
               AND o.opcname = ${cosineOperatorClass(space.source.storage)}::text) AS valid,
           (SELECT (c.reltuples / c.relpages
                   * pg_relation_size(c.oid) / current_setting('block_size')::int)::float8
              FROM pg_class AS c
             WHERE c.oid = t.oid AND c.reltuples >= 0 AND c.relpages > 0) AS "likelyRows"
      FROM (SELECT to_regclass(${quoteName('freshet', space.vectorTable)}::text)::oid AS oid) AS t`.execute(
    db.kysely,
  );
  const { active = null, keywords = null, valid = null, likelyRows = null } = rows[0] ?? {};
  const index = valid === null ? 'none' : valid ? 'valid' : 'invalid';
  return { active, keywords, index, likelyRows: likelyRows ?? 0 };
}

/** Whether the source is still as it was opened: its active space, and whether it has its words. */
function isCurrent({ space, hasKeywords: had }: OpenedSource, { active, keywords }: SearchState): boolean {
  const language = space.source.keywordLanguage;
  if (language !== undefined && had !== (keywords === language)) return false;
  return active === null ? space.status !== 'active' : active === space.spaceId;
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
