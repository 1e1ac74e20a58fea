import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import {
  ASKS_FOR_PASSWORD,
  answerRow,
  BACKEND,
  errorMessage,
  LOGGED_IN,
} from '../../doubles/postgres-messages.ts';

type FakeKind = 'wrong-password' | keyof typeof FACTS;

/** What each server says of itself: the version, the database, and pgvector in it and in its package. */
const FACTS = {
  'old-server': { server: '140012', database: 'd', vector: '0.8.0', vectorTypeOid: '1', packaged: '0.8.0' },
  'no-package': { server: '170002', database: 'd', vector: null, vectorTypeOid: null, packaged: null },
  'old-package': { server: '170002', database: 'd', vector: '0.7.4', vectorTypeOid: '1', packaged: '0.7.4' },
};

/** Answers as much of PostgreSQL's protocol as a start needs: refuses every password, or says its facts. */
export async function startFakePostgres(kind: FakeKind): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', bytes => answer(socket, bytes, kind));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(socket: Socket, bytes: Buffer, kind: FakeKind): void {
  const type = String.fromCharCode(bytes[0] ?? 0);
  if (type === 'p')
    socket.end(errorMessage('FATAL', '28P01', 'password authentication failed for user "u" hunter2'));
  else if (type === 'Q' && kind !== 'wrong-password')
    socket.write(factsRow({ backend: `${BACKEND}`, ...FACTS[kind] }));
  else if (bytes[0] === 0 && kind === 'wrong-password') socket.write(ASKS_FOR_PASSWORD);
  else if (bytes[0] === 0) socket.write(LOGGED_IN);
}

/** Facts are texts, but for the first two, which are numbers. */
function factsRow(facts: Readonly<Record<string, string | null>>): Buffer {
  const cells = Object.entries(facts).map(([name, value], place) => [name, [place < 2 ? 23 : 25, value]]);
  return answerRow(Object.fromEntries(cells));
}
