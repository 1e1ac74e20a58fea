import type { OpenAI } from 'openai';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { BytePieces } from '../../core/vectors/byte-pieces.ts';
import type { Network, PostAnswer } from '../network/open-network.ts';
import { composeHeaders } from '../network/post-json.ts';
import { type TakenVectors, takeVectors } from './take-vectors.ts';

/** What a call tells our own transport through the package's `fetchOptions`. */
export interface PostOptions {
  readonly key: string;
  readonly maxAnswerBytes: number;
  /** Hears of the vectors that were taken out of the answer's text before it is parsed. */
  readonly onTaken: (vectors: TakenVectors['vectors']) => void;
}

/** Statuses that `Response` allows no body for. */
const BODILESS = new Set([204, 205, 304]);
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const HEADERS_PASSED = [
  'x-request-id',
  'x-should-retry',
  'retry-after',
  'retry-after-ms',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
];

/**
 * The package reads `OPENAI_*` variables for whatever it is not told, and adds `OPENAI_CUSTOM_HEADERS` to every request: so everything
 * is told, and the headers are ours. It builds the request and reads the answer; the sending is ours, bounded and without redirects.
 */
export async function openClient(baseUrl: string, network: Network): Promise<OpenAI> {
  const { OpenAI: Client } = await import('openai');
  try {
    return new Client({
      apiKey: 'none',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      baseURL: baseUrl,
      maxRetries: 0,
      logLevel: 'off',
      fetch: async (url, init) => {
        const { key, maxAnswerBytes, onTaken, body, signal } = init as PostOptions & {
          readonly body: string;
          readonly signal: AbortSignal;
        };
        const answer = await network.post({
          url: String(url),
          headers: composeHeaders(key),
          body,
          signal,
          maxAnswerBytes,
        });
        return toResponse(answer, onTaken);
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
 * Whatever type the server claims, the body is read as JSON: what is none is refused then. It is here already: as the body of a `Response` it
 * would go through a stream, copied three times and decoded by a slower decoder (12 ms of CPU per 1,000 vectors of 1536 dimensions).
 */
function toResponse({ status, headers, body }: PostAnswer, onTaken: PostOptions['onTaken']): Response {
  const passed = new Headers({ 'content-type': 'application/json' });
  for (const name of HEADERS_PASSED) {
    const value = headers.get(name);
    if (value !== null) passed.set(name, value);
  }
  const response = new Response(null, { status, headers: passed });
  return Object.assign(response, {
    async text() {
      if (BODILESS.has(status)) return '';
      const { text, vectors } = takeVectors(withoutMark(body));
      onTaken(vectors);
      return text;
    },
  });
}

/** As a `Response` reads its body: without a byte order mark. */
function withoutMark(body: BytePieces): BytePieces {
  const [first] = body.pieces;
  if (first === undefined || first[0] !== BYTE_ORDER_MARK[0]) return body;
  const whole = body.toBuffer();
  const isMarked = whole.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return new BytePieces([isMarked ? whole.subarray(BYTE_ORDER_MARK.length) : whole]);
}
