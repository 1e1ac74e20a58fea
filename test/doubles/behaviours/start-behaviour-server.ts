import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Behaviour } from './behaviour.ts';
import type { Protocol } from './protocols.ts';

export interface BehaviourServer {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly callCount: number;
  /** From now on; counts calls anew. */
  behave(behaviour: Behaviour, fallSilent: () => void): void;
  close(): Promise<void>;
}

/** A server on 127.0.0.1 that speaks one protocol and does what it is told. Another path than the protocol's is 404, whatever it is told. */
export async function startBehaviourServer(protocol: Protocol): Promise<BehaviourServer> {
  let behaviour: Behaviour | undefined;
  let fallSilent: () => void = () => undefined;
  let callCount = 0;
  const server = createServer(async (request, response) => {
    const body = await readBody(request);
    const callsBefore = callCount;
    callCount += 1;
    if (request.url !== protocol.path || request.method !== 'POST' || behaviour === undefined) {
      response.writeHead(404).end();
      return;
    }
    const texts = protocol.readTexts(body);
    const { headers } = request;
    behaviour.answer({ protocol, texts, body, headers, callsBefore, response, fallSilent });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get callCount() {
      return callCount;
    },
    behave(next, silent) {
      behaviour = next;
      fallSilent = silent;
      callCount = 0;
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
}
