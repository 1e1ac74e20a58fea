import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { UsageError } from '../../core/errors.ts';

interface ListenSettings {
  readonly host: string;
  /** 0: any port that is free. */
  readonly port: number;
  readonly maxConnections: number;
  /** Milliseconds until a request must have arrived whole, and its headers alone. */
  readonly requestMs?: number;
  readonly headersMs?: number;
}

/** A server that takes requests. */
export interface Listener {
  /** The address as a URL without a path. */
  readonly url: string;
  /** Takes no further connections, waits for the requests in hand for `graceMs`, and closes all. */
  close(graceMs: number): Promise<void>;
}

/** How often connections are looked at whose request is late. */
const CHECK_EVERY_MS = 1000;
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Listens for requests, bounded in every way that a client could use up a server.
 * A client that sends its request slowly is cut off; connections over the bound are closed at once.
 * @throws UsageError where the address is taken or not this machine's
 */
export async function listen(
  answer: (request: Request) => Response | Promise<Response>,
  settings: ListenSettings,
): Promise<Listener> {
  const headersMs = settings.headersMs ?? HEADERS_MS;
  const requestMs = settings.requestMs ?? REQUEST_MS;
  const server = createServer(
    {
      ...{ headersTimeout: headersMs, requestTimeout: requestMs, keepAliveTimeout: KEEP_ALIVE_MS },
      connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, headersMs),
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    getRequestListener(answer, { overrideGlobalObjects: false }),
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = settings.maxConnections;
  await opened(server, settings);
  const { port } = server.address() as AddressInfo;
  const name = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return {
    url: `http://${name}:${port}`,
    close: graceMs =>
      new Promise(resolve => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function opened(server: Server, { host, port }: ListenSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UsageError(
          `${host}:${port} cannot be listened on (${error.code ?? error.name}).`,
          'Choose another one with --port or --host.',
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
}
