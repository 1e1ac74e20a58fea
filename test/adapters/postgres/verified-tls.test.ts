import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../lib/adapters/postgres/open-postgres.ts';
import { startTlsPostgres, type TlsPostgresServer } from '../../doubles/tls-postgres-server.ts';

const authority = new URL('../../fixtures/tls/authority.pem', import.meta.url).pathname;

let server: TlsPostgresServer;
let warnings: string[];
const note = (warning: Error) => warnings.push(warning.message);
beforeEach(async () => {
  warnings = [];
  process.on('warning', note);
  server = await startTlsPostgres({ judge: () => undefined });
});
afterEach(async () => {
  process.off('warning', note);
  await server.close();
});

/** Opens and closes a database by its URL; resolves with what was said where it was refused. */
async function open(parameters: string, host = 'localhost') {
  const connectionString = `postgres://ada:secret@${host}:${server.port}/shop?${parameters}`;
  try {
    await (await openPostgres({ connectionString, maxConnections: 1 })).close();
    return undefined;
  } catch (error) {
    return error as Error & { remedy?: string };
  } finally {
    // A warning of Node is told in a turn of its own.
    await new Promise(resolve => setImmediate(resolve));
  }
}

describe('a database URL that asks for TLS', () => {
  it.each(['allow', 'prefer', 'require', 'verify-ca', 'verify-full'])(
    'verifies the server under sslmode=%s, without a word where it can',
    async mode => {
      expect(await open(`sslmode=${mode}&sslrootcert=${authority}`)).toBeUndefined();
      const refused = await open(`sslmode=${mode}`);

      expect(refused?.message).toContain(`The TLS connection to PostgreSQL at localhost:${server.port}`);
      expect(refused?.message).toContain('comes from no authority that this machine knows');
      expect(server.logins).toHaveLength(1);
      expect(warnings).toEqual([]);
    },
  );

  it('gets the parameters that work from the refusal of a certificate of its own authority', async () => {
    const refused = await open('sslmode=require');
    const [rootCertificate, noVerify] = [/sslrootcert=\S+/, /sslmode=no-verify/].map(
      parameter => parameter.exec(refused?.remedy ?? '')?.[0] ?? '',
    );

    expect(rootCertificate).toBe('sslrootcert=/path/to/ca.pem');
    expect(await open(`sslmode=require&sslrootcert=${authority}`)).toBeUndefined();
    expect(await open(noVerify ?? '')).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('is told when the certificate names another host', async () => {
    const refused = await open(`sslmode=require&sslrootcert=${authority}`, '127.0.0.1');

    expect(refused?.message).toContain('its certificate names another host');
    expect(server.logins).toEqual([]);
  });

  it('leaves the choice to libpq’s own meaning where it asks for that', async () => {
    expect(await open('uselibpqcompat=true&sslmode=require')).toBeUndefined();
  });

  it('refuses a mode that is none, and does not go on without TLS', async () => {
    const refused = await open('sslmode=requrie');

    expect(refused?.message).toContain('sslmode=requrie, which is no mode');
    expect(refused?.remedy).toContain('verify-full');
    expect(server.logins).toEqual([]);
  });
});
