import { type Failure, postTo, type RequestOptions, readFailure, send } from './client-requests.ts';
import type {
  EmbedRequestBody,
  EmbedResponseBody,
  NudgeRequestBody,
  SearchJobRequestBody,
  SearchJobResponseBody,
  SearchRequestBody,
  SearchResponseBody,
} from './schemas.ts';

export { embedItem, embedItems, eraseItems, ItemError, readErasure, readJob } from './client-items.ts';

/** Who asks: a person who waits (`rt`), or a job with many texts (`bulk`). */
type EmbedProfile = 'rt' | 'bulk';

/** How `embedTexts` asks. */
export interface EmbedOptions {
  /** Where `freshet serve` listens; in a browser, '' is the page's own address. */
  readonly url: string;
  /** `rt`: the texts are queries, served first. `bulk`: they are documents. */
  readonly profile: EmbedProfile;
  /** Aliases in the order in which they are tried. Each has vectors of its own space. */
  readonly models: readonly string[];
  /** A second service of the same models, which is asked where the first one cannot answer. */
  readonly fallbackUrl?: string | undefined;
  /** The bearer token, where the service asks for one. */
  readonly token?: string | undefined;
  /** Whether texts over the model's limit are cut. Undefined: they are refused. */
  readonly truncate?: boolean | undefined;
  /** Milliseconds of one try. Undefined: 10 s for `rt`, 60 s for `bulk`. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a service answered, and who did. */
export interface EmbeddedTexts {
  /** One vector per text, in their order. */
  readonly vectors: readonly (readonly number[])[];
  /** Search only vectors that were made by this model: spaces never mix. */
  readonly model: string;
  readonly revision: string;
  readonly dimensions: number;
  readonly tokens: number;
}

/** Why no service embedded the texts. It holds none of them. */
export class EmbedTextsError extends Error {
  override readonly name = 'EmbedTextsError';
  /** The status of the last answer; 0 where none came. */
  readonly status: number;
  /** The code of the last answer, as `rate_limited`; `unreachable` or `timeout` where none came. */
  readonly code: string;
  /** Seconds after which the same call may succeed. Undefined: nobody knows. */
  readonly retryAfterSeconds: number | undefined;

  constructor(failure: Failure) {
    super(`The texts were not embedded: ${failure.message}`);
    this.status = failure.status;
    this.code = failure.code;
    this.retryAfterSeconds = failure.retryAfterSeconds;
  }
}

/** Where `search` asks, and for how long. */
export type SearchOptions = RequestOptions;

/** Why the service answered no hits. It holds neither the text nor a value of the filter. */
export class SearchError extends Error {
  override readonly name = 'SearchError';
  /** The status; 0: no answer came. 409: the cursor is of vectors that were replaced. */
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor({ status, code, message, retryAfterSeconds }: Failure) {
    super(`The search failed: ${message}`);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Searches the rows of a source by a text, a vector, or the id of a row.
 * The answer says how far to trust it: `exact`, `coverage_percent`, `stale`.
 * @throws SearchError where the service refused or did not answer
 * @throws the reason of `signal` where it aborts
 */
export async function search(
  request: SearchRequestBody,
  options: SearchOptions,
): Promise<SearchResponseBody> {
  const { timeoutMs = TIMEOUTS_MS.rt } = options;
  const { response, json } = await send('/v1/search', request, { ...options, timeoutMs });
  const { hits } = Object(json) as { readonly hits?: unknown };
  if (response?.ok === true && Array.isArray(hits)) return json as SearchResponseBody;
  throw new SearchError(readFailure(response, json));
}

/**
 * Lets a search run that takes long, of up to 1,000 hits: `readSearchJob` fetches what it found.
 * @throws SearchError where the service refused or did not answer
 */
export function searchAsJob(
  request: SearchJobRequestBody,
  options: SearchOptions,
): Promise<SearchJobResponseBody> {
  return askJob('/v1/jobs/search', request, options, 'POST');
}

/** Asks how a search stands, for a day after it was asked for. As `searchAsJob`. */
export function readSearchJob(jobId: string, options: SearchOptions): Promise<SearchJobResponseBody> {
  return askJob(`/v1/jobs/${encodeURIComponent(jobId)}`, undefined, options, 'GET');
}

async function askJob(
  path: string,
  body: object | undefined,
  options: SearchOptions,
  method: 'POST' | 'GET',
): Promise<SearchJobResponseBody> {
  const { timeoutMs = TIMEOUTS_MS.rt } = options;
  const { response, json } = await send(path, body, { ...options, timeoutMs }, method);
  const { job_id: jobId } = Object(json) as { readonly job_id?: unknown };
  if (response?.ok === true && typeof jobId === 'string') return json as SearchJobResponseBody;
  throw new SearchError(readFailure(response, json));
}

const TIMEOUTS_MS: Readonly<Record<EmbedProfile, number>> = { rt: 10_000, bulk: 60_000 };

/** Texts of one request; a longer list is sent in several, one after the other. */
const TEXTS_PER_REQUEST = 100;

/**
 * Embeds texts by the model and the prefix that the rows of an application were embedded with.
 * The models are tried in their order, each at `url` and then at `fallbackUrl`. Only what another
 * service or model can do better is tried again: a refused text or token is refused everywhere. All
 * vectors of a call are of one model.
 * @throws EmbedTextsError where no service embedded them
 * @throws the reason of `signal` where it aborts
 */
export async function embedTexts(texts: readonly string[], options: EmbedOptions): Promise<EmbeddedTexts> {
  const urls = [options.url, ...(options.fallbackUrl === undefined ? [] : [options.fallbackUrl])];
  let last: Failure | undefined;
  for (const model of options.models) {
    for (const url of urls) {
      const answer = await embedAll(url, model, texts, options);
      if ('vectors' in answer) return answer;
      last = answer;
      if (!isTriedElsewhere(answer)) throw new EmbedTextsError(answer);
    }
  }
  throw new EmbedTextsError(
    last ?? { status: 0, code: 'no_model', message: 'models is empty', retryAfterSeconds: undefined },
  );
}

interface NudgeOptions {
  /** Where `freshet serve` listens. */
  readonly url: string;
  /** Keys of the rows that changed. A look finds them, and all others, by itself. */
  readonly ids?: readonly string[] | undefined;
  readonly token?: string | undefined;
  /** Undefined: 2 s. */
  readonly timeoutMs?: number | undefined;
}

const NUDGE_MS = 2000;
const IDS_PER_NUDGE = 1000;

/**
 * Asks the runs that watch a source to look now, after the transaction that changed rows.
 * Resolves with whether the service took it, and never rejects: a nudge that is lost harms nothing,
 * because the next look finds the same rows.
 */
export async function nudge(source: string, options: NudgeOptions): Promise<boolean> {
  const { url, ids, token, timeoutMs = NUDGE_MS } = options;
  const body: NudgeRequestBody = { source, ...(ids && { ids: ids.slice(0, IDS_PER_NUDGE) }) };
  const sent = await postTo(url, '/v1/nudge', 'POST', body, token, AbortSignal.timeout(timeoutMs)).catch(
    () => undefined,
  );
  await sent?.body?.cancel().catch(() => undefined);
  return sent?.ok ?? false;
}

/** Whether another service or model may answer where this one did not. */
function isTriedElsewhere({ status, code }: Failure): boolean {
  return status === 0 || status === 429 || status >= 500 || code === 'model_not_found';
}

async function embedAll(
  url: string,
  model: string,
  texts: readonly string[],
  options: EmbedOptions,
): Promise<EmbeddedTexts | Failure> {
  const vectors: (readonly number[])[] = [];
  let described: EmbedResponseBody | undefined;
  let tokens = 0;
  for (let start = 0; start < Math.max(1, texts.length); start += TEXTS_PER_REQUEST) {
    const answer = await post(url, model, texts.slice(start, start + TEXTS_PER_REQUEST), options);
    if ('code' in answer) return answer;
    described = answer;
    tokens += answer.tokens;
    vectors.push(...answer.vectors);
  }
  const { revision, dim: dimensions } = described!;
  return { vectors, model, revision, dimensions, tokens };
}

async function post(
  url: string,
  model: string,
  texts: readonly string[],
  options: EmbedOptions,
): Promise<EmbedResponseBody | Failure> {
  const { profile, token, truncate, signal, timeoutMs = TIMEOUTS_MS[profile] } = options;
  const body: EmbedRequestBody = {
    ...{ model, texts: [...texts], normalize: true },
    input_type: profile === 'rt' ? 'query' : 'document',
    ...(truncate === undefined ? {} : { truncate }),
  };
  const { response, json } = await send('/v1/embed', body, { url, token, timeoutMs, signal });
  return response?.ok === true && isAnswer(json, texts.length) ? json : readFailure(response, json);
}

function isAnswer(json: unknown, count: number): json is EmbedResponseBody {
  const { vectors } = Object(json) as { readonly vectors?: unknown };
  return Array.isArray(vectors) && vectors.length === count;
}
