import type pg from 'pg';
import { UsageError } from '../../core/errors/usage-error.ts';

/** Errors for people, by the SQLSTATE of a refused connection. */
const REFUSALS: Readonly<Record<string, (target: Target) => UsageError>> = {
  '28P01': refusedUser,
  '28000': refusedUser,
  '3D000': ({ place, database }) =>
    new UsageError(
      `${place} has no database "${database}". Check the name at the end of the database URL.`,
      `CREATE DATABASE "${database.replaceAll('"', '""')}";`,
    ),
  '42501': ({ place, user, database }) =>
    new UsageError(
      `${place} does not let user "${user}" connect to database "${database}".`,
      `GRANT CONNECT ON DATABASE "${database.replaceAll('"', '""')}" TO "${user.replaceAll('"', '""')}";`,
    ),
  '53300': ({ place }) =>
    new UsageError(`${place} has no free connection. Lower --concurrency, or raise max_connections.`),
  '57P03': ({ place }) => new UsageError(`${place} is starting up or shutting down. Try again in a moment.`),
};

interface Target {
  readonly place: string;
  readonly user: string;
  readonly database: string;
}

/**
 * Explains a failure to connect in a sentence with host and remedy.
 * Undefined where the error is no failure to connect. The sentence never holds the password, the
 * URL or the server's own message.
 */
export function explainConnectionFailure(error: unknown, client: pg.Client): UsageError | undefined {
  if (error instanceof UsageError) return error;
  const target = {
    place: `PostgreSQL at ${client.host}:${client.port}`,
    user: client.user ?? '',
    database: client.database ?? '',
  };
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  const refusal = REFUSALS[code];
  if (refusal !== undefined) return refusal(target);
  const words = error instanceof Error ? error.message : '';
  if (/password|SASL/i.test(words)) {
    return new UsageError(
      `${target.place} asks user "${target.user}" for a password and got none that it accepts. Put it into the database URL, or set PGPASSWORD.`,
    );
  }
  if (/SSL|TLS|certificate|altname/i.test(words) || /TLS|CERT|SELF_SIGNED|SSL/.test(code)) {
    return new UsageError(
      `The TLS connection to ${target.place} could not be made. Check sslmode and sslrootcert of the database URL (verify-full needs the server's CA certificate and its real host name).`,
    );
  }
  if (/^E[A-Z_]+$/.test(code) || /timeout|terminated/i.test(words) || error instanceof AggregateError) {
    return new UsageError(
      `${target.place} cannot be reached${code === '' ? '' : ` (${code})`}. Check host and port of the database URL, and that the server is running.`,
    );
  }
  return undefined;
}

function refusedUser({ place, user }: Target): UsageError {
  return new UsageError(
    `${place} refused user "${user}": wrong password, or pg_hba.conf does not let this user in. Check user and password of the database URL.`,
  );
}
