import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { Agent } from 'undici';
import { FreshetError } from '../../core/errors.ts';
import { BytePieces } from '../../core/vectors.ts';
import { createGuardedLookup, type ResolveName } from './addresses.ts';

/** The one way out for all providers that speak HTTP. */
export interface Network {
  /**
   * Sends `body` and reads the whole answer, whatever its status.
   * Redirects are answers like any other.
   * @throws FreshetError for an answer over the bound, and for one that cannot be unpacked;
   * otherwise the error of undici, which must not travel on
   */
  post(request: PostRequest): Promise<PostAnswer>;
  close(): Promise<void>;
}

interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
  /** Bound of the answer's body, unpacked. */
  readonly maxAnswerBytes: number;
}

export interface PostAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** The body in the pieces in which it came; they are the caller's own. */
  readonly body: BytePieces;
}

export interface AnswerHeaders {
  get(name: string): string | null;
}

/** Longer than any deadline of ours: undici's timers only end calls that nothing else ended. */
const LAST_RESORT_MS = 660_000;
/** Drops idle connections before load balancers do, usually after 60 s. */
const IDLE_MS = 30_000;

const UNPACK = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
} as const;

/**
 * Opens a network that keeps and shares its connections; undici is loaded at the first call.
 * @param resolve replaces the system's resolver
 */
export function openNetwork(resolve?: ResolveName): Network {
  let opening: Promise<Agent> | undefined;
  const open = () => {
    opening ??= openAgent(resolve);
    return opening;
  };
  return {
    async post(request) {
      const agent = await open();
      const { origin, pathname, search } = new URL(request.url);
      const answer = await agent.request({
        origin,
        path: pathname + search,
        method: 'POST',
        headers: { ...request.headers, 'accept-encoding': 'identity' },
        body: request.body,
        signal: request.signal,
      });
      const headers = readHeaders(answer.headers);
      const packed = await collect(answer.body, request.maxAnswerBytes);
      return {
        status: answer.statusCode,
        headers,
        body: await unpack(packed, headers.get('content-encoding'), request.maxAnswerBytes),
      };
    },
    async close() {
      await (await opening)?.close();
    },
  };
}

async function openAgent(resolve: ResolveName | undefined): Promise<Agent> {
  // A bundle gives only the default export of a CommonJS module that is loaded lazily.
  const { default: undici } = await import('undici');
  return new undici.Agent({
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    headersTimeout: LAST_RESORT_MS,
    bodyTimeout: LAST_RESORT_MS,
    connect: { lookup: createGuardedLookup(resolve) },
  });
}

async function collect(body: AsyncIterable<Buffer>, maxBytes: number): Promise<BytePieces> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop destroys the stream and its socket.
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return new BytePieces(chunks);
}

/** Unpacks a body. Nothing packed was asked for, but proxies pack all the same. */
async function unpack(
  body: BytePieces,
  encoding: string | null,
  maxOutputLength: number,
): Promise<BytePieces> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '' || body.length === 0) return body;
  if (!Object.hasOwn(UNPACK, name)) throw unreadable();
  try {
    const unpacked = await UNPACK[name as keyof typeof UNPACK](body.toBuffer(), { maxOutputLength });
    return new BytePieces([unpacked]);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : unreadable();
  }
}

function readHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): AnswerHeaders {
  return {
    get: name => {
      const value = headers[name.toLowerCase()];
      return (Array.isArray(value) ? value[0] : value) ?? null;
    },
  };
}

function tooLarge(): FreshetError {
  return new FreshetError('The provider answered more bytes than any right answer has.', {
    failureClass: 'transient',
    code: 'reply_too_large',
  });
}

function unreadable(): FreshetError {
  return new FreshetError('The provider answered in an encoding that cannot be unpacked.', {
    failureClass: 'transient',
    code: 'invalid_reply',
  });
}

/**
 * Finds the first code of the network along the causes of an error.
 * Words of a service are no codes. `fetch failed` was caused by `ECONNREFUSED`, for example, and
 * `terminated` by `UND_ERR_SOCKET`.
 */
export function findNetworkCode(error: unknown): string | undefined {
  let cause: unknown = error;
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth += 1) {
    const { code, cause: next } = cause as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
    cause = next;
  }
  return undefined;
}
