import { chooseDiverse } from '../../core/diversity.ts';
import { FreshetError } from '../../core/errors.ts';
import { fuseLegs } from '../../core/fuse-legs.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { Reranker } from '../../ports/reranker.ts';
import type { FoundRow, FoundWords, SearchAnswer, SearchRequest, SearchStore } from '../../ports/search.ts';
import { type PreparedSearch, refuseLike } from './prepare-search.ts';

interface HitPorts {
  readonly store: Pick<SearchStore, 'findNearest' | 'findByWords' | 'readTexts'>;
  readonly rerankers: ReadonlyMap<string, Reranker>;
}

/** A row with what it is ordered by. */
interface RankedHit {
  readonly row: FoundRow;
  readonly score: number;
  readonly reranked?: number | undefined;
}

interface FoundHits extends Pick<SearchAnswer, 'exact' | 'keyword' | 'degraded'> {
  readonly hits: readonly RankedHit[];
}

/** Seconds after which words that are being made are asked for again. */
const FILLING_SECONDS = 60;

/** Asks the legs of a search, fuses what they found, and lets a reranker order it anew. */
export async function findHits(
  ports: HitPorts,
  request: SearchRequest,
  prepared: PreparedSearch,
  signal: AbortSignal,
): Promise<FoundHits> {
  const found = await askLegs(ports, request, prepared);
  const { rerank, limit } = request;
  if (rerank === undefined) return { ...found, hits: found.hits.slice(0, limit) };
  const reranker = ports.rerankers.get(rerank.model)!;
  const candidates = Math.min(rerank.candidates ?? found.hits.length, reranker.maxTexts);
  const ordered = await orderAnew(
    ports,
    request,
    prepared,
    found.hits.slice(0, candidates),
    reranker,
    signal,
  );
  return ordered === undefined
    ? { ...found, hits: found.hits.slice(0, limit), degraded: [...found.degraded, 'rerank'] }
    : { ...found, hits: ordered.slice(0, limit) };
}

async function askLegs(
  { store }: HitPorts,
  request: SearchRequest,
  { nearest, words, lacksWords }: PreparedSearch,
): Promise<FoundHits> {
  const [near, worded] = await Promise.all([
    nearest && store.findNearest(nearest),
    words && store.findByWords(words),
  ]);
  if (nearest === undefined) return toWorded(worded, lacksWords);
  if (near === undefined) throw refuseLike();
  const { rows, isExact: exact } = near;
  if (request.mode === 'hybrid')
    return {
      ...{ hits: fuse(rows, worded, request), exact },
      keyword: worded === undefined ? null : describe(worded),
      degraded: worded === undefined ? ['keyword'] : [],
    };
  const { diversity = 0, limit } = request;
  const chosen = diversity > 0 ? diversify(rows, diversity, limit) : rows;
  const hits = chosen.map(row => ({ row, score: 1 - row.distance! }));
  return { hits, exact, keyword: null, degraded: [] };
}

const describe = ({ isPartial }: FoundWords) => (isPartial ? 'partial' : 'complete');

/** A search by words alone has nothing to fall back on. */
function toWorded(worded: FoundWords | undefined, lacksWords: boolean): FoundHits {
  if (lacksWords)
    throw new ServiceRefusal('not_ready', 'The words of the source are being made: migrate does that.', {
      retryAfterSeconds: FILLING_SECONDS,
    });
  if (worded === undefined)
    throw new ServiceRefusal('deadline', 'The database did not find the words in time.');
  const hits = worded.rows.map(row => ({ row, score: row.words! }));
  return { hits, exact: !worded.isPartial, keyword: describe(worded), degraded: [] };
}

/** Each row once, with its distance of either leg and its words of the second. */
function fuse(
  near: readonly FoundRow[],
  { rows: worded, shares }: Pick<FoundWords, 'rows' | 'shares'> = { rows: [], shares: [] },
  { weights }: SearchRequest,
): readonly RankedHit[] {
  const rows = new Map(near.map(row => [row.id, row]));
  for (const row of worded) rows.set(row.id, { ...row, ...rows.get(row.id), words: row.words });
  const legs = {
    near: near.map(({ id, distance }) => ({ id, similarity: 1 - distance! })),
    worded: worded.map(({ id, distance, terms = [] }) => ({
      ...{ id, terms },
      similarity: distance === null ? null : 1 - distance,
    })),
  };
  const fused = fuseLegs(
    { ...legs, shares },
    { semantic: weights?.semantic ?? 1, keyword: weights?.keyword ?? 1 },
  );
  return fused.map(({ id, score }) => ({ row: rows.get(id)!, score }));
}

function diversify(rows: readonly FoundRow[], diversity: number, limit: number): readonly FoundRow[] {
  const candidates = rows.map(row => ({ row, similarity: 1 - row.distance!, vector: row.vector! }));
  return chooseDiverse(candidates, diversity, limit).map(({ row }) => row);
}

/**
 * Orders hits by a reranker, whose texts are read from the source now, as this caller may see it.
 * A row that is gone meanwhile, or nobody's any more to see, is no hit. Undefined: the reranker did
 * not answer in time, or not with scores; what was found stays as it was.
 */
async function orderAnew(
  { store }: HitPorts,
  { query }: SearchRequest,
  { nearest, words }: PreparedSearch,
  hits: readonly RankedHit[],
  reranker: Reranker,
  signal: AbortSignal,
): Promise<readonly RankedHit[] | undefined> {
  if (hits.length === 0) return [];
  const ids = hits.map(({ row }) => row.id);
  const texts = await store.readTexts((nearest ?? words)!, ids, reranker.maxCharacters);
  const present = hits.filter(({ row }) => texts.has(row.id));
  if (present.length === 0) return [];
  try {
    const scores = await reranker.score(
      query!,
      present.map(({ row }) => texts.get(row.id)!),
      signal,
    );
    return present
      .map(({ row }, place) => ({ row, score: scores[place]!, reranked: scores[place]! }))
      .sort((a, b) => b.score - a.score);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    if (signal.aborted) throw new ServiceRefusal('client_left', 'The client left.');
    return undefined;
  }
}
