/** The addresses of the search, alike: the short one, and the one beside those of texts. */
export const SEARCH_ADDRESSES = ['/v1/search', '/v1/vectors/search'] as const;

type SearchAddress = (typeof SEARCH_ADDRESSES)[number];

/** Says the same of each address of the search. */
const ofSearch = <Fact>(fact: Fact) =>
  Object.fromEntries(SEARCH_ADDRESSES.map(address => [address, fact])) as Record<SearchAddress, Fact>;

/** The addresses of the embedding service wherever it runs, with the method that each one takes. */
export const SERVICE_ROUTES = {
  '/v1/embed': 'POST',
  '/v1/embeddings': 'POST',
  ...ofSearch('POST' as const),
  '/v1/models': 'GET',
  '/health': 'GET',
  '/ready': 'GET',
  '/openapi.json': 'GET',
} as const;

/** The address by which applications say that rows changed, where there is something to look. */
export const NUDGE_ROUTES = { '/v1/nudge': 'POST' } as const;

/** The addresses of searches as jobs, where a process remembers them. */
export const SEARCH_JOB_ROUTES = {
  '/v1/jobs/search': 'POST',
  '/v1/jobs/search/{job_id}': 'GET',
  '/v1/jobs/{job_id}': 'GET',
} as const;

/** The addresses that say, where no process remembers searches, what to ask instead. */
export const REFUSED_ROUTES = { '/v1/jobs/search': 'POST' } as const;

/** How ids of searches as jobs begin. Jobs of texts and of searches have one address. */
export const SEARCH_JOB_PREFIX = 'search_';

/** The addresses of texts without a table, where the configuration has documents. */
export const ITEM_ROUTES = {
  '/v1/vectors/embed': 'POST',
  '/v1/vectors/embed/batch': 'POST',
  '/v1/jobs/{job_id}': 'GET',
  '/v1/receipts/{receipt_id}': 'GET',
  '/v1/vectors/{asset_id}': 'DELETE',
  '/v1/vectors/{asset_id}/{segment_id}': 'DELETE',
} as const;

/**
 * What a token must be for, where the configuration says which claim holds its scopes.
 * One of several suffices here, and what answers says which: the id of a job tells its kind.
 */
export const SERVICE_SCOPES: Readonly<Record<string, readonly string[]>> = {
  '/v1/embed': ['embed'],
  '/v1/embeddings': ['embed'],
  ...ofSearch(['search']),
  ...Object.fromEntries(Object.keys(SEARCH_JOB_ROUTES).map(route => [route, ['search']])),
  ...Object.fromEntries(Object.keys(ITEM_ROUTES).map(route => [route, ['write']])),
  '/v1/jobs/{job_id}': ['write', 'search'],
};
