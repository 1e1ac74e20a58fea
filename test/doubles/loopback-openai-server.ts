import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vectorForText } from './vector-for-text.ts';

/** What the server does with one call. `embed` is the default and the only one that answers rightly. */
export type Behaviour =
  | { readonly kind: 'embed' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Headers; readonly body?: unknown }
  /** As some frameworks do: an error that quotes the input and the key. */
  | { readonly kind: 'echo'; readonly status: number }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  /** A 200 with exactly this text. */
  | { readonly kind: 'raw'; readonly body: string; readonly contentType?: string; readonly headers?: Headers }
  /** The socket is destroyed before any byte, or in the middle of the body. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'cut-body' }
  /** Valid HTTP, half of the JSON. */
  | { readonly kind: 'truncated-json' }
  /** No headers, or headers and half a body, and then nothing until the server closes. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'hang-body' }
  /** The right reply, changed. Runs on `data` after encoding. */
  | { readonly kind: 'alter'; readonly data: (data: ReplyItem[], call: LoopbackCall) => unknown }
  /** The right reply with other vectors: NaN, zero, too short. */
  | { readonly kind: 'vectors'; readonly vector: (text: string, position: number, right: Buffer) => Buffer };

export type Behave = (call: LoopbackCall, callsBefore: number) => Behaviour | Promise<Behaviour>;

type Headers = Readonly<Record<string, string>>;

export interface ReplyItem {
  object: 'embedding';
  index: number;
  embedding: string | number[];
}

export interface LoopbackCall {
  readonly texts: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}

export interface LoopbackOptions {
  readonly port?: number;
  /** Of vectors when the request does not say. */
  readonly dimensions?: number;
  /** Before every reply. */
  readonly latencyMs?: number;
  /** Awaited before a reply, for tests that decide when a call ends. */
  readonly hold?: (call: LoopbackCall, callsBefore: number) => Promise<void> | undefined;
  /** Asked once per call, with the number of calls before it. The call stays open until a promise is resolved. */
  readonly behave?: Behave;
  /** Answers floats even where base64 was asked, as some servers do. */
  readonly alwaysFloats?: boolean;
  /** Headers of every right answer, asked when it is sent. */
  readonly headers?: () => Headers;
  /** Tokens that a text is billed for; a quarter of its length where nothing counts. */
  readonly countTokens?: (text: string) => number;
  /** Off for benches: a million texts need not be kept. */
  readonly recordCalls?: boolean;
}

export interface LoopbackServer {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly calls: readonly LoopbackCall[];
  readonly callCount: number;
  readonly textCount: number;
  setBehaviour(behave: Behave): void;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** An OpenAI-compatible embeddings endpoint on 127.0.0.1 that does what it is told, for tests and benches. */
export async function startLoopbackOpenAiServer(options: LoopbackOptions = {}): Promise<LoopbackServer> {
  let behave: Behave = options.behave ?? (() => ({ kind: 'embed' }) as const);
  const calls: LoopbackCall[] = [];
  const counts = { calls: 0, texts: 0 };
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    const callsBefore = counts.calls;
    counts.calls += 1;
    counts.texts += call.texts.length;
    if (options.recordCalls !== false) calls.push(call);
    const behaviour = await behave(call, callsBefore);
    await options.hold?.(call, callsBefore);
    if (options.latencyMs) await new Promise(resolve => setTimeout(resolve, options.latencyMs));
    answer(response, behaviour, call, options);
  });
  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    get callCount() {
      return counts.calls;
    },
    get textCount() {
      return counts.texts;
    },
    setBehaviour(next) {
      behave = next;
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readCall(request: IncomingMessage): Promise<LoopbackCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  const input = body.input ?? [];
  return { texts: (Array.isArray(input) ? input : [input]) as string[], headers: request.headers, body };
}

function answer(
  response: ServerResponse,
  behaviour: Behaviour,
  call: LoopbackCall,
  options: LoopbackOptions,
): void {
  switch (behaviour.kind) {
    case 'embed':
      send(response, 200, reply(call, options), options.headers?.());
      break;
    case 'alter':
      send(response, 200, reply(call, options, { alter: behaviour.data }));
      break;
    case 'vectors':
      send(response, 200, reply(call, options, { vector: behaviour.vector }));
      break;
    case 'status':
      send(
        response,
        behaviour.status,
        JSON.stringify(
          behaviour.body ?? { error: { message: 'refused', type: null, code: null, param: null } },
        ),
        behaviour.headers,
      );
      break;
    case 'echo':
      send(response, behaviour.status, echo(call), {
        'x-request-id': encodeURIComponent(call.texts[0] ?? ''),
      });
      break;
    case 'redirect':
      send(response, behaviour.status, '', { location: behaviour.location });
      break;
    case 'raw':
      send(response, 200, behaviour.body, {
        'content-type': behaviour.contentType ?? 'application/json',
        ...behaviour.headers,
      });
      break;
    case 'truncated-json': {
      const whole = reply(call, options);
      send(response, 200, whole.slice(0, whole.length / 2));
      break;
    }
    default:
      breakOff(response, behaviour.kind, reply(call, options));
  }
}

function echo(call: LoopbackCall): string {
  const text = call.texts[0];
  const message = `bad: ${JSON.stringify(call.body)} ${call.headers.authorization}`;
  return JSON.stringify({ error: { message, code: text, type: text, param: text } });
}

function breakOff(
  response: ServerResponse,
  kind: 'reset' | 'cut-body' | 'hang' | 'hang-body',
  whole: string,
): void {
  if (kind === 'reset') response.destroy();
  if (kind === 'cut-body' || kind === 'hang-body') {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(whole),
    });
    response.write(whole.slice(0, whole.length / 2), () => {
      if (kind === 'cut-body') response.destroy();
    });
  }
}

function send(response: ServerResponse, status: number, body: string, headers: Headers = {}): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': 'req_loopback',
    ...headers,
  });
  response.end(body);
}

function reply(
  call: LoopbackCall,
  options: LoopbackOptions,
  change: {
    readonly alter?: (data: ReplyItem[], call: LoopbackCall) => unknown;
    readonly vector?: (text: string, position: number, right: Buffer) => Buffer;
  } = {},
): string {
  const dimensions =
    typeof call.body.dimensions === 'number' ? call.body.dimensions : (options.dimensions ?? 1536);
  const inBase64 = call.body.encoding_format === 'base64' && !options.alwaysFloats;
  const data = call.texts.map((text, index): ReplyItem => {
    const right = vectorForText(text, dimensions);
    const bytes = change.vector?.(text, index, right) ?? right;
    return { object: 'embedding', index, embedding: inBase64 ? bytes.toString('base64') : toFloats(bytes) };
  });
  const countTokens = options.countTokens ?? (text => Math.ceil(text.length / 4));
  const tokens = call.texts.reduce((sum, text) => sum + countTokens(text), 0);
  return JSON.stringify({
    object: 'list',
    data: change.alter ? change.alter(data, call) : data,
    model: call.body.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

function toFloats(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, position) => bytes.readFloatLE(position * 4));
}
