import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

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

const READY = message('Z', Buffer.from('I'));

/** Number of the process that answers. */
const BACKEND = 4711;

const LOGGED_IN = Buffer.concat([
  message('R', int32(0)),
  message('K', Buffer.concat([int32(BACKEND), int32(0)])),
  READY,
]);

function answer(socket: Socket, bytes: Buffer, kind: FakeKind): void {
  const type = String.fromCharCode(bytes[0] ?? 0);
  if (type === 'p') socket.end(refusal());
  else if (type === 'Q' && kind !== 'wrong-password')
    socket.write(factsRow({ backend: `${BACKEND}`, ...FACTS[kind] }));
  else if (bytes[0] === 0 && kind === 'wrong-password') socket.write(message('R', int32(3)));
  else if (bytes[0] === 0) socket.write(LOGGED_IN);
}

function refusal(): Buffer {
  return message(
    'E',
    Buffer.from('SFATAL\0C28P01\0Mpassword authentication failed for user "u" hunter2\0\0'),
  );
}

function factsRow(facts: Readonly<Record<string, string | null>>): Buffer {
  const values = Object.values(facts);
  const names = Object.keys(facts);
  const fields = names.map((name, place) =>
    Buffer.concat([
      Buffer.from(`${name}\0`),
      int32(0),
      int16(0),
      int32(place < 2 ? 23 : 25),
      int16(-1),
      int32(-1),
      int16(0),
    ]),
  );
  const cells = values.map(value =>
    value === null ? int32(-1) : Buffer.concat([int32(value.length), Buffer.from(value)]),
  );
  return Buffer.concat([
    message('T', Buffer.concat([int16(names.length), ...fields])),
    message('D', Buffer.concat([int16(names.length), ...cells])),
    message('C', Buffer.from('SELECT 1\0')),
    READY,
  ]);
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
