import { pickClaims } from '../../core/claims.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { type CursorKey, hashSearch, openCursor } from '../../core/search-cursor.ts';
import { readFilter, type SuggestWord } from '../../core/search-filter.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import { cleanText } from '../../core/text.ts';
import type {
  NearestRequest,
  SearchCaller,
  SearchedSource,
  SearchRequest,
  SearchStore,
  WordsRequest,
} from '../../ports/search.ts';

/** Candidates of a list that is ordered anew: five for each hit, and 50 at least. */
const CANDIDATES_PER_HIT = 5;
const LEAST_CANDIDATES = 50;
/**
 * Of the weight of the query's words, what a row has at least that takes part in a hybrid search:
 * of a long question, one common word is no evidence.
 */
const FUSED_SHARE = 0.2;

interface PreparePorts {
  readonly store: Pick<SearchStore, 'find' | 'names'>;
  /** Embeds a text as a query; the vector is float32, little-endian. */
  readonly embedQuery: (model: ModelDefinition, text: string, signal: AbortSignal) => Promise<Buffer>;
  readonly suggest: SuggestWord;
  readonly cursorKey: CursorKey;
  /** Names of the rerankers that the configuration has. */
  readonly rerankers: ReadonlyMap<string, unknown>;
}

/** A search that was checked, with what its legs are asked for. */
export interface PreparedSearch {
  readonly source: SearchedSource;
  /** Undefined: the search is by words alone. */
  readonly nearest: NearestRequest | undefined;
  /** Undefined: the search is by vectors alone. */
  readonly words: WordsRequest | undefined;
  /** Whether the words of the source's rows are being made, so that none can be searched. */
  readonly lacksWords: boolean;
  readonly columns: readonly string[];
  /** Whether the answer is one list, which has no second page. */
  readonly isOneList: boolean;
  /** Of what is asked for and who asks; cursors are bound to it. */
  readonly hash: Buffer;
  readonly position: { readonly hits: number } | undefined;
}

/** Checks what is asked for against the source, and embeds the query where it is compared. */
export async function prepareSearch(
  ports: PreparePorts,
  request: SearchRequest,
  caller: SearchCaller,
  signal: AbortSignal,
): Promise<PreparedSearch> {
  const source = await findSource(ports, request.source);
  requireCaller(source, caller);
  requireOneQuestion(request);
  requireMode(request, source);
  requireReranker(ports, request);
  const columns = request.columns ?? source.columns;
  for (const [place, name] of columns.entries())
    if (!source.columns.includes(name))
      throw refuseInput(
        `columns[${place}]`,
        `is no column that this source shows${ports.suggest(name, source.columns)} ` +
          `(known: ${source.columns.join(', ')})`,
      );
  const filter =
    request.filter === undefined ? undefined : readFilter(request.filter, source.filters, ports.suggest);
  const { cursor, diversity = 0, limit, minScore, rerank } = request;
  const { query, vector, like, mode } = request;
  const claims = pickClaims(caller.claims, Object.values(source.claims));
  const asking = [caller.kind, caller.tenant ?? null, claims];
  const hash = hashSearch([
    ...[request.source, query ?? null, vector ? encodeNumbers(vector) : null, like ?? null],
    ...[request.filter ?? null, mode],
    ...[minScore ?? null, asking],
  ]);
  const position = cursor === undefined ? undefined : openCursor(ports.cursorKey, hash, cursor);
  if (position !== undefined && position.space !== source.space.spaceId)
    throw new ServiceRefusal(
      'space_changed',
      'The vectors of the source were replaced by those of another model: ask for the first page again.',
    );
  const scope = { source, caller, filter, columns };
  const near =
    mode === 'keyword'
      ? undefined
      : like === undefined
        ? { vector: await readVector(ports, source, request, signal) }
        : { like };
  const isOneList = diversity > 0 || mode === 'hybrid' || rerank !== undefined;
  const candidates = Math.max(LEAST_CANDIDATES, limit * CANDIDATES_PER_HIT, rerank?.candidates ?? 0);
  const wanted = isOneList ? candidates : limit;
  return {
    ...{ source, hash, position, columns, isOneList },
    lacksWords: mode !== 'semantic' && !source.hasKeywords,
    nearest: near && {
      ...{ ...scope, near, limit: wanted, after: position, withVectors: diversity > 0 },
      maxDistance: minScore === undefined ? undefined : 1 - minScore,
    },
    words:
      mode === 'semantic' || !source.hasKeywords
        ? undefined
        : {
            ...{ ...scope, query: cleanText(query!), limit: wanted },
            vector: near !== undefined && 'vector' in near ? near.vector : undefined,
            after: position && { words: -position.distance, id: position.id },
            leastShare: mode === 'hybrid' ? FUSED_SHARE : 0,
          },
  };
}

async function findSource({ store, suggest }: PreparePorts, name: string): Promise<SearchedSource> {
  const source = await store.find(name);
  return source ?? refuseUnknownSource(name, store.names(), suggest);
}

/** Refuses a source that the configuration does not have, with the name that is nearest. */
export function refuseUnknownSource(
  name: string,
  names: readonly string[],
  suggest: PreparePorts['suggest'],
): never {
  throw new ServiceRefusal(
    'not_found',
    `source: there is no such source${suggest(name, names)} (known: ${names.join(', ')})`,
    { param: 'source' },
  );
}

/**
 * Refuses a client whose token does not say whose rows it may see, where they are somebody's.
 * A person who asks for the rows of one tenant must not be shown those of all.
 */
function requireCaller({ space, tenant, role, hasRowSecurity }: SearchedSource, caller: SearchCaller): void {
  const { name } = space.source;
  if (caller.kind === 'operator') {
    if (caller.tenant !== undefined && tenant === undefined)
      throw refuseInput('tenant', `rows of ${name} belong to none (search.tenant of the configuration)`);
    return;
  }
  if (tenant !== undefined && caller.tenant === undefined)
    throw new ServiceRefusal('forbidden', `Rows of ${name} belong to tenants, and no token names one.`);
  if (hasRowSecurity && role === undefined)
    throw new ServiceRefusal(
      'forbidden',
      `The table of ${name} has row-level security: sources[].search.role of the configuration must name ` +
        'the role that searches run as.',
    );
}

/** Refuses what does not go with the way of searching. */
function requireMode(request: SearchRequest, { space }: SearchedSource): void {
  const { mode, query, cursor, diversity = 0, minScore, weights, rerank } = request;
  if (cursor !== undefined && (diversity > 0 || mode === 'hybrid' || rerank !== undefined))
    throw refuseInput(
      'cursor',
      'stands beside diversity, rerank or mode hybrid, each of which answers one list',
    );
  if (weights !== undefined && mode !== 'hybrid')
    throw refuseInput('weights', 'stands without mode hybrid, whose legs it weighs');
  if (weights !== undefined && (weights.semantic ?? 1) + (weights.keyword ?? 1) === 0)
    throw refuseInput('weights', 'expected one of them above 0');
  if (rerank !== undefined && query === undefined)
    throw refuseInput('rerank', 'needs query: a text that texts are compared with');
  if (rerank !== undefined && diversity > 0) throw refuseInput('diversity', 'stands beside rerank');
  if (mode === 'semantic') return;
  if (query === undefined) throw refuseInput('mode', `${mode} needs query: a text with words`);
  if (diversity > 0 || minScore !== undefined)
    throw refuseInput('mode', `${mode} goes without diversity and min_score, which are of vectors`);
  if (space.source.keywordLanguage === undefined)
    throw refuseInput(
      'mode',
      `${mode} needs the words of texts, and this source keeps none (search.keywords of the configuration)`,
    );
}

function requireReranker({ rerankers, suggest }: PreparePorts, { rerank }: SearchRequest): void {
  if (rerank === undefined || rerankers.has(rerank.model)) return;
  const names = [...rerankers.keys()];
  throw refuseInput(
    'rerank.model',
    `is no reranker of the configuration${suggest(rerank.model, names)} ` +
      `(known: ${names.join(', ') || 'none'})`,
  );
}

function requireOneQuestion({ query, vector, like }: SearchRequest): void {
  const given = [query, vector, like].filter(each => each !== undefined);
  if (given.length !== 1)
    throw refuseInput('query', 'give one of query (a text), vector, and like (the id of a row)');
}

async function readVector(
  { embedQuery }: PreparePorts,
  { space }: SearchedSource,
  { query, vector }: SearchRequest,
  signal: AbortSignal,
): Promise<Buffer> {
  const { model } = space;
  if (vector === undefined) return embedQuery(model, query!, signal);
  if (vector.length !== model.dimensions)
    throw refuseInput(
      'vector',
      `has ${vector.length} numbers; model ${model.alias} has ${model.dimensions} dimensions`,
    );
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!Number.isFinite(largest) || largest === 0)
    throw refuseInput('vector', 'expected finite numbers, not all of them 0');
  // The database squares in float32: of tiny and huge numbers it would find every row equally near.
  const size = 2 ** Math.min(1023, Math.floor(Math.log2(largest)));
  const floats = new Float32Array(vector.length);
  for (const [place, value] of vector.entries()) floats[place] = value / size;
  return Buffer.from(floats.buffer);
}

/** Writes numbers as one short text: as JSON, they take longer to write than to hash. */
function encodeNumbers(vector: readonly number[]): string {
  return Buffer.from(new Float64Array(vector).buffer).toString('base64');
}

/** Refuses a row of `like` that is not there, or not for this caller. */
export function refuseLike(): ServiceRefusal {
  return new ServiceRefusal('not_found', 'like: there is no such row with a vector.', { param: 'like' });
}

export function refuseInput(field: string, message: string): ServiceRefusal {
  return new ServiceRefusal('invalid_request', `${field}: ${message}`, { param: field });
}
