import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vectorForText } from './vector-for-text.ts';

/** What becomes of one batch. Each number counts polls of that batch. */
export interface BatchFate {
  /** Polls that find it at work before it ends. */
  readonly polls: number;
  readonly end: 'completed' | 'expired' | 'cancelled' | 'failed' | 'never';
  /** The error of a batch that failed as a whole. */
  readonly code?: string;
  /** What each text came to, by its place. `skipped` texts cost nothing. */
  readonly answerOf?: (place: number) => 'embedded' | 'refused' | 'skipped' | 'status-0' | 'zero-vector';
  /** Polls after the end that do not name the files yet. */
  readonly lateFiles?: number;
  /** Every line stands twice in the file. */
  readonly doubled?: boolean;
  /** Lines in another order than they were sent. */
  readonly shuffled?: boolean;
  /** Says that it completed more than its files hold. */
  readonly boasts?: boolean;
}

/** What becomes of one request. `lost-answer`: it is done, and the connection breaks. */
export type RequestFate = 'well' | 'lost-answer' | 'lost-request' | 'status-502' | 'status-429' | 'cut';

type RequestKind = 'upload' | 'create' | 'list' | 'list-files' | 'poll' | 'cancel' | 'content' | 'delete';

export interface BatchServiceOptions {
  readonly fateOf: (batchNumber: number) => BatchFate;
  readonly requestFate?: (kind: RequestKind) => RequestFate;
  /** Lists that do not show a batch yet after it was created. */
  readonly listLag?: () => number;
  /** Tokens that unfinished batches may hold together. */
  readonly maxEnqueuedTokens?: number;
}

interface ServedBatch {
  readonly id: string;
  readonly fileId: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly texts: readonly { readonly id: string; readonly text: string; readonly dimensions: number }[];
  readonly tokens: number;
  readonly fate: BatchFate;
  polls: number;
  hiddenLists: number;
  status: string;
  outputId: string | null;
  errorId: string | null;
  completed: number;
}

export interface BatchService {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly batches: readonly ServedBatch[];
  /** How often each text was embedded, and with it billed. */
  readonly billed: ReadonlyMap<string, number>;
  readonly billedTokens: () => number;
  /** The most tokens that were enqueued at any time. */
  readonly mostEnqueuedTokens: () => number;
  /** Files that nobody deleted. */
  readonly files: ReadonlyMap<string, string>;
  readonly requests: readonly RequestKind[];
  close(): Promise<void>;
}

export const tokensOf = (text: string): number => Math.ceil(text.length / 4);

/**
 * Serves OpenAI's files and batches on 127.0.0.1, with every state and every lie that was seen.
 *
 * It is written from the API's description and shares no code with the product. It bills a text when
 * it embeds it, whether anybody ever reads the result or not.
 */
export async function startBatchService(options: BatchServiceOptions): Promise<BatchService> {
  const files = new Map<string, string>();
  const names = new Map<string, string>();
  const batches: ServedBatch[] = [];
  const billed = new Map<string, number>();
  const requests: RequestKind[] = [];
  let tokensBilled = 0;
  let mostEnqueued = 0;
  let numbers = 0;
  const nextId = (prefix: string) => {
    numbers += 1;
    return `${prefix}_${String(numbers).padStart(6, '0')}`;
  };
  const isOpen = ({ status }: ServedBatch) =>
    ['validating', 'in_progress', 'finalizing', 'cancelling'].includes(status);
  const enqueued = () => batches.filter(isOpen).reduce((sum, { tokens }) => sum + tokens, 0);

  const finish = (batch: ServedBatch, status: string) => {
    batch.status = status;
    if (status === 'failed') return;
    const output: string[] = [];
    const errors: string[] = [];
    for (const [place, { id, text, dimensions }] of batch.texts.entries()) {
      const answer = batch.fate.answerOf?.(place) ?? 'embedded';
      const line = (response: unknown, error: unknown = null) =>
        JSON.stringify({ id: `batch_req_${place}`, custom_id: id, response, error });
      if (answer === 'skipped') {
        if (status === 'expired') errors.push(line(null, { code: 'batch_expired', message: 'late' }));
        continue;
      }
      if (answer === 'refused') {
        errors.push(
          line({ status_code: 400, request_id: 'r', body: { error: { code: 'invalid', message: text } } }),
        );
        continue;
      }
      if (answer === 'status-0') {
        output.push(line({ status_code: 0, request_id: '', body: null }));
        continue;
      }
      billed.set(text, (billed.get(text) ?? 0) + 1);
      tokensBilled += tokensOf(text);
      batch.completed += 1;
      const right = vectorForText(text, dimensions);
      const embedding = (answer === 'zero-vector' ? Buffer.alloc(right.length) : right).toString('base64');
      const usage = { prompt_tokens: tokensOf(text), total_tokens: tokensOf(text) };
      const body = { object: 'list', data: [{ object: 'embedding', index: 0, embedding }], usage };
      const whole = line({ status_code: 200, request_id: `req-${place}`, body });
      output.push(...(batch.fate.doubled ? [whole, whole] : [whole]));
    }
    if (batch.fate.shuffled) output.reverse();
    if (output.length > 0) batch.outputId = store(output.join('\n'));
    if (errors.length > 0) batch.errorId = store(`${errors.join('\n')}\n`);
  };
  const store = (content: string) => {
    const id = nextId('file');
    files.set(id, content);
    return id;
  };

  const create = (body: { input_file_id: string; metadata?: Record<string, string> }) => {
    const input = files.get(body.input_file_id);
    if (input === undefined) return { status: 400, error: 'invalid_request_error' };
    const lines = input.split('\n').filter(line => line !== '');
    const texts = lines.map(line => {
      const { custom_id: id, body: request } = JSON.parse(line);
      return { id, text: request.input as string, dimensions: (request.dimensions as number) ?? 4 };
    });
    const tokens = texts.reduce((sum, { text }) => sum + tokensOf(text), 0);
    const isTooMuch = enqueued() + tokens > (options.maxEnqueuedTokens ?? Number.POSITIVE_INFINITY);
    const planned = options.fateOf(batches.length);
    const fate: BatchFate = isTooMuch ? { polls: 0, end: 'failed', code: 'token_limit_exceeded' } : planned;
    const batch: ServedBatch = {
      ...{ id: nextId('batch'), fileId: body.input_file_id, metadata: body.metadata, texts, tokens, fate },
      ...{ polls: 0, hiddenLists: options.listLag?.() ?? 0, status: 'validating' },
      ...{ outputId: null, errorId: null, completed: 0 },
    };
    batches.push(batch);
    if (!isTooMuch) mostEnqueued = Math.max(mostEnqueued, enqueued());
    return { status: 200, batch };
  };

  const poll = (batch: ServedBatch) => {
    batch.polls += 1;
    const { fate, status } = batch;
    if (isOpen(batch)) {
      if (status === 'cancelling') finish(batch, 'cancelled');
      else if (fate.end !== 'never' && batch.polls > fate.polls) finish(batch, fate.end);
      else batch.status = 'in_progress';
    }
    return describe(batch);
  };

  const describe = (batch: ServedBatch) => {
    const { fate } = batch;
    const isShown = isOpen(batch) || batch.polls > fate.polls + 1 + (fate.lateFiles ?? 0) || !fate.lateFiles;
    return {
      ...{ id: batch.id, object: 'batch', status: batch.status, metadata: batch.metadata },
      ...{ input_file_id: batch.fileId, endpoint: '/v1/embeddings', completion_window: '24h' },
      output_file_id: isShown ? batch.outputId : null,
      error_file_id: isShown ? (batch.errorId ?? '') : '',
      errors:
        batch.status === 'failed' ? { data: [{ code: fate.code ?? 'invalid_json_line', line: 1 }] } : null,
      request_counts: {
        total: batch.texts.length,
        completed: batch.completed + (fate.boasts ? 1 : 0),
        failed: batch.texts.length - batch.completed,
      },
    };
  };

  const routes = async (request: IncomingMessage, kind: RequestKind, id: string, body: Buffer) => {
    if (kind === 'upload') {
      const text = body.toString('utf8');
      const name = /filename="([^"]+)"/.exec(text)?.[1] ?? '';
      const boundary = /boundary=(\S+)/.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
      const part = text.split(`--${boundary}`).find(piece => piece.includes('filename="')) ?? '';
      const fileId = store(part.slice(part.indexOf('\r\n\r\n') + 4).replace(/\r\n$/, ''));
      names.set(fileId, name);
      return { status: 200, json: { id: fileId, object: 'file', filename: name, purpose: 'batch' } };
    }
    if (kind === 'create') {
      const { status, batch } = create(JSON.parse(body.toString('utf8')));
      if (!batch)
        return { status, json: { error: { type: 'invalid_request_error', code: null, message: id } } };
      return { status, json: describe(batch) };
    }
    if (kind === 'list') {
      const shown = batches.filter(batch => batch.hiddenLists <= 0);
      for (const batch of batches) batch.hiddenLists -= 1;
      return {
        status: 200,
        json: { object: 'list', data: [...shown].reverse().map(describe), has_more: false },
      };
    }
    if (kind === 'list-files') {
      const data = [...names]
        .filter(([file]) => files.has(file))
        .map(([file, filename]) => ({ id: file, filename }));
      return { status: 200, json: { object: 'list', data, has_more: false } };
    }
    if (kind === 'delete') {
      if (!files.delete(id)) return notFound;
      return { status: 200, json: { id, object: 'file', deleted: true } };
    }
    if (kind === 'content') {
      const content = files.get(id);
      return content === undefined ? notFound : { status: 200, text: content };
    }
    const batch = batches.find(each => each.id === id);
    if (!batch) return notFound;
    if (kind === 'cancel') {
      if (!isOpen(batch)) return { status: 409, json: { error: { type: 'invalid_request_error' } } };
      if (batch.fate.end !== 'never') batch.status = 'cancelling';
      return { status: 200, json: describe(batch) };
    }
    return { status: 200, json: poll(batch) };
  };
  const notFound = {
    status: 404,
    json: { error: { type: 'invalid_request_error', message: 'No such File object' } },
  };

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { kind, id } = routeOf(request);
    requests.push(kind);
    const fate = options.requestFate?.(kind) ?? 'well';
    if (fate === 'lost-request') return void response.destroy();
    if (fate === 'status-502') return send(response, 502, '<html>bad gateway</html>', 'text/html');
    if (fate === 'status-429')
      return send(response, 429, '{"error":{"type":"requests","code":"rate_limit_exceeded"}}');
    const answer = await routes(request, kind, id, Buffer.concat(chunks));
    if (fate === 'lost-answer') return void response.destroy();
    const text =
      'text' in answer && answer.text !== undefined
        ? answer.text
        : JSON.stringify('json' in answer ? answer.json : {});
    if (fate === 'cut' && text.length > 20) {
      response.writeHead(200, { 'content-length': Buffer.byteLength(text) });
      return void response.write(text.slice(0, text.length / 2), () => response.destroy());
    }
    send(response, answer.status, text);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    ...{ batches, billed, files, requests },
    billedTokens: () => tokensBilled,
    mostEnqueuedTokens: () => mostEnqueued,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function routeOf(request: IncomingMessage): { readonly kind: RequestKind; readonly id: string } {
  const { pathname } = new URL(request.url ?? '', 'http://service');
  const [, , collection, id = '', action] = pathname.split('/');
  const isGet = request.method === 'GET';
  if (collection === 'files') {
    if (request.method === 'DELETE') return { kind: 'delete', id };
    if (action === 'content') return { kind: 'content', id };
    return { kind: isGet ? 'list-files' : 'upload', id };
  }
  if (action === 'cancel') return { kind: 'cancel', id };
  if (id !== '') return { kind: 'poll', id };
  return { kind: isGet ? 'list' : 'create', id };
}

function send(response: ServerResponse, status: number, body: string, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
