// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'tenant-not-compared',
    removes: 'the tenant from the predicate of every search',
    file: 'lib/adapters/sql/search-predicate.ts',
    changes: [['${columnOf(tenant)} = ${cast(tenant, caller.tenant)}', '${caller.tenant}::text IS NOT NULL']],
  },
  {
    name: 'like-of-any-tenant',
    removes: 'the predicate from the look-up of the row that others are to be like',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [
      ['...request, filter: undefined', "...request, filter: undefined, caller: { kind: 'operator' }"],
    ],
  },
  {
    name: 'columns-of-any-tenant',
    removes: 'the predicate from the read of the columns that hits show',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [['AND v.chunk = 0\n   WHERE ${renderScope(request)}`;', 'AND v.chunk = 0 WHERE true`;']],
  },
  {
    name: 'client-without-tenant',
    removes: 'refusing a client whose token names no tenant',
    file: 'lib/pipeline/search/prepare-search.ts',
    changes: [
      [
        'tenant !== undefined && caller.tenant === undefined',
        'tenant === undefined && caller.tenant === null',
      ],
    ],
  },
  {
    name: 'cursor-not-checked',
    removes: 'the code in cursors',
    file: 'lib/core/search-cursor.ts',
    changes: [['timingSafeEqual(bytes.subarray(0, MAC_BYTES), sign(key, search, payload))', 'true']],
  },
  {
    name: 'cursor-of-any-space',
    removes: 'telling that the vectors of a cursor were replaced',
    file: 'lib/pipeline/search/prepare-search.ts',
    changes: [['position.space !== source.space.spaceId', 'position.space < 0']],
  },
  {
    name: 'filter-by-any-depth',
    removes: 'the bound of nesting',
    file: 'lib/core/search-filter.ts',
    changes: [['depth > MAX_DEPTH', 'depth > 100 * MAX_DEPTH']],
  },
  {
    name: 'many-of-any-filter',
    removes: 'the filter from what the count of many rows is remembered by',
    file: 'lib/adapters/sql/find-nearest.ts',
    changes: [['claims, filter ?? null]', 'claims]']],
  },
  {
    name: 'many-of-any-tenant',
    removes: 'the tenant from what the count of many rows is remembered by',
    file: 'lib/adapters/sql/find-nearest.ts',
    changes: [['caller.tenant ?? null, claims', 'claims']],
  },
  {
    name: 'large-for-any-scope',
    removes: 'counting the rows of a filter or tenant in a large table',
    file: 'lib/adapters/sql/find-nearest.ts',
    changes: [['!isNarrow(request) && request.source.likelyRows', 'request.source.likelyRows']],
  },
  {
    name: 'source-for-ever',
    removes: 'looking whether a source is still as it was found',
    file: 'lib/adapters/sql/search-store.ts',
    changes: [['CURRENT_FOR_MS = 100', 'CURRENT_FOR_MS = 100_000']],
  },
  {
    name: 'compared-by-the-index',
    removes: 'the sum by which no index of vectors orders the rows that are compared',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [
      [
        '(v.embedding <=> ${renderQuery(space, vector)}) + 0::float8',
        'v.embedding <=> ${renderQuery(space, vector)}',
      ],
    ],
  },
  {
    name: 'many-for-ever',
    removes: 'counting rows again that were many',
    file: 'lib/adapters/sql/find-nearest.ts',
    changes: [['MANY_FOR_MS = 30_000', 'MANY_FOR_MS = 3_000_000']],
  },
  {
    name: 'keys-counted-as-vectors',
    removes: 'the rows without a vector from what is counted by keys',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [['count(*) > ${most}::int + ${leftOut} AS', 'count(*) > ${most}::int AS']],
  },
  {
    name: 'many-without-a-vector',
    removes: 'counting by the vectors where very many rows have none',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [['WHEN ${leftOut} < ${most}::int THEN', 'WHEN true THEN']],
  },
  {
    name: 'function-of-its-owner',
    removes: 'running the function that searches in SQL with its caller’s rights',
    file: 'lib/adapters/sql/search-function.ts',
    changes: [['STABLE SECURITY INVOKER', 'STABLE SECURITY DEFINER']],
  },
  {
    name: 'function-trusts-few',
    removes: 'counting in the function that searches in SQL where statistics say that there are few rows',
    file: 'lib/adapters/sql/search-function.ts',
    changes: [['> ${SURELY_MANY} * few INTO many', '> 0 * few INTO many']],
  },
  {
    name: 'function-counts-nobody’s-rows',
    removes: 'counting in the function that searches in SQL what policies leave to the caller',
    file: 'lib/adapters/sql/search-function.ts',
    changes: [['IF indexed AND NOT narrow THEN', 'IF indexed THEN']],
  },
  {
    name: 'function-reads-no-source',
    removes: 'joining the source in the function that searches in SQL',
    file: 'lib/adapters/sql/search-function.ts',
    changes: [['FROM ${table} AS s JOIN', 'FROM ${quoteName(schema, source.name)} AS s JOIN']],
  },
  {
    name: 'words-not-touched',
    removes: 'setting the words again when a row is touched',
    file: 'lib/adapters/sql/outcomes.ts',
    changes: [['WHEN t.keywords = locked.keywords THEN t.keywords', 'WHEN true THEN t.keywords']],
  },
  {
    name: 'words-of-another-reading',
    removes: 'leaving out words that code without any left beside a later vector',
    file: 'lib/adapters/sql/search-words.ts',
    changes: [[' AND v.keywords_read_at = v.read_at', '']],
  },
  {
    name: 'words-always-unmet',
    removes: 'telling the words that the nearest rows have from those that vectors are blind to',
    file: 'lib/core/fuse-legs.ts',
    changes: [['met.has(term) ? 0 :', 'met.size < 0 ? 0 :']],
  },
  {
    name: 'absent-words-weigh-nothing',
    removes: 'the weight of words that no row has',
    file: 'lib/adapters/sql/search-words.ts',
    changes: [['weigh(Math.max(1, rows)) ** 3', '(rows === 0 ? 0 : weigh(rows) ** 3)']],
  },
  {
    name: 'words-of-any-tenant',
    removes: 'the predicate from the texts that a reranker is sent',
    file: 'lib/adapters/sql/search-statements.ts',
    changes: [
      [
        '${renderSearched(scope)} AND (${listKey(keys.source)}) IN',
        "${renderSearched({ ...scope, caller: { kind: 'operator' }, filter: undefined })} AND (${listKey(keys.source)}) IN",
      ],
    ],
  },
  {
    name: 'waits-for-the-reranker',
    removes: 'answering without a reranker that fails',
    file: 'lib/pipeline/search/find-hits.ts',
    changes: [
      ['if (!(error instanceof FreshetError)) throw error;', 'if (error instanceof Error) throw error;'],
    ],
  },
  {
    name: 'audience-not-asked',
    removes: 'asking for the audience of a token',
    file: 'lib/adapters/api/verify-tokens.ts',
    changes: [['issuer, audience, algorithms, requiredClaims', 'issuer, algorithms, requiredClaims']],
  },
  {
    name: 'issuer-not-asked',
    removes: 'asking for the issuer of a token',
    file: 'lib/adapters/api/verify-tokens.ts',
    changes: [['issuer, audience, algorithms, requiredClaims', 'audience, algorithms, requiredClaims']],
  },
  {
    name: 'token-for-ever',
    removes: 'asking for the end of a token',
    file: 'lib/adapters/api/verify-tokens.ts',
    changes: [["requiredClaims: ['exp']", 'requiredClaims: []']],
  },
  {
    name: 'tenant-that-is-no-text',
    removes: 'refusing a token whose tenant is a list or an object',
    file: 'lib/adapters/api/verify-tokens.ts',
    changes: [["return { fault: 'claim' };", 'void 0;']],
  },
  {
    name: 'scope-not-asked',
    removes: 'asking for the scope of an address',
    file: 'lib/adapters/api/guard-requests.ts',
    changes: [
      ['scopes === undefined || needed.some', 'scopes === undefined || scopes.size >= 0 || needed.some'],
    ],
  },
];

export const SEARCH_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'search' }));
