import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createSecretLogin,
  type PostgresEndpoint,
  type ReadLogin,
} from '../../../lib/adapters/postgres/login.ts';
import { openPostgres } from '../../../lib/adapters/postgres/open-postgres.ts';
import { createVectorExtension } from '../../../lib/adapters/postgres/sessions.ts';
import { isReachable, type SqlDatabase } from '../../../lib/adapters/sql/database.ts';
import { createSystemClock } from '../../../lib/adapters/system.ts';
import type { FreshetError } from '../../../lib/core/errors.ts';
import {
  AUTHORITY_PEM,
  OTHER_AUTHORITY_PEM,
  startTlsPostgres,
  type TlsPostgresServer,
} from '../../doubles/tls-postgres-server.ts';

let server: TlsPostgresServer | undefined;
let opened: SqlDatabase | undefined;
afterEach(async () => {
  await opened?.close();
  await server?.close();
  opened = undefined;
  server = undefined;
});

const GOOD: ReadLogin = async () => ({ user: 'writer', password: 'hidden-password' });

async function start(options: Parameters<typeof startTlsPostgres>[0]): Promise<void> {
  server = await startTlsPostgres(options);
}

const endpointWith = (changes: Partial<PostgresEndpoint> = {}): PostgresEndpoint => ({
  host: 'localhost',
  port: server?.port ?? 0,
  database: 'shop',
  readLogin: GOOD,
  certificateAuthority: { pem: AUTHORITY_PEM },
  ...changes,
});

async function open(changes: Partial<PostgresEndpoint> = {}, maxConnections = 1): Promise<SqlDatabase> {
  opened = await openPostgres({ endpoint: endpointWith(changes), maxConnections });
  return opened;
}

async function failureOf(call: Promise<unknown>): Promise<FreshetError> {
  const failure = await call.then(
    () => undefined,
    error => error,
  );
  expect(failure?.name).toBe('FreshetError');
  expect(inspect(failure, { depth: 9, showHidden: true })).not.toMatch(/hidden-/);
  return failure;
}

/** A login whose value changes each time it is read anew, and what it was asked. */
function rotating(...logins: { user: string; password: string }[]) {
  const asked: boolean[] = [];
  let current = 0;
  const readLogin: ReadLogin = async ({ fresh }) => {
    asked.push(fresh);
    if (fresh) current = Math.min(current + 1, logins.length - 1);
    return logins[current] ?? { user: '', password: '' };
  };
  return { asked, readLogin };
}

const accepting = (password: string) => (login: { password: string }) =>
  login.password === password ? undefined : '28P01';

describe('a database by its endpoint, over TLS', () => {
  test('opens where the authority is the configured one and the certificate names the host', async () => {
    await start({ judge: accepting('hidden-password') });

    const db = await open();

    expect(await db.vectorTypeOid()).toBe(1000);
    expect(server?.logins).toEqual([{ user: 'writer', password: 'hidden-password' }]);
    // The session's settings, and everything that is asked of the server.
    expect(server?.statements).toHaveLength(2);
  });

  test.each([
    ['another authority', { pem: OTHER_AUTHORITY_PEM }],
    ['the authorities of RDS', 'rds'],
    ['the authorities of RDS Proxy', 'proxy'],
    ['a public authority', 'public'],
  ] as const)('tells nobody its password whose certificate does not come from %s', async (_, authority) => {
    await start({ judge: () => undefined });

    const failure = await failureOf(open({ certificateAuthority: authority }));

    expect(failure).toMatchObject({
      failureClass: 'stop',
      code: expect.stringMatching(/^network_(unable_to|self_)/),
    });
    expect(failure.message).toContain(`PostgreSQL at localhost:${server?.port} could not prove who it is`);
    expect(server?.logins).toEqual([]);
  });

  test.each([
    ['localhost', undefined],
    ['127.0.0.1', 'network_err_tls_cert_altname_invalid'],
  ])('trusts the public authorities of this Node, and for the host alone: %s', async (host, code) => {
    await start({ judge: () => undefined });
    const usual = getCACertificates('default');
    setDefaultCACertificates([...usual, AUTHORITY_PEM]);
    try {
      const opening = open({ certificateAuthority: 'public', host });
      if (code === undefined) expect(await (await opening).vectorTypeOid()).toBe(1000);
      else expect(await failureOf(opening)).toMatchObject({ failureClass: 'stop', code });
    } finally {
      setDefaultCACertificates(usual);
    }
  });

  test('tells nobody its password whose certificate names another host', async () => {
    await start({ judge: () => undefined });

    expect(await failureOf(open({ host: '127.0.0.1' }))).toMatchObject({
      failureClass: 'stop',
      code: 'network_err_tls_cert_altname_invalid',
    });
    expect(server?.logins).toEqual([]);
  });

  test('sends nothing to a server that does not speak TLS', async () => {
    await start({ judge: () => undefined, speaksTls: false });

    expect(await failureOf(open())).toMatchObject({ failureClass: 'stop', code: 'tls_not_offered' });
    expect(server?.plainBytes()).toBe(0);
  });

  test('is transient while nobody listens', async () => {
    await start({ judge: () => undefined });
    const port = server?.port ?? 0;
    await server?.close();
    server = undefined;

    expect(await failureOf(open({ port }))).toMatchObject({ failureClass: 'transient' });
  });

  test.each([
    ['XX000', 'unknown', 'Supavisor'],
    ['08P01', 'transient', 'PgBouncer'],
    ['53000', 'unknown', 'plan'],
    ['55000', 'unknown', 'paused'],
  ])(
    'names the server and what a pooler means by SQLSTATE %s, and keeps its class',
    async (sqlState, failureClass, word) => {
      await start({ judge: () => sqlState });

      const error = await failureOf(open());

      expect(error).toMatchObject({ failureClass, code: `sqlstate_${sqlState}` });
      expect(error.message).toMatch(/^PostgreSQL at localhost:\d+ refused a connection to database "shop"/);
      expect(error.message).toContain(word);
      expect(error.message.includes('It is tried again.')).toBe(failureClass === 'transient');
    },
  );

  test('names a database that is not there', async () => {
    await start({ judge: () => '3D000' });

    const failure = await failureOf(open());

    expect(failure).toMatchObject({ failureClass: 'stop', code: 'sqlstate_3D000' });
    expect(failure.message).toContain('"shop"');
  });
});

describe('pgvector in a database by its endpoint', () => {
  test('is created where it is missing, on a connection of its own', async () => {
    await start({ judge: accepting('hidden-password') });

    await createVectorExtension(endpointWith());

    expect(server?.statements).toEqual(['CREATE EXTENSION IF NOT EXISTS vector']);
  });

  test.each([
    ['42501', 'stop', 'the role may not create it'],
    ['0A000', 'unknown', 'the server has no package of it'],
  ])('is refused with %s (%s) without the words of the server where %s', async (sqlState, failureClass) => {
    await start({ judge: () => undefined, refuse: () => sqlState });

    const failure = await failureOf(createVectorExtension(endpointWith()));

    expect(failure).toMatchObject({ failureClass, code: `sqlstate_${sqlState}` });
  });
});

describe('a pool of a function that was frozen', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('makes a new connection where the kept one does not answer any more', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    server?.fallSilent();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 60_000);

    await sql`SELECT 1`.execute(db.kysely);

    expect(server?.logins).toHaveLength(2);
  });

  test('goes on with the kept one where it answers', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 60_000);

    await sql`SELECT 1`.execute(db.kysely);

    expect(server?.logins).toHaveLength(1);
  });
});

describe('whether a database by its endpoint answers', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  const clock = createSystemClock();
  const passMs = (ms: number) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + ms);
  };

  test('costs a statement only where its connection has been idle', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    const statementsOf = async () => {
      const before = server!.statements.length;
      expect(await isReachable(db, clock)).toBe(true);
      return server!.statements.slice(before);
    };

    expect(await statementsOf()).toEqual([]);
    passMs(60_000);
    expect(await statementsOf()).toEqual(['SELECT 1']);
    expect(server?.logins).toHaveLength(1);
  });

  test('is found out within seconds where the kept connection does not, and another one does', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    server?.fallSilent();
    passMs(60_000);

    expect(await isReachable(db, clock)).toBe(true);
    expect(server?.logins).toHaveLength(2);
  });

  test('is no where nothing takes connections any more', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    await server?.close();
    passMs(60_000);

    expect(await isReachable(db, clock)).toBe(false);
    server = undefined;
  });

  test('is no where a statement that nobody waits for any more has the only connection', async () => {
    await start({ judge: () => undefined });
    const db = await open();
    server?.fallSilent();
    const left = sql`SELECT 2`.execute(db.kysely).catch(() => 'broken off');

    expect(await isReachable(db, clock)).toBe(false);

    await db.close();
    expect(await left).toBe('broken off');
    opened = undefined;
  });
});

describe('the login of a database by its endpoint', () => {
  test.each(['28P01', '28000'])('is read anew once when the server refuses it with %s', async sqlState => {
    const judge = ({ password }: { password: string }) => (password === 'hidden-new' ? undefined : sqlState);
    await start({ judge });
    const { asked, readLogin } = rotating(
      { user: 'writer', password: 'hidden-old' },
      { user: 'writer_clone', password: 'hidden-new' },
    );

    await open({ readLogin });

    expect(asked).toEqual([false, true]);
    expect(server?.logins.map(({ user }) => user)).toEqual(['writer', 'writer_clone']);
  });

  test('stops when the server refuses what was read anew too', async () => {
    await start({ judge: () => '28P01' });
    const { asked, readLogin } = rotating({ user: 'writer', password: 'hidden-old' });

    const failure = await failureOf(open({ readLogin }));

    expect(failure).toMatchObject({ failureClass: 'stop', code: 'sqlstate_28P01' });
    expect(asked).toEqual([false, true]);
  });

  test('changes under an open pool without a statement failing', async () => {
    let valid = 'hidden-old';
    await start({ judge: ({ password }) => (password === valid ? undefined : '28P01') });
    const { asked, readLogin } = rotating(
      { user: 'writer', password: 'hidden-old' },
      { user: 'writer', password: 'hidden-new' },
    );
    const db = await open({ readLogin });
    valid = 'hidden-new';
    server?.breakConnections();
    await sql`SELECT 1`.execute(db.kysely).catch(error => expect(error.failureClass).toBe('transient'));

    await sql`SELECT 1`.execute(db.kysely);

    expect(asked).toEqual([false, false, true]);
  });

  test('goes back to what is remembered once a connection was made', async () => {
    await start({ judge: accepting('hidden-new') });
    const { asked, readLogin } = rotating(
      { user: 'writer', password: 'hidden-old' },
      { user: 'writer', password: 'hidden-new' },
    );
    const db = await open({ readLogin }, 2);

    await db.kysely.connection().execute(() => sql`SELECT 1`.execute(db.kysely));

    expect(asked).toEqual([false, true, false]);
  });

  test('that cannot be read fails as what reading it failed with', async () => {
    await start({ judge: () => undefined });
    const secrets = { read: async () => '{"username":"writer"}' };

    const failure = await failureOf(open({ readLogin: createSecretLogin({ secrets, secretArn: 'arn' }) }));

    expect(failure).toMatchObject({ failureClass: 'stop', code: 'secret_without_fields' });
    expect(server?.logins).toEqual([]);
  });

  test('is read for the connection of a run too, and again when it is refused', async () => {
    let valid = true;
    await start({ judge: () => (valid ? undefined : '28P01') });
    const { asked, readLogin } = rotating({ user: 'writer', password: 'hidden-password' });
    const db = await open({ readLogin });
    valid = false;

    expect(await failureOf(db.beginRun())).toMatchObject({ failureClass: 'stop', code: 'sqlstate_28P01' });

    expect(asked).toEqual([false, false, true]);
  });
});

describe('the login from a secret', () => {
  const read = (value: string) => {
    const asked: unknown[] = [];
    const secrets = {
      read: async (...given: unknown[]) => {
        asked.push(given);
        return value;
      },
    };
    return { asked, readLogin: createSecretLogin({ secrets, secretArn: 'arn' }) };
  };

  test('takes user and password together, as RDS writes them', async () => {
    const { asked, readLogin } = read('{"username":"writer","password":"hidden-word","engine":"postgres"}');

    expect(await readLogin({ fresh: true })).toEqual({ user: 'writer', password: 'hidden-word' });
    expect(asked).toEqual([['arn', { fresh: true }]]);
  });

  test.each([
    '',
    'hidden-word',
    '[]',
    'null',
    '{"username":"a"}',
    '{"username":"","password":"hidden-word"}',
  ])('stops at a secret without them (%j)', async value => {
    const failure = await failureOf(read(value).readLogin({ fresh: false }));

    expect(failure).toMatchObject({ failureClass: 'stop', code: 'secret_without_fields' });
  });
});
