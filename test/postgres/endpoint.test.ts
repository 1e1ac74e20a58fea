import { randomBytes } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DatabaseLogin, PostgresEndpoint } from '../../lib/adapters/postgres/login.ts';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { onServer, withConnection } from '../database/on-server.ts';
import { AUTHORITY_PEM, OTHER_AUTHORITY_PEM } from '../doubles/tls-postgres-server.ts';

const url = process.env.DATABASE_URL ?? '';
const database = `freshet_endpoint_${randomBytes(6).toString('hex')}`;
const user = `${database}_user`;

/** A server that .ci/real-postgres started: TLS with the certificate of the tests, and passwords for members of one role. */
beforeAll(async () => {
  await onServer(
    url,
    `DO $$ BEGIN CREATE ROLE freshet_by_password; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  await onServer(url, `CREATE DATABASE ${database}`);
  await onServer(url, `CREATE ROLE ${user} LOGIN IN ROLE freshet_by_password`);
  const target = new URL(url);
  target.pathname = `/${database}`;
  await onServer(target.href, 'CREATE EXTENSION vector');
});
afterAll(async () => {
  await onServer(url, `DROP DATABASE ${database} WITH (FORCE)`);
  await onServer(url, `DROP ROLE ${user}`);
});

let readings: boolean[];
beforeEach(async () => {
  readings = [];
  await setPassword('first');
});

const setPassword = (password: string) => onServer(url, `ALTER ROLE ${user} PASSWORD '${password}'`);

function open(
  read: (fresh: boolean) => string,
  certificateAuthority: PostgresEndpoint['certificateAuthority'] = { pem: AUTHORITY_PEM },
  host = 'localhost',
) {
  const readLogin = async ({ fresh }: { fresh: boolean }): Promise<DatabaseLogin> => {
    readings.push(fresh);
    return { user, password: read(fresh) };
  };
  const port = Number(new URL(url).port || 5432);
  const endpoint = { host, port, database, readLogin, certificateAuthority };
  return openPostgres({ endpoint, maxConnections: 1 });
}

describe('PostgreSQL by its endpoint', () => {
  test('is spoken to over TLS, with a password', async () => {
    const db = await open(() => 'first');

    const { rows } = await sql<{ user: string; encrypted: boolean }>`
      SELECT current_user::text AS "user", ssl AS encrypted FROM pg_stat_ssl WHERE pid = pg_backend_pid()`.execute(
      db.kysely,
    );

    expect(rows).toEqual([{ user, encrypted: true }]);
    await db.close();
  });

  test('is opened by the password that a rotation brought', async () => {
    await setPassword('second');

    const db = await open(fresh => (fresh ? 'second' : 'first'));

    expect(readings).toEqual([false, true]);
    await db.close();
  });

  test('stops where the new password is wrong too', async () => {
    await expect(open(() => 'wrong')).rejects.toMatchObject({
      failureClass: 'stop',
      code: 'sqlstate_28P01',
    });
    expect(readings).toEqual([false, true]);
  });

  test('is not believed with a certificate of another authority, or for another host', async () => {
    const other = { pem: OTHER_AUTHORITY_PEM };
    await expect(open(() => 'first', other)).rejects.toMatchObject({ failureClass: 'stop' });
    await expect(open(() => 'first', undefined, '127.0.0.1')).rejects.toMatchObject({
      code: 'network_err_tls_cert_altname_invalid',
    });
  });

  test('is believed by a public authority where Node knows it, and not otherwise', async () => {
    await expect(open(() => 'first', 'public')).rejects.toMatchObject({
      failureClass: 'stop',
      code: expect.stringMatching(/^network_(unable_to|self_)/),
    });
    const usual = getCACertificates('default');
    setDefaultCACertificates([...usual, AUTHORITY_PEM]);
    try {
      const db = await open(() => 'first', 'public');
      await db.close();
    } finally {
      setDefaultCACertificates(usual);
    }
  });
});

describe('the session of a deployed function', () => {
  const readLimits = async (db: SqlDatabase) => {
    const { rows } = await sql<{ pid: number; idle: string; inTransaction: string }>`
      SELECT pg_backend_pid() AS pid, current_setting('idle_session_timeout') AS idle,
             current_setting('idle_in_transaction_session_timeout') AS "inTransaction"`.execute(db.kysely);
    return rows[0]!;
  };

  test('is ended by the server after ten idle minutes, and after one in a transaction', async () => {
    const db = await open(() => 'first');

    expect(await readLimits(db)).toMatchObject({ idle: '10min', inTransaction: '1min' });
    await db.close();
  });

  test('keeps the shorter limits of its role, and goes on when the server ended it', async () => {
    await onServer(url, `ALTER ROLE ${user} SET idle_session_timeout = '200ms'`);
    const db = await open(() => 'first');
    const before = await readLimits(db);

    await vi.waitFor(async () => {
      const { rowCount } = await withConnection(url, client =>
        client.query('SELECT FROM pg_stat_activity WHERE pid = $1', [before.pid]),
      );
      expect(rowCount).toBe(0);
    }, 60_000);
    const after = await readLimits(db);

    expect(before.idle).toBe('200ms');
    expect(after.pid).not.toBe(before.pid);
    await db.close();
    await onServer(url, `ALTER ROLE ${user} RESET idle_session_timeout`);
  });
});
