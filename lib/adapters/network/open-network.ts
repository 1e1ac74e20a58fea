import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { Agent, buildConnector } from 'undici';
import { FreshetError } from '../../core/errors.ts';
import { isLoopbackHost } from '../../core/providers.ts';
import { BytePieces } from '../../core/vectors.ts';
import { createGuardedLookup, type ResolveName } from './addresses.ts';
import { openProxiedAgent, type ProxiedAgent, type Proxies } from './proxies.ts';

/** The one way out for all providers that speak HTTP. */
export interface Network {
  /**
   * Sends `body` and reads the whole answer, whatever its status.
   * Redirects are answers like any other.
   * @throws FreshetError for an answer over the bound, and for one that cannot be unpacked;
   * otherwise the error of undici, which must not travel on
   */
  post(request: PostRequest): Promise<PostAnswer>;
  /**
   * Sends a request of any method, and gives its answer as it comes, whatever its status.
   * The answer is read to its end or left, and asked for unpacked.
   * @throws the error of undici, which must not travel on
   */
  stream(request: StreamRequest): Promise<StreamAnswer>;
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

interface StreamRequest extends Omit<PostRequest, 'body' | 'maxAnswerBytes'> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly body?: Buffer | undefined;
}

export interface StreamAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: AsyncIterable<Buffer>;
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
 * A proxy resolves the names of the calls that it makes, and is itself no address that is guarded.
 * This machine is never asked through a proxy, which would look for it elsewhere.
 * @param resolve replaces the system's resolver
 * @param proxies undefined: every call goes to its address
 */
export function openNetwork(resolve?: ResolveName, proxies?: Proxies): Network {
  let opening: Promise<OpenAgents> | undefined;
  const open = () => {
    opening ??= openAgents(resolve, proxies);
    return opening;
  };
  const send = async (
    request: Omit<StreamRequest, 'body'> & { readonly body?: string | Buffer | undefined },
  ) => {
    const { direct, proxied } = await open();
    const { origin, hostname, pathname, search } = new URL(request.url);
    const call = {
      origin,
      path: pathname + search,
      method: request.method,
      headers: { ...request.headers, 'accept-encoding': 'identity' },
      body: request.body ?? null,
      signal: request.signal,
    };
    if (proxied === undefined || isLoopbackHost(hostname)) return direct.request(call);
    return proxied.agent.request(call).catch(error => {
      throw proxied.explain(error) ?? error;
    });
  };
  return {
    async stream(request) {
      const answer = await send(request);
      return { status: answer.statusCode, headers: readHeaders(answer.headers), body: answer.body };
    },
    async post(request) {
      const answer = await send({ ...request, method: 'POST' });
      const headers = readHeaders(answer.headers);
      const packed = await collect(answer.body, request.maxAnswerBytes);
      return {
        status: answer.statusCode,
        headers,
        body: await unpack(packed, headers.get('content-encoding'), request.maxAnswerBytes),
      };
    },
    async close() {
      const { direct, proxied } = (await opening) ?? {};
      await Promise.all([direct?.close(), proxied?.agent.close()]);
    },
  };
}

/** Makes a network that adds headers to each request; those of the request itself win. */
export function addHeaders(network: Network, headers: Headers | (() => Promise<Headers>)): Network {
  const add = async <Request extends { readonly headers: Headers }>(request: Request) => ({
    ...request,
    headers: { ...(typeof headers === 'function' ? await headers() : headers), ...request.headers },
  });
  return {
    post: async request => network.post(await add(request)),
    stream: async request => network.stream(await add(request)),
    close: () => network.close(),
  };
}

type Headers = Readonly<Record<string, string>>;

interface OpenAgents {
  readonly direct: Agent;
  /** Undefined: there are no proxies. */
  readonly proxied: ProxiedAgent | undefined;
}

async function openAgents(
  resolve: ResolveName | undefined,
  proxies: Proxies | undefined,
): Promise<OpenAgents> {
  // A bundle gives only the default export of a CommonJS module that is loaded lazily.
  const { default: undici } = await import('undici');
  const connectBy = (protocol: 'http:' | 'https:') =>
    undici.buildConnector({ allowH2: false, lookup: createGuardedLookup(resolve, protocol) });
  const connectors = { 'http:': connectBy('http:'), 'https:': connectBy('https:') };
  const connect: buildConnector.connector = (target, callback) =>
    connectors[target.protocol === 'http:' ? 'http:' : 'https:'](target, callback);
  const options = {
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    headersTimeout: LAST_RESORT_MS,
    bodyTimeout: LAST_RESORT_MS,
  };
  return {
    direct: new undici.Agent({ ...options, connect }),
    proxied: proxies && openProxiedAgent(undici, proxies, connect, options),
  };
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
