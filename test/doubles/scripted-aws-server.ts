import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { AwsAccess } from '../../lib/adapters/aws/client-settings.ts';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** 1 for the first connection that the server saw. */
  readonly connection: number;
}

export type Reply = (response: ServerResponse, request: ReceivedRequest) => void;

export interface ScriptedAwsServer {
  /** For a client that waits: a machine that stands still for a moment is no server that is silent. */
  readonly access: AwsAccess;
  /** For a client that takes silence for no answer, where silence is what a test is about. */
  readonly hurried: AwsAccess;
  readonly requests: readonly ReceivedRequest[];
  close(): Promise<void>;
}

/** A server on the loopback address that gives these replies, one per request and the last one for ever. */
export async function startScriptedAwsServer(replies: readonly Reply[]): Promise<ScriptedAwsServer> {
  const requests: ReceivedRequest[] = [];
  const connections = new Map<Socket, number>();
  const server = createServer(async (incoming, response) => {
    const { method = '', url: path = '', headers, socket } = incoming;
    const connection = connections.get(socket) ?? 0;
    const request = { method, path, headers, body: Buffer.concat(await incoming.toArray()), connection };
    requests.push(request);
    replies[Math.min(requests.length, replies.length) - 1]?.(response, request);
  });
  server.on('connection', socket => connections.set(socket, connections.size + 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const access = {
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  return {
    access: { ...access, requestTimeoutMs: 20_000 },
    hurried: { ...access, requestTimeoutMs: 500 },
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const resetConnection: Reply = response => void response.socket?.resetAndDestroy();

export const neverAnswer: Reply = () => {};

/** S3's form of an error. The message and the extra fields stand for what a service may echo. */
export const replyWithXmlError =
  (status: number, code: string): Reply =>
  response => {
    response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': 'REQUEST1' });
    response.end(`<Error><Code>${code}</Code><Message>secret words</Message><Key>secret words</Key></Error>`);
  };

/** The form of the services that speak JSON. */
export const replyWithJsonError =
  (status: number, code: string): Reply =>
  response => {
    response.writeHead(status, {
      'content-type': 'application/x-amz-json-1.0',
      'x-amzn-requestid': 'request-1',
    });
    response.end(JSON.stringify({ __type: `com.amazonaws#${code}`, message: 'secret words' }));
  };

export const replyWithJson =
  (body: (request: ReceivedRequest) => unknown): Reply =>
  (response, request) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(body(request)));
  };
