import type { OpenAI } from 'openai';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { classifyProviderFailure } from '../../core/provider-failures.ts';
import { BytePieces } from '../../core/vectors.ts';
import type { Clock } from '../../ports/process.ts';
import type { KeySource } from '../../ports/provider.ts';
import { findNetworkCode, type Network, type StreamAnswer } from '../network/open-network.ts';
import { classifyAnswer } from '../network/post-json.ts';
import { callWithKey, withinDeadline } from './json-provider.ts';

/** A line of results is one vector: 3072 floats as decimals, and its envelope. */
const MAX_LINE_BYTES = 1024 * 1024;
const MAX_ERROR_BYTES = 256 * 1024;
/** A list of 1,000 files is a third of this. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const LAST_RESORT_MS = 660_000;

/** One request beside the package: what our transport must know, and what it learned. */
interface Exchange {
  readonly key: string;
  readonly signal: AbortSignal;
  failure?: FreshetError;
}

interface RequestOptions {
  readonly signal: AbortSignal;
  readonly fetchOptions: object;
}

interface BatchTransport {
  /** Makes one request through the package. It is neither retried nor redirected. */
  ask<Answer>(
    deadlineMs: number,
    request: (client: OpenAI, options: RequestOptions) => Promise<Answer>,
  ): Promise<Answer>;
  /** Reads a file line by line, as it comes. */
  readFile(fileId: string, deadlineMs: number): AsyncIterable<Buffer>;
}

/**
 * Opens the way to a batch service: the package `openai` upon our own network.
 * The addresses are guarded, failures are classified, and no message of the service travels on.
 * The package is loaded at the first request.
 */
export function openBatchTransport(
  baseUrl: string,
  key: KeySource | undefined,
  network: Network,
  clock: Clock,
): BatchTransport {
  let opening: Promise<OpenAI> | undefined;
  return {
    ask: (deadlineMs, request) =>
      withinDeadline({ deadlineMs }, clock, signal =>
        callWithKey(key, async token => {
          opening ??= openClient(baseUrl, network, clock);
          const exchange: Exchange = { key: token, signal };
          try {
            return await request(await opening, { signal, fetchOptions: { exchange } });
          } catch (error) {
            throw exchange.failure ?? (error instanceof FreshetError ? error : unreadableAnswer());
          }
        }),
      ),
    readFile: (fileId, deadlineMs) =>
      readLines(network, `${baseUrl}/files/${encodeURIComponent(fileId)}/content`, key, clock, deadlineMs),
  };
}

async function* readLines(
  network: Network,
  url: string,
  key: KeySource | undefined,
  clock: Clock,
  deadlineMs: number,
): AsyncIterable<Buffer> {
  const closing = new AbortController();
  const answer = await withinDeadline({ deadlineMs }, clock, signal =>
    callWithKey(key, token =>
      send(network, clock, {
        method: 'GET',
        url,
        key: token,
        signal: AbortSignal.any([signal, closing.signal]),
      }),
    ),
  );
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of answer.body) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = rest.indexOf(0x0a, start); end >= 0; end = rest.indexOf(0x0a, start)) {
        yield rest.subarray(start, end);
        start = end + 1;
      }
      rest = rest.subarray(start);
      if (rest.length > MAX_LINE_BYTES) throw unreadableAnswer();
    }
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
  } finally {
    closing.abort();
  }
  yield rest;
}

/** Makes a client that is told everything, so that no variable of the environment reaches it. */
async function openClient(baseURL: string, network: Network, clock: Clock): Promise<OpenAI> {
  const { OpenAI: Client } = await import('openai');
  return new Client({
    ...{ apiKey: 'none', adminAPIKey: null, organization: null, project: null, webhookSecret: null },
    ...{ baseURL, maxRetries: 0, timeout: LAST_RESORT_MS, logLevel: 'off' },
    fetch: async (url, init) => {
      const { exchange, method, body, signal } = init as RequestInit & { readonly exchange: Exchange };
      try {
        const content = body === undefined || body === null ? undefined : new Response(body);
        const answer = await send(network, clock, {
          method: (method ?? 'GET').toUpperCase() as 'GET' | 'POST' | 'DELETE',
          url: String(url),
          key: exchange.key,
          signal: AbortSignal.any([exchange.signal, ...(signal ? [signal] : [])]),
          content,
        });
        const text = await readAll(answer, MAX_ANSWER_BYTES);
        if (parseJson(text.toString('utf8')) === undefined) throw unreadableAnswer();
        const headers = { 'content-type': 'application/json' };
        return new Response(new Uint8Array(text), { status: 200, headers });
      } catch (error) {
        // The package would wrap the error, and tells time-outs by the words of its message.
        exchange.failure =
          error instanceof FreshetError
            ? error
            : classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
        throw exchange.failure;
      }
    },
  });
}

interface Sending {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly key: string;
  readonly signal: AbortSignal;
  /** Undefined: no body. A form is written here, with the boundary that its type names. */
  readonly content?: Response | undefined;
}

/** Sends a request and gives back the answer of a 2xx. */
async function send(network: Network, clock: Clock, sending: Sending): Promise<StreamAnswer> {
  const { method, url, key, signal, content } = sending;
  const type = content?.headers.get('content-type') ?? 'application/json';
  const answer = await network
    .stream({
      method,
      url,
      signal,
      headers: {
        accept: 'application/json',
        ...(content && { 'content-type': type.startsWith('text/plain') ? 'application/json' : type }),
        ...(key !== '' && { authorization: `Bearer ${key}` }),
      },
      body: content && Buffer.from(await content.arrayBuffer()),
    })
    .catch((error: unknown): never => {
      if (error instanceof FreshetError) throw error;
      throw classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
    });
  if (answer.status >= 200 && answer.status <= 299) return answer;
  const body = new BytePieces([await readAll(answer, MAX_ERROR_BYTES)]);
  throw classifyAnswer({ ...answer, body }, { dialect: 'openai', parameters: [], nowMs: clock.now });
}

async function readAll({ body }: StreamAnswer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw unreadableAnswer();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The failure of an answer that is none of the batch service's. */
export function unreadableAnswer(): FreshetError {
  return new FreshetError('The batch service answered something that cannot be read.', {
    failureClass: 'transient',
    code: 'invalid_reply',
  });
}
