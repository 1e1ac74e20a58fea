import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';

export interface TlsProxy {
  readonly host: 'localhost';
  readonly port: number;
  /** The certificate, which is its own authority. */
  readonly pem: string;
  /**
   * Stops all traffic in both directions, but keeps the connections open.
   *
   * Their peers wait, as after a freeze of the function whose flow the network forgot.
   */
  goSilent(): void;
  /** Ends every connection and takes no new one until `open` is called. */
  shut(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Puts PostgreSQL's TLS in front of a server that may have none.
 *
 * The proxy answers `SSLRequest` and passes on the decrypted bytes. The certificate is made with
 * the `openssl` of the machine.
 */
export async function startTlsProxy(serverUrl: string): Promise<TlsProxy> {
  const { hostname, port: serverPort } = new URL(serverUrl);
  const certificate = makeCertificate();
  const sockets = new Set<Socket>();
  const remember = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer(client => {
    remember(client);
    // The request is eight bytes and always the first: the client waits for the answer.
    client.once('data', () => {
      client.write('S');
      const inside = new TLSSocket(client, { isServer: true, ...certificate });
      const upstream = connect(Number(serverPort || 5432), hostname);
      remember(upstream);
      remember(inside);
      inside.on('error', () => upstream.destroy());
      inside.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      inside.pipe(upstream).pipe(inside);
    });
  });
  const listen = (port: number) =>
    new Promise<void>(resolve => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const shut = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return {
    host: 'localhost',
    port,
    pem: certificate.cert,
    goSilent: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    shut,
    open: () => listen(port),
    close: shut,
  };
}

function makeCertificate(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-tls-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
        ],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', keyFile, '-out', certFile],
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
