import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import type { CountedRun, Traffic } from '../../lib/core/aws-cost.ts';

export interface CountedRequest {
  readonly method: string;
  /** The action where the service is SQS, such as `SendMessageBatch`; elsewhere the path. */
  readonly action: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

interface CountingServer {
  /** The address that stands in for `target`. */
  readonly endpoint: string;
  /** Every request that passed, repeats included. Whoever has read them empties the list. */
  readonly requests: CountedRequest[];
  close(): Promise<void>;
}

/** Passes every request on to `target` (`http://host:port`), and counts the bytes of bodies. */
export async function countRequests(target: string): Promise<CountingServer> {
  const requests: CountedRequest[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = await readAll(incoming);
    const { method = 'GET', url = '/', headers } = incoming;
    const passed = send(new URL(url, target), { method, headers }, async answer => {
      const answered = await readAll(answer);
      requests.push({
        method,
        action: String(headers['x-amz-target'] ?? url).replace('AmazonSQS.', ''),
        requestBytes: body.length,
        responseBytes: answered.length,
      });
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(answered);
    });
    passed.on('error', () => outgoing.destroy());
    passed.end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Bytes that SQS bills as one request. */
const PIECE_BYTES = 64 * 1024;

/** Requests of S3 have a path in place of an action. */
const isS3 = ({ action }: CountedRequest) => action.startsWith('/');

export function sumRequests(requests: readonly CountedRequest[]): Pick<CountedRun, 's3' | 'sqs'> {
  return {
    sqs: countActions(requests.filter(request => !isS3(request))),
    s3: countObjects(requests.filter(isS3)),
  };
}

export function sumQueueTraffic(requests: readonly CountedRequest[]): Traffic {
  return sumTraffic(requests.filter(request => !isS3(request)));
}

export function sumTraffic(requests: readonly CountedRequest[]): Traffic {
  return {
    sentBytes: requests.reduce((sum, { requestBytes }) => sum + requestBytes, 0),
    receivedBytes: requests.reduce((sum, { responseBytes }) => sum + responseBytes, 0),
  };
}

function countActions(requests: readonly CountedRequest[]): CountedRun['sqs'] {
  const counts: Record<string, { requests: number; pieces: number }> = {};
  for (const { action, requestBytes, responseBytes } of requests) {
    const bytes = action === 'ReceiveMessage' ? responseBytes : requestBytes;
    counts[action] ??= { requests: 0, pieces: 0 };
    counts[action].requests += 1;
    counts[action].pieces += Math.max(1, Math.ceil(bytes / PIECE_BYTES));
  }
  return counts;
}

function countObjects(requests: readonly CountedRequest[]): CountedRun['s3'] {
  const puts = requests.filter(({ method }) => method === 'PUT');
  const gets = requests.filter(({ method }) => method === 'GET');
  const deletes = requests.filter(({ method }) => method === 'DELETE');
  const placeOf = ({ action }: CountedRequest) => action.split('?')[0];
  const deleted = new Set(deletes.map(placeOf));
  return {
    puts: puts.length,
    gets: gets.length,
    deletes: deletes.length,
    putBytes: sumTraffic(puts).sentBytes,
    getBytes: sumTraffic(gets).receivedBytes,
    keptBytes: sumTraffic(puts.filter(put => !deleted.has(placeOf(put)))).sentBytes,
  };
}

/**
 * The methods of PGlite that carry messages of PostgreSQL's protocol.
 * A socket would carry the same bytes.
 */
interface Protocol {
  execProtocol(message: Uint8Array, ...rest: unknown[]): Promise<{ messages: readonly { length: number }[] }>;
  execProtocolStream(message: Uint8Array, ...rest: unknown[]): Promise<readonly { length: number }[]>;
}

/** The byte before a message's length, which says what the message is. */
const TYPE_BYTES = 1;

/** Counts the protocol's bytes of every embedded database of this process, until `stop`. */
export function countDatabaseBytes(): { read(): Traffic; stop(): void } {
  const protocol = PGlite.prototype as unknown as Protocol;
  const { execProtocol, execProtocolStream } = protocol;
  let sentBytes = 0;
  let receivedBytes = 0;
  const count = (message: Uint8Array, answers: readonly { length: number }[]) => {
    sentBytes += message.length;
    for (const { length } of answers) receivedBytes += length + TYPE_BYTES;
  };
  protocol.execProtocol = async function (message, ...rest) {
    const result = await execProtocol.call(this, message, ...rest);
    count(message, result.messages);
    return result;
  };
  protocol.execProtocolStream = async function (message, ...rest) {
    const messages = await execProtocolStream.call(this, message, ...rest);
    count(message, messages);
    return messages;
  };
  return {
    read: () => ({ sentBytes, receivedBytes }),
    stop: () => Object.assign(protocol, { execProtocol, execProtocolStream }),
  };
}
