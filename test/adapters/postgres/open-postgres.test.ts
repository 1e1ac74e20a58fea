import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../lib/adapters/postgres/open-postgres.ts';
import { UnavailableError } from '../../../lib/core/errors.ts';

let server: Server | undefined;
afterEach(async () => {
  const open = server;
  server = undefined;
  if (open !== undefined) await new Promise(resolve => open.close(resolve));
});

/** A server that answers the first message of a connection with `reply` and hangs up. */
async function listen(reply: Buffer | null): Promise<number> {
  server = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => (reply === null ? socket.destroy() : socket.end(reply)));
  });
  const listening = server;
  await new Promise<void>(resolve => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function errorResponse(sqlState: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${sqlState}\0Mserver words with secret-password\0\0`);
  const message = Buffer.alloc(5 + fields.length);
  message.write('E', 0);
  message.writeInt32BE(4 + fields.length, 1);
  fields.copy(message, 5);
  return message;
}

async function refusal(connectionString: string) {
  const error = await openPostgres({ connectionString, maxConnections: 1 }).catch(reason => reason);
  expect(error.name).toBe('UsageError');
  expect(`${error.message} ${error.stack} ${error.remedy} ${String(error.cause)}`).not.toContain('secret');
  return error;
}

describe('openPostgres', () => {
  it('names host and port of a server that cannot be reached, never the password', async () => {
    const port = await listen(null);
    const open = server;
    await new Promise(resolve => open?.close(resolve));
    server = undefined;

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

    expect(error.message).toContain(`PostgreSQL at 127.0.0.1:${port} cannot be reached (ECONNREFUSED)`);
    expect(error).toBeInstanceOf(UnavailableError);
  });

  it('names a host that does not exist', async () => {
    const error = await refusal('postgres://ada:secret-password@nowhere.invalid:5432/shop');

    expect(error.message).toContain('PostgreSQL at nowhere.invalid:5432 cannot be reached');
    expect(error).toBeInstanceOf(UnavailableError);
  });

  it('says when the server hangs up', async () => {
    const port = await listen(null);

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

    expect(error.message).toContain(
      `PostgreSQL at 127.0.0.1:${port} closed the connection without an answer`,
    );
    expect(error).toBeInstanceOf(UnavailableError);
  });

  it.each([
    [
      'HTTP',
      'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
      /closed the connection without an answer/,
    ],
    ['Redis', '-ERR unknown command\r\n', /closed the connection without an answer/],
    ['MySQL', Buffer.from('4a0000000a382e302e333500', 'hex'), /is another kind of server/],
    ['noise', Buffer.from([0x7a, 0, 0, 0, 4, 1, 2, 3]), /is another kind of server/],
  ])('says so of a server that speaks %s', async (_, reply, words) => {
    const port = await listen(Buffer.from(reply as Buffer));

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

    expect(error.message).toMatch(words);
    expect(error.message).toContain(`PostgreSQL at 127.0.0.1:${port}`);
  });

  it('names a server by an IPv6 address as a URL does', async () => {
    const error = await refusal('postgres://ada:secret-password@[::1]:1/shop');

    expect(error.message).toContain('PostgreSQL at [::1]:1 cannot be reached');
  });

  it.each([
    ['08P01', false],
    ['28000', false],
    ['28P01', false],
    ['3D000', false],
    ['42501', false],
    ['55000', false],
    ['XX000', false],
    ['08006', true],
    ['53100', true],
    ['53200', true],
    ['53300', true],
    ['57014', true],
    ['57P01', true],
    ['57P03', true],
    ['58030', true],
    ['XX002', true],
  ])('knows whether SQLSTATE %s is the state of the server, which may pass: %s', async (sqlState, passes) => {
    const port = await listen(errorResponse(sqlState));

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

    expect(error instanceof UnavailableError).toBe(passes);
  });

  it.each([
    ['28P01', /refused user "ada": wrong password/, undefined],
    ['3D000', /has no database "shop"/, 'CREATE DATABASE "shop";'],
    ['53300', /no free connection/, undefined],
    ['57P03', /starting up/, undefined],
    ['28000', /refused user "ada".*without TLS/, undefined],
    ['22023', /refused a setting for user "ada".*PGOPTIONS/, undefined],
    ['42704', /refused a setting for user "ada".*PGOPTIONS/, undefined],
    ['42501', /does not let user "ada" connect/, 'GRANT CONNECT ON DATABASE "shop" TO "ada";'],
  ])('explains SQLSTATE %s in words of its own', async (sqlState, words, remedy) => {
    const port = await listen(errorResponse(sqlState));

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

    expect(error.message).toMatch(words);
    expect(error.remedy).toBe(remedy);
  });

  it.each([
    ['XX000', /failed inside.*Supavisor.*postgres\.PROJECT/],
    ['08P01', /did not understand each other.*PgBouncer.*wrong password.*database or user.*options.*TLS/],
    ['0A000', /does not support.*RDS Proxy.*options/],
    ['53000', /out of a resource.*plan/],
    ['55000', /takes no connections.*paused or disabled/],
    ['08004', /a pooler says so/i],
    ['25006', /takes no writes/],
    ['99ZZ9', /no words/],
  ])(
    'names host, port, user and database at SQLSTATE %s, what a pooler means, and that nothing is tried again',
    async (sqlState, words) => {
      const port = await listen(errorResponse(sqlState));

      const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop`);

      expect(error.message).toMatch(words);
      for (const name of [`PostgreSQL at 127.0.0.1:${port}`, 'user "ada"', 'database "shop"'])
        expect(error.message).toContain(name);
      expect(error.message).toMatch(/Nothing is tried again by itself\.$/);
      expect(error.message).not.toContain('is tried again.');
    },
  );

  it('says when the server does not speak TLS and the URL asks for it', async () => {
    const port = await listen(Buffer.from('N'));

    const error = await refusal(`postgres://ada:secret-password@127.0.0.1:${port}/shop?sslmode=verify-full`);

    expect(error.message).toContain('TLS connection');
  });

  it.each(['postgres://ada:secret-password@host:port/shop', 'postgres://ada:secret%password@[::1/shop'])(
    'refuses a URL that cannot be read without repeating it',
    async url => {
      expect((await refusal(url)).message).toContain('The database URL cannot be read');
    },
  );

  it.each([
    'postgres://app:Zx9@Tsecret/tail@127.0.0.1:1/d',
    'postgres://app:Zx9@127.0.0.1:1/d@secret',
    'postgres://app:12/secret@127.0.0.1:1/d',
    'postgres://app:12?secret@127.0.0.1:1/d',
    'postgres://app:12#secret@127.0.0.1:1/d',
    'postgres://app@secret:12@127.0.0.1:1/d',
    'postgres://app:x@127.0.0.1:1/d?password=12#secret',
  ])('refuses a URL in which a part of the password could be taken for the host: %s', async url => {
    const error = await refusal(url);

    expect(error.message).toMatch(/Percent-encode .*%40/);
    expect(error.message).not.toMatch(/Zx9|tail|127/);
  });

  it.each([
    ['Zx9%40Topsecret%2Ftail', '/d', /^PostgreSQL at 127\.0\.0\.1:1 cannot be reached/],
    ['a:b[c]!$&*+,;=~', '/d?application_name=x', /^PostgreSQL at 127\.0\.0\.1:1 cannot be reached/],
  ])('reads a password of which nothing is ambiguous: %s', async (password, rest, words) => {
    expect((await refusal(`postgres://app:${password}@127.0.0.1:1${rest}`)).message).toMatch(words);
  });

  it('says when a certificate file is missing', async () => {
    const error = await refusal(
      'postgres://ada:secret-password@127.0.0.1:1/shop?sslmode=verify-full&sslrootcert=/nowhere/ca.pem',
    );

    expect(error.message).toContain('certificate file');
  });
});
