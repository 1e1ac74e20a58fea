import type pg from 'pg';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { isTlsFailure } from '../../core/failures.ts';
import { readErrorCode, toDatabaseFailure } from '../sql/database.ts';

/**
 * Explains a failure to connect in a sentence with host and remedy.
 * Undefined where the error is no failure to connect. The sentence never holds the password, the
 * URL or the server's own message.
 */
export function explainConnectionFailure(error: unknown, client: pg.Client): UsageError | undefined {
  if (error instanceof UsageError) return error;
  const target = {
    server: `PostgreSQL at ${client.host}:${client.port}`,
    user: client.user ?? '',
    database: client.database ?? '',
  };
  const code = readErrorCode(error) ?? '';
  const refusal = REFUSALS[code];
  if (refusal !== undefined) return refusal(target);
  const words = error instanceof Error ? error.message : '';
  if (/password|SASL/i.test(words)) {
    return new UsageError(
      `${target.server} asks user "${target.user}" for a password and got none that it accepts. Put ` +
        'it into the database URL, or set PGPASSWORD.',
    );
  }
  if (/SSL|TLS|certificate|altname/i.test(words) || /TLS|CERT|SELF_SIGNED|SSL/.test(code)) {
    return new UsageError(
      `The TLS connection to ${target.server} could not be made. Check sslmode and sslrootcert of the ` +
        "database URL (verify-full needs the server's CA certificate and its real host name).",
    );
  }
  if (/^E[A-Z_]+$/.test(code) || /timeout|terminated/i.test(words) || error instanceof AggregateError) {
    return new UsageError(
      `${target.server} cannot be reached${code === '' ? '' : ` (${code})`}. Check host and port of ` +
        'the database URL, and that the server is running.',
    );
  }
  return undefined;
}

interface Target {
  readonly server: string;
  readonly user: string;
  readonly database: string;
}

/** Errors for people, by the SQLSTATE of a refused connection. */
const REFUSALS: Readonly<Record<string, (target: Target) => UsageError>> = {
  '28P01': refusedUser,
  '28000': refusedUser,
  '3D000': ({ server, database }) =>
    new UsageError(
      `${server} has no database "${database}". Check the name at the end of the database URL.`,
      `CREATE DATABASE "${database.replaceAll('"', '""')}";`,
    ),
  '42501': ({ server, user, database }) =>
    new UsageError(
      `${server} does not let user "${user}" connect to database "${database}".`,
      `GRANT CONNECT ON DATABASE "${database.replaceAll('"', '""')}" TO "${user.replaceAll('"', '""')}";`,
    ),
  '53300': ({ server }) =>
    new UsageError(`${server} has no free connection. Lower --concurrency, or raise max_connections.`),
  '57P03': ({ server }) =>
    new UsageError(`${server} is starting up or shutting down. Try again in a moment.`),
};

function refusedUser({ server, user }: Target): UsageError {
  return new UsageError(
    `${server} refused user "${user}": wrong password, or pg_hba.conf does not let this user in. ` +
      'Check user and password of the database URL.',
  );
}

/**
 * Explains a failure to connect to an endpoint in a sentence that names the server.
 * The sentence never holds the login or the server's own message. A `FreshetError` is given back as
 * it is.
 */
export function explainEndpointFailure(
  error: unknown,
  endpoint: { readonly host: string; readonly port: number; readonly database: string },
): Error {
  if (error instanceof FreshetError) return error;
  const server = `PostgreSQL at ${endpoint.host}:${endpoint.port}`;
  const code = readErrorCode(error) ?? '';
  if (isLoginRefused(error))
    return stop(
      `sqlstate_${code}`,
      `${server} refused the login, also after it was read anew: check user and password of the ` +
        "database secret (with IAM: the role's rds_iam and the function's rds-db:connect).",
    );
  if (code === '3D000')
    return stop('sqlstate_3D000', `${server} has no database "${endpoint.database}": check its name.`);
  if (isTlsFailure(code))
    return stop(
      `network_${code.toLowerCase()}`,
      `${server} could not prove who it is: its certificate must come from the configured authority ` +
        'and name the host.',
    );
  if (error instanceof Error && /does not support SSL|establishing an SSL/.test(error.message))
    return stop('tls_not_offered', `${server} does not speak TLS, and nothing is sent without it.`);
  return toDatabaseFailure(error);
}

/**
 * SQLSTATEs of a wrong password and of a role that may not log in this way.
 * A refusal by IAM comes as either.
 */
const LOGIN_REFUSED = /^(28P01|28000)$/;

export function isLoginRefused(error: unknown): boolean {
  return LOGIN_REFUSED.test(readErrorCode(error) ?? '');
}

function stop(code: string, message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'stop', code });
}
