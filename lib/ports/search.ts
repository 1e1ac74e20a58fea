import type { Space } from '../core/model.ts';
import type { Filter, FilterColumn } from '../core/search-filter.ts';

/** Who searches, which decides what is seen. */
export interface SearchCaller {
  /**
   * `operator`: a person who has the database anyway, and sees every tenant's rows.
   * `client`: sees a source with a tenant's column or with row-level security as its token says.
   */
  readonly kind: 'operator' | 'client';
  /** The tenant of a verified token, or the one that an operator named. */
  readonly tenant?: string | undefined;
  /** The claims of a verified token. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** What a search asks for. Exactly one of `query`, `vector` and `like` is given. */
export interface SearchRequest {
  readonly source: string;
  /** A text; it is embedded as a query by the source's model. */
  readonly query?: string | undefined;
  readonly vector?: readonly number[] | undefined;
  /** The id of a row whose neighbours are looked for; the row itself is no hit. */
  readonly like?: string | undefined;
  readonly limit: number;
  /** In the grammar of `readFilter`. */
  readonly filter?: unknown;
  readonly mode: SearchMode;
  /** 0 to 1: how much hits are chosen to differ from each other. */
  readonly diversity?: number | undefined;
  readonly cursor?: string | undefined;
  /** Undefined: every column that the source shows. */
  readonly columns?: readonly string[] | undefined;
  /** The least cosine similarity of a hit, -1 to 1. */
  readonly minScore?: number | undefined;
  /** Names a reranker of the configuration, and how many of the first hits it orders anew. */
  readonly rerank?: { readonly model: string; readonly candidates?: number | undefined } | undefined;
  /** How much each leg of a hybrid search counts; 1 unless said. */
  readonly weights?: SearchWeights | undefined;
}

export interface SearchWeights {
  readonly semantic?: number | undefined;
  readonly keyword?: number | undefined;
}

export type SearchMode = 'semantic' | 'keyword' | 'hybrid';

export interface SearchAnswer {
  readonly source: string;
  readonly model: {
    readonly alias: string;
    readonly model_id: string;
    readonly revision: string;
    readonly dimensions: number;
    readonly space: number;
  };
  readonly hits: readonly AnsweredHit[];
  /** Whether every row that the search may see was compared. */
  readonly exact: boolean;
  /** Of the rows that the caller may see, 0 to 100. Null: not measured yet. */
  readonly coverage_percent: number | null;
  /** Rows whose present text is not searched yet. Null: not measured yet. */
  readonly stale: number | null;
  /** When both were measured, as ISO 8601. */
  readonly coverage_at: string | null;
  /** Rows with a vector that no search by words finds. Null: not measured, or none are kept. */
  readonly without_keywords: number | null;
  /** `partial`: more rows have the words than are ranked. Null: the search was not by words. */
  readonly keyword: 'complete' | 'partial' | null;
  /** What the search had to do without, `keyword` or `rerank`; empty: nothing. */
  readonly degraded: readonly string[];
  /** The cursor of the next page. Null: there is none. */
  readonly next: string | null;
  readonly took_ms: number;
}

interface AnsweredHit {
  readonly id: string;
  /** What the hits are ordered by: similarity, or the fused score of a hybrid search. */
  readonly score: number;
  readonly rank: number;
  readonly scores: {
    readonly semantic: number | null;
    readonly keyword: number | null;
    readonly rerank: number | null;
  };
  readonly columns: Readonly<Record<string, unknown>>;
}

/** Searches; every refusal is a `ServiceRefusal`. */
export interface SearchService {
  search(request: SearchRequest, caller: SearchCaller, signal: AbortSignal): Promise<SearchAnswer>;
  /** How the same search would be done, with the numbers that decide it. */
  explain(request: SearchRequest, caller: SearchCaller, signal: AbortSignal): Promise<SearchPlan>;
}

/** A search that runs while its client does something else. It never holds what was asked for. */
export interface SearchJob {
  readonly jobId: string;
  readonly status: 'pending' | 'running' | 'succeeded' | 'failed';
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Why it failed, in our own words. */
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** The answer as it was found; null until then. */
  readonly result: SearchAnswer | null;
}

/** The jobs of a process: its memory is where they are, and they end with it. */
export interface SearchJobs {
  /** @throws ServiceRefusal `rate_limited` where the caller has too many that have not ended */
  submit(request: SearchRequest, caller: SearchCaller): SearchJob;
  /** @throws ServiceRefusal `not_found` for one that is another's, over, or nobody's */
  find(jobId: string, caller: SearchCaller): SearchJob;
  /** Forgets what searches of a tenant found until now, because texts of hers were erased. */
  forget(tenant: string): void;
}

/** How a search is done. */
export interface SearchPlan {
  readonly source: string;
  readonly space: number;
  readonly leg: 'exact' | 'hnsw';
  /** Rows that the search may see, counted up to `exactUpTo` and one more. */
  readonly counted: number;
  readonly exactUpTo: number;
  readonly index: 'none' | 'invalid' | 'valid';
  readonly efSearch: number | null;
  readonly tenant: boolean;
  readonly rowLevelSecurity: boolean;
  /** The lines of EXPLAIN, without a value of a row. */
  readonly plan: readonly string[];
}

export interface CoverageCount {
  readonly coveragePercent: number;
  readonly stale: number;
  /** Null: the source keeps no words. */
  readonly withoutKeywords: number | null;
}

/** A source with its active space, as searches see it. */
export interface SearchedSource {
  readonly space: Space;
  /** Columns that hits may hold, in their order. */
  readonly columns: readonly string[];
  readonly filters: readonly FilterColumn[];
  readonly tenant: FilterColumn | undefined;
  readonly role: string | undefined;
  /** Settings with the path of the claim that each gets. */
  readonly claims: Readonly<Record<string, string>>;
  /** Whether policies of the table decide who sees a row. */
  readonly hasRowSecurity: boolean;
  /** Whether the words of every row are kept, so that they can be searched. */
  readonly hasKeywords: boolean;
  /** That of its vectors, as it was when the search began. */
  readonly index: SearchPlan['index'];
  /** Rows of its vector table by its pages and the last statistics; 0 where there are none. */
  readonly likelyRows: number;
}

/** What a search is kept to: the rows that its caller may see, and its filter. */
export interface SearchScope {
  readonly source: SearchedSource;
  readonly caller: SearchCaller;
  readonly filter: Filter | undefined;
}

export interface NearestRequest extends SearchScope {
  /** float32, little-endian; or the id of a row. */
  readonly near: { readonly vector: Buffer } | { readonly like: string };
  readonly limit: number;
  readonly after: { readonly distance: number; readonly id: string } | undefined;
  /** Rows that are farther are no hits. */
  readonly maxDistance: number | undefined;
  readonly columns: readonly string[];
  readonly withVectors: boolean;
}

export interface WordsRequest extends SearchScope {
  readonly query: string;
  /** Rows get their distance to it. Undefined: they have none. */
  readonly vector: Buffer | undefined;
  readonly limit: number;
  readonly after: { readonly words: number; readonly id: string } | undefined;
  /** Rows that have less than this of the weight of the query's words are no hits, 0 to 1. */
  readonly leastShare: number;
  readonly columns: readonly string[];
}

export interface FoundWords {
  readonly rows: readonly FoundRow[];
  /** Of the weight of the query's words, what each has that some row has. */
  readonly shares: readonly number[];
  /** Whether more rows have the words than were ranked, or words were left out for it. */
  readonly isPartial: boolean;
}

export interface FoundRow {
  readonly id: string;
  /** Cosine distance, 0 to 2. Null: the row was found by words alone. */
  readonly distance: number | null;
  readonly columns: readonly unknown[];
  /** How well the words fit, of a search by words: larger is better. */
  readonly words?: number | undefined;
  /** The words that the row has, by their places in `shares`. */
  readonly terms?: readonly number[] | undefined;
  /** float32; where `withVectors` asked for it. */
  readonly vector?: Float32Array | undefined;
}

/**
 * What a search asks of the database.
 * Each method is one transaction, in which the predicate of the tenant and the role hold.
 */
export interface SearchStore {
  /** Undefined: there is no such source. It is read again when the space of the source changed. */
  find(name: string): Promise<SearchedSource | undefined>;
  names(): readonly string[];
  /**
   * Finds the nearest rows, nearest first.
   * Undefined: the row of `like` is not there, or not for this caller.
   */
  findNearest(
    request: NearestRequest,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly isExact: boolean } | undefined>;
  explain(request: NearestRequest): Promise<SearchPlan | undefined>;
  /** Finds the rows that have the words, best first. Undefined: that would take too long. */
  findByWords(request: WordsRequest): Promise<FoundWords | undefined>;
  /** Reads the texts of rows that the search may see now, by their ids; others are left out. */
  readTexts(
    scope: SearchScope,
    ids: readonly string[],
    maxCharacters: number,
  ): Promise<ReadonlyMap<string, string>>;
  /** Counts the rows that the caller may see, within a time limit. */
  readCoverage(scope: Omit<SearchScope, 'filter'>, timeoutMs: number): Promise<CoverageCount>;
}
