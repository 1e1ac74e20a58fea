import type { OpenAI } from 'openai';
import { FreshetError } from '../../core/errors.ts';
import { BytePieces } from '../../core/vectors.ts';
import type { VersionedAddress } from '../network/addresses.ts';
import type { AnswerHeaders, Network, PostAnswer } from '../network/open-network.ts';
import { type JsonAnswer, type JsonRequest, postText, readRequestId } from '../network/post-json.ts';
import { invalidReply } from './json-provider.ts';
import { type TakenVectors, takeVectors } from './openai-vectors.ts';

/** What a 2xx carried, and the vectors that were taken out of its text before it was parsed. */
interface OpenAiAnswer extends JsonAnswer {
  readonly vectors: TakenVectors['vectors'];
}

/** One call beside the package: what our transport must know, and what it learned. */
interface Exchange {
  readonly request: JsonRequest;
  headers?: AnswerHeaders;
  vectors?: TakenVectors['vectors'];
  failure?: FreshetError;
}

/** Statuses of success that `Response` allows no body for. */
const BODILESS = new Set([204, 205]);
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** Longer than any deadline of ours, which ends a call first. */
const LAST_RESORT_MS = 660_000;

/**
 * Sends requests through the package `openai`, which is loaded at the first of them.
 * The package builds the request and parses the answer. The sending is ours: bounded, without
 * redirects, and with failures that are classified as for every other provider.
 */
export function createOpenAiSender(
  address: VersionedAddress,
  network: Network,
): (request: JsonRequest) => Promise<OpenAiAnswer> {
  let opening: Promise<OpenAI> | undefined;
  return async request => {
    opening ??= openClient(address, network);
    const client = await opening;
    const exchange: Exchange = { request };
    try {
      // The package asks for base64 where it is told nothing, and sends the options' body where
      // there is one.
      const named = { encoding_format: 'float', ...request.body } as OpenAI.EmbeddingCreateParams;
      const json: unknown = await client.embeddings.create(named, {
        body: request.body,
        signal: request.signal,
        fetchOptions: { exchange } as object,
      });
      return { json, headers: exchange.headers ?? new Headers(), vectors: exchange.vectors ?? new Map() };
    } catch (error) {
      if (exchange.failure !== undefined) throw exchange.failure;
      if (error instanceof SyntaxError) throw invalidReply(readRequestId(exchange.headers));
      throw error;
    }
  };
}

/**
 * Makes a client that is told everything.
 * The package reads `OPENAI_*` variables for whatever it is not told, and adds
 * `OPENAI_CUSTOM_HEADERS` to every request: the headers that are sent are ours alone.
 */
async function openClient({ baseUrl, apiVersion }: VersionedAddress, network: Network): Promise<OpenAI> {
  const { OpenAI: Client } = await import('openai');
  // Azure takes a bearer token for one of Entra, and refuses it.
  const keyHeader = apiVersion === undefined ? undefined : 'api-key';
  try {
    return new Client({
      apiKey: 'none',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      baseURL: baseUrl,
      defaultQuery: apiVersion === undefined ? undefined : { 'api-version': apiVersion },
      maxRetries: 0,
      timeout: LAST_RESORT_MS,
      logLevel: 'off',
      fetch: async (url, init) => {
        const { exchange, body, signal } = init as {
          readonly exchange: Exchange;
          readonly body: string;
          readonly signal: AbortSignal;
        };
        try {
          const request = { ...exchange.request, keyHeader, signal };
          const answer = await postText(network, String(url), body, request);
          exchange.headers = answer.headers;
          return toResponse(answer, exchange);
        } catch (error) {
          // The package would wrap the error, and tells time-outs by the words of its message.
          if (error instanceof FreshetError) exchange.failure = error;
          throw error;
        }
      },
    });
  } catch {
    throw new FreshetError(
      'The openai client could not be made; OPENAI_CUSTOM_HEADERS may be malformed: unset it.',
      { failureClass: 'stop', code: 'client_setup' },
    );
  }
}

/**
 * Wraps an answer for the package.
 * The package reads the answer as JSON, whatever type the server claims. The body is here already.
 * As the body of a `Response` it would go through a stream, copied three times and decoded by a
 * slower decoder (12 ms of CPU per 1,000 vectors of 1536 dimensions).
 */
function toResponse({ status, body }: PostAnswer, exchange: Exchange): Response {
  const response = new Response(null, { status, headers: { 'content-type': 'application/json' } });
  return Object.assign(response, {
    async text() {
      if (BODILESS.has(status)) return '';
      const { text, vectors } = takeVectors(stripByteOrderMark(body));
      exchange.vectors = vectors;
      return text;
    },
  });
}

/** Takes the byte order mark from a body, as a `Response` does. */
function stripByteOrderMark(body: BytePieces): BytePieces {
  const [first] = body.pieces;
  if (first === undefined || first[0] !== BYTE_ORDER_MARK[0]) return body;
  const whole = body.toBuffer();
  const isMarked = whole.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return new BytePieces([isMarked ? whole.subarray(BYTE_ORDER_MARK.length) : whole]);
}
