import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountedRequest {
  readonly method: string;
  /** Of SQS, as `SendMessageBatch`; elsewhere the path. */
  readonly action: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface CountingServer {
  /** Stands in for the address that it was started for. */
  readonly endpoint: string;
  /** Whatever passed, repeats included. Emptied by whoever has read them. */
  readonly requests: CountedRequest[];
  close(): Promise<void>;
}

/** Passes every request on to `target` (`http://host:port`) and counts bodies, without headers. */
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
