import { FreshetError } from '../../core/errors.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { type CursorKey, DEEPEST_HIT, sealCursor } from '../../core/search-cursor.ts';
import type { SuggestWord } from '../../core/search-filter.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { Clock } from '../../ports/process.ts';
import type { Reranker } from '../../ports/reranker.ts';
import type {
  SearchAnswer,
  SearchCaller,
  SearchRequest,
  SearchService,
  SearchStore,
} from '../../ports/search.ts';
import type { ReadCoverage } from './coverage-memory.ts';
import { findHits } from './find-hits.ts';
import { prepareSearch, refuseInput, refuseLike } from './prepare-search.ts';

interface SearchPorts {
  readonly store: SearchStore;
  /** Embeds a text as a query; the vector is float32, little-endian. */
  readonly embedQuery: (model: ModelDefinition, text: string, signal: AbortSignal) => Promise<Buffer>;
  readonly readCoverage: ReadCoverage;
  readonly clock: Clock;
  readonly suggest: SuggestWord;
  readonly cursorKey: CursorKey;
  /** By the names of the configuration. */
  readonly rerankers: ReadonlyMap<string, Reranker>;
}

/** Makes the search over the rows of sources. */
export function createSearchService(ports: SearchPorts): SearchService {
  return {
    search: (request, caller, signal) => refusing(request, () => search(ports, request, caller, signal)),
    explain: (request, caller, signal) =>
      refusing(request, async () => {
        const { nearest } = await prepareSearch(ports, request, caller, signal);
        if (nearest === undefined)
          throw refuseInput('mode', 'keyword compares no vectors, and they are what is explained');
        const explained = await ports.store.explain(nearest);
        if (explained === undefined) throw refuseLike();
        return explained;
      }),
  };
}

async function search(
  ports: SearchPorts,
  request: SearchRequest,
  caller: SearchCaller,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const startedMs = ports.clock.now();
  const prepared = await prepareSearch(ports, request, caller, signal);
  const { source, hash, position, columns, isOneList } = prepared;
  const { hits, ...trust } = await findHits(ports, request, prepared, signal);
  const last = hits.at(-1);
  const seen = (position?.hits ?? 0) + hits.length;
  const hasNext = !isOneList && hits.length === request.limit && seen < DEEPEST_HIT && last !== undefined;
  const { spaceId, model } = source.space;
  return {
    source: request.source,
    model: {
      alias: model.alias,
      model_id: model.modelId,
      revision: model.revision,
      dimensions: model.dimensions,
      space: spaceId,
    },
    hits: hits.map(({ row, score, reranked }, place) => ({
      ...{ id: row.id, score, rank: (position?.hits ?? 0) + place + 1 },
      scores: {
        semantic: row.distance === null ? null : 1 - row.distance,
        keyword: row.words ?? null,
        rerank: reranked ?? null,
      },
      columns: Object.fromEntries(columns.map((name, index) => [name, row.columns[index] ?? null])),
    })),
    ...trust,
    ...(await ports.readCoverage(source, caller)),
    next: hasNext
      ? sealCursor(ports.cursorKey, hash, {
          space: spaceId,
          // Pages of words end at a score, which is the larger the better.
          distance: request.mode === 'keyword' ? -last.score : last.row.distance!,
          id: last.row.id,
          hits: seen,
        })
      : null,
    took_ms: Math.max(0, ports.clock.now() - startedMs),
  };
}

/** Refuses the request where the database refused one of its values. */
async function refusing<Result>({ like }: SearchRequest, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    const isOfValue = /^sqlstate_22/.test(error.code) || error.code === 'invalid_key';
    if (isOfValue && like !== undefined) throw refuseLike();
    if (isOfValue)
      throw refuseInput('filter', 'a value is none of its column’s type, or over the range of the type');
    if (error.code === 'sqlstate_57014')
      throw new ServiceRefusal('deadline', 'The database did not answer the search in time.');
    throw error;
  }
}
