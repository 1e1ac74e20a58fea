import { textFlag, wholeNumberFlag } from '../terminal/flags.ts';

/** Flags of `search` and of `explain-search`, which asks how the same search is done. */
export const searchFlags = {
  mode: textFlag('NAME', 'semantic, keyword or hybrid: by vectors, by words, or by both (semantic)'),
  weights: textFlag('S,K', 'how much vectors and words count in a hybrid search (1,1)'),
  rerank: textFlag('NAME', 'reranker of the configuration that orders the first hits anew'),
  limit: wholeNumberFlag('N', 'how many rows (10)', { least: 1, most: 1000 }),
  source: textFlag('NAME', 'source to search (the first one)'),
  like: textFlag('ID', 'rows like this one, instead of a text'),
  filter: textFlag(
    'JSON',
    'only rows that it holds for: {"type":"eq","key":"…","value":"…"}; @file reads a file',
  ),
  tenant: textFlag('NAME', 'only rows of this tenant (of every one)'),
  columns: textFlag('NAMES', 'columns to show, parted by commas'),
  'min-score': textFlag('N', 'least similarity of a hit, -1 to 1'),
  diversity: textFlag('N', '0 to 1: how much hits shall differ from each other (0)'),
  cursor: textFlag('TEXT', 'the next page, as `search` prints it'),
};

/** What `search` is, on a database. */
export const searchPlace = {
  summary: 'the rows nearest to a text, and how far to trust them',
  keys: ['source', 'model', 'hits', 'exact', 'coveragePercent', 'stale', 'keyword', 'degraded', 'next'],
};

/** What `explain-search` is, on a database. */
export const explainPlace = {
  summary: 'how the same search is done: exact or by the index, with the numbers that decide it',
  keys: [
    ...['source', 'space', 'leg', 'counted', 'exactUpTo', 'index', 'efSearch', 'tenant'],
    ...['rowLevelSecurity', 'plan'],
  ],
};
