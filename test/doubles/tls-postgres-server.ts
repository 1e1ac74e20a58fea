import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import {
  ASKS_FOR_PASSWORD,
  answerRow,
  BACKEND,
  errorMessage,
  LOGGED_IN,
  message,
  READY,
} from './postgres-messages.ts';

const readFixture = (name: string) =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8');

/** The authority that the server's certificate comes from, and one that it does not come from. */
export const AUTHORITY_PEM = readFixture('authority.pem');
export const OTHER_AUTHORITY_PEM = readFixture('other-authority.pem');

const context = createSecureContext({ cert: readFixture('server.pem'), key: readFixture('server-key.pem') });

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface TlsPostgresServer {
  readonly port: number;
  /** In the order of arrival. */
  readonly logins: readonly Login[];
  /** Bytes that arrived outside of TLS after the client asked for it. */
  readonly plainBytes: () => number;
  /** Texts of the statements, in the order of arrival. */
  readonly statements: readonly string[];
  breakConnections(): void;
  /** Answers nothing more on the connections there are, and keeps them open. */
  fallSilent(): void;
  close(): Promise<void>;
}

/**
 * As much of PostgreSQL as opening and asking takes: TLS with a certificate for `localhost`, a password in clear text, and answers to
 * what `openPostgres` asks. `judge` gives the SQLSTATE of a refusal.
 */
export async function startTlsPostgres(options: {
  readonly judge: (login: Login) => string | undefined;
  readonly speaksTls?: boolean;
  /** Gives the SQLSTATE with which a statement is refused. */
  readonly refuse?: (statement: string) => string | undefined;
}): Promise<TlsPostgresServer> {
  const logins: Login[] = [];
  const statements: string[] = [];
  const sockets = new Set<Socket>();
  const silent = new Set<Socket>();
  let plainBytes = 0;
  const speak = (socket: Socket, raw: Socket) => {
    let user = '';
    readMessages(socket, (type, body) => {
      if (type === 'startup') {
        user = readParameter(body, 'user');
        socket.write(ASKS_FOR_PASSWORD);
      } else if (type === 'p') {
        const login = { user, password: body.toString('utf8', 0, body.length - 1) };
        logins.push(login);
        const refusal = options.judge(login);
        if (refusal === undefined) socket.write(LOGGED_IN);
        else socket.end(refuseLogin(refusal, login));
      } else if (type === 'Q') {
        const statement = body.toString('utf8', 0, body.length - 1);
        statements.push(statement);
        const refusal = options.refuse?.(statement);
        if (refusal !== undefined) socket.write(Buffer.concat([refuseStatement(refusal, statement), READY]));
        else if (!silent.has(raw)) socket.write(answer(statement));
      }
    });
  };
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(options.speaksTls === false ? 'N' : 'S');
      if (options.speaksTls === false) {
        socket.on('data', bytes => {
          plainBytes += bytes.length;
        });
        return;
      }
      const secure = new TLSSocket(socket, { isServer: true, secureContext: context });
      secure.on('error', () => {});
      speak(secure, socket);
    });
  });
  server.listen(0);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    logins,
    plainBytes: () => plainBytes,
    statements,
    breakConnections() {
      for (const socket of sockets) socket.destroy();
    },
    fallSilent() {
      for (const socket of sockets) silent.add(socket);
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

function readMessages(socket: Socket, take: (type: string, body: Buffer) => void): void {
  let waiting = Buffer.alloc(0);
  let started = false;
  socket.on('data', bytes => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      // Every message but the first begins with its type; the length counts itself.
      const prefix = started ? 1 : 0;
      if (waiting.length < prefix + 4) return;
      const end = prefix + waiting.readInt32BE(prefix);
      if (waiting.length < end) return;
      const type = started ? String.fromCharCode(waiting[0] ?? 0) : 'startup';
      const body = waiting.subarray(prefix + 4, end);
      waiting = waiting.subarray(end);
      started = true;
      take(type, body);
    }
  });
}

function readParameter(startup: Buffer, name: string): string {
  const words = startup.subarray(4).toString().split('\0');
  return words[words.indexOf(name) + 1] ?? '';
}

function answer(query: string): Buffer {
  if (query.includes('server_version_num'))
    return answerRow({
      backend: [23, `${BACKEND}`],
      server: [23, '170006'],
      database: [25, 'shop'],
      vector: [25, '0.8.0'],
      vectorTypeOid: [23, '1000'],
      role: [25, 'ada'],
      schema: [25, 'public'],
      schemaUsable: [16, 't'],
      typeUsable: [16, 't'],
    });
  return Buffer.concat([message('C', Buffer.from('SELECT 0\0')), READY]);
}

/** A careless server: its words hold what it was given. */
function refuseLogin(sqlState: string, { user, password }: Login): Buffer {
  return errorMessage('FATAL', sqlState, `no "${user}" with "${password}"`);
}

/** As careless with a statement that it refuses. */
function refuseStatement(sqlState: string, statement: string): Buffer {
  return errorMessage('ERROR', sqlState, `hidden-words on ${statement}`);
}
