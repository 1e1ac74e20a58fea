import { FreshetError } from '../../core/errors/freshet-error.ts';
import { isTlsFailure } from '../../core/errors/is-tls-failure.ts';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';

/**
 * SQLSTATEs of a wrong password and of a role that may not log in this way.
 * A refusal by IAM comes as either.
 */
const LOGIN_REFUSED = /^(28P01|28000)$/;

export function isLoginRefused(error: unknown): boolean {
  return LOGIN_REFUSED.test(codeOf(error));
}

/**
 * Explains a failure to connect to an endpoint in a sentence with the server's place.
 * The sentence never holds the login or the server's own message. A `FreshetError` is given back as
 * it is.
 */
export function explainEndpointFailure(error: unknown, endpoint: PostgresEndpoint): Error {
  if (error instanceof FreshetError) return error;
  const place = `PostgreSQL at ${endpoint.host}:${endpoint.port}`;
  const code = codeOf(error);
  if (isLoginRefused(error))
    return stop(
      `sqlstate_${code}`,
      `${place} refused the login, also after it was read anew: check user and password of the database secret (with IAM: the role's rds_iam and the function's rds-db:connect).`,
    );
  if (code === '3D000')
    return stop('sqlstate_3D000', `${place} has no database "${endpoint.database}": check its name.`);
  if (isTlsFailure(code))
    return stop(
      `network_${code.toLowerCase()}`,
      `${place} could not prove who it is: its certificate must come from the configured authority and name the host.`,
    );
  if (error instanceof Error && /does not support SSL|establishing an SSL/.test(error.message))
    return stop('tls_not_offered', `${place} does not speak TLS, and nothing is sent without it.`);
  return toDatabaseFailure(error);
}

function stop(code: string, message: string): FreshetError {
  return new FreshetError(message, { failureClass: 'stop', code });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
