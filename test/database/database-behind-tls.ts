import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { startTlsProxy, type TlsProxy } from '../servers/start-tls-proxy.ts';
import { openTestDatabase } from './open-test-database.ts';

export interface DatabaseBehindTls {
  readonly database: SqlDatabase;
  readonly proxy: TlsProxy;
  /** The place of the database in the words of a deployment's settings. */
  readonly place: {
    readonly host: string;
    readonly port: number;
    readonly name: string;
    readonly secretArn: string;
    readonly certificateAuthority: { readonly pem: string };
  };
  readonly login: { readonly username: string; readonly password: string };
  close(): Promise<void>;
}

/** Opens a new database that functions reach by TLS, and the test without TLS. */
export async function openDatabaseBehindTls(secretArn: string): Promise<DatabaseBehindTls> {
  const url = new URL(process.env.DATABASE_URL ?? '');
  const database = await openTestDatabase({ migrated: false });
  const { rows } = await sql<{ name: string }>`SELECT current_database()::text AS name`.execute(
    database.kysely,
  );
  const proxy = await startTlsProxy(url.href);
  const { host, port, pem } = proxy;
  return {
    database,
    proxy,
    place: { host, port, name: rows[0]?.name ?? '', secretArn, certificateAuthority: { pem } },
    login: {
      username: decodeURIComponent(url.username) || 'postgres',
      // A server that trusts its host asks for no password.
      password: decodeURIComponent(url.password) || 'not-asked-for',
    },
    close: async () => {
      await proxy.close();
      await database.close();
    },
  };
}
