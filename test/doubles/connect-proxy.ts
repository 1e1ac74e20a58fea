import { createServer, type IncomingMessage, request as send } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  readonly port: number;
  /** `host:port` of each CONNECT, and the address of each request that was forwarded. */
  readonly targets: readonly string[];
  /** Header `proxy-authorization` of each of them. */
  readonly authorizations: readonly (string | undefined)[];
  /** Undefined: connects. Otherwise answers so. */
  status: number | undefined;
  close(): Promise<void>;
}

/** A proxy on 127.0.0.1 that leads every call to one port of this machine, whatever it names. */
export async function startConnectProxy(targetPort: number): Promise<ConnectProxy> {
  const targets: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const note = ({ url = '', headers }: IncomingMessage) => {
    targets.push(url);
    authorizations.push(headers['proxy-authorization']);
  };
  const server = createServer((incoming, response) => {
    note(incoming);
    if (proxy.status !== undefined) {
      response.writeHead(proxy.status).end('canary-page');
      return;
    }
    const { pathname, search } = new URL(incoming.url ?? '');
    const { method, headers } = incoming;
    const forwarded = send(
      { host: '127.0.0.1', port: targetPort, path: pathname + search, method, headers },
      answer => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    incoming.pipe(forwarded);
  });
  server.on('connect', (incoming, client, head) => {
    note(incoming);
    client.on('error', () => undefined);
    if (proxy.status !== undefined) {
      client.end(`HTTP/1.1 ${proxy.status} No\r\ncontent-length: 11\r\n\r\ncanary-page`);
      return;
    }
    const target = connect(targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(client);
      client.pipe(target);
    });
    target.on('error', () => client.destroy());
    sockets.add(target).add(client as Socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const proxy: ConnectProxy = {
    port: (server.address() as AddressInfo).port,
    targets,
    authorizations,
    status: undefined,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of sockets) socket.destroy();
      }),
  };
  return proxy;
}
