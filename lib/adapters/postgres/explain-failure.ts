import type pg from 'pg';
import { FreshetError, UnavailableError, UsageError } from '../../core/errors.ts';
import { describeSqlState, isTlsFailure } from '../../core/failures.ts';
import { type ConnectionTarget, wordsOfSqlState } from '../../core/sqlstates.ts';
import { readErrorCode, toDatabaseFailure } from '../sql/database.ts';
import { nameServer } from './connection-url.ts';

/**
 * Explains a failure to connect in a sentence with host and remedy.
 * The sentence never holds the password, the URL or the server's own message. Whoever gets the
 * error ends: the connection is not tried again.
 */
export function explainConnectionFailure(error: unknown, client: pg.Client): UsageError {
  if (error instanceof UsageError) return error;
  const target = {
    server: nameServer(client),
    user: client.user ?? '',
    database: client.database ?? '',
  };
  const code = readErrorCode(error) ?? '';
  if (describeSqlState(code) !== undefined) return explainRefusal(code, target);
  const words = error instanceof Error ? error.message : '';
  if (/password|SASL/i.test(words)) {
    return new UsageError(
      `${target.server} asks user "${target.user}" for a password and got none that it accepts. Put ` +
        'it into the database URL, or set PGPASSWORD.',
    );
  }
  if (isTlsFailure(code) || /SSL|TLS|certificate|altname/i.test(words))
    return explainTlsFailure(target.server, code, words);
  return explainSilence(target.server, code, words, error instanceof AggregateError);
}

/** Explains a connection on which nobody refused anything, and nobody spoke as PostgreSQL does. */
function explainSilence(server: string, code: string, words: string, isAggregate: boolean): UsageError {
  if (/received invalid response/.test(words))
    return new UsageError(
      `${server} is another kind of server: what it says is not PostgreSQL's protocol. Check host and port ` +
        'of the database URL.',
    );
  if (/terminated/i.test(words) && code === '')
    return new UnavailableError(
      `${server} closed the connection without an answer. Check that PostgreSQL listens there, not another ` +
        'kind of server, that it is running and lets this machine in, and whether it wants TLS ' +
        '(sslmode=require).',
    );
  if (/^E[A-Z_]+$/.test(code) || /timeout/i.test(words) || isAggregate)
    return new UnavailableError(
      `${server} cannot be reached (${code === '' ? 'no answer in time' : code}). Check host and port of ` +
        'the database URL, and that the server is running.',
    );
  return new UnavailableError(
    `No connection to ${server} could be made, for a cause that Freshet has no words for. Look into the ` +
      'log of the server.',
  );
}

/**
 * SQLSTATEs at connecting that tell how the server is doing, not what it was asked for.
 * 08P01 is not among them: poolers say it of wrong names and passwords above all.
 */
const UNAVAILABLE = /^(08(?!P01)...|53...|57...|58...|XX00[12])$/;

/** Explains a connection that the server, or a pooler in front of it, refused with a SQLSTATE. */
function explainRefusal(sqlState: string, target: ConnectionTarget): UsageError {
  const words = wordsOfSqlState(sqlState);
  const own = words?.connecting?.(target);
  // The words for one row's fault say nothing of a login, whose trigger may have met one.
  const isOfRows = words?.failureClass === 'item';
  const meaning = words === undefined || isOfRows ? 'Freshet has no words for it' : words.meaning;
  const refused =
    own?.message ??
    `${target.server} refused user "${target.user}" for database "${target.database}" ` +
      `(sqlstate_${sqlState}): ${meaning}.`;
  const meant = words?.pooler ?? (own === undefined ? 'Look into the log of the server.' : undefined);
  const Explained = UNAVAILABLE.test(sqlState) ? UnavailableError : UsageError;
  return new Explained(
    [refused, meant, 'Nothing is tried again by itself.'].filter(said => said !== undefined).join(' '),
    own?.statement,
  );
}

/**
 * Explains why no TLS connection was made, with the parameter of the database URL that mends it.
 * Freshet verifies the server under every mode that asks for TLS (docs/decisions/0018).
 */
function explainTlsFailure(server: string, code: string, words: string): UsageError {
  const failed = `The TLS connection to ${server} could not be made`;
  if (/does not support SSL|establishing an SSL/.test(words))
    return new UsageError(
      `${failed}: it does not speak TLS, and the database URL asks for TLS.`,
      'On a network that you trust: sslmode=disable in the database URL.',
    );
  const known = TLS_FAULTS.find(([codes]) => codes.test(code));
  const [, cause, mend] = known ?? [
    code,
    `the handshake failed${code === '' ? '' : ` (${code})`}`,
    'Check sslmode and sslrootcert of the database URL',
  ];
  return new UsageError(
    `${failed}: ${cause}. The server is verified under every sslmode that asks for TLS, "require" too.`,
    `${mend}. On a network that you trust, sslmode=no-verify encrypts and verifies nothing.`,
  );
}

/** Faults of a certificate, by Node's codes, and what a person does. */
const TLS_FAULTS: readonly (readonly [codes: RegExp, cause: string, mend: string])[] = [
  [
    /ALTNAME_INVALID|HOSTNAME_MISMATCH/,
    'its certificate names another host',
    'Put a host name that the certificate has into the database URL',
  ],
  [
    /SELF_SIGNED|^UNABLE_TO_|INVALID_CA/,
    'its certificate comes from no authority that this machine knows',
    "Get the server's CA certificate and add sslrootcert=/path/to/ca.pem to the database URL",
  ],
  [
    /EXPIRED|NOT_YET_VALID/,
    'its certificate is not valid at this time',
    "Renew the server's certificate, or set the clock of this machine",
  ],
];

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
  const server = nameServer(endpoint);
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
  const state = describeSqlState(code);
  if (state === undefined) return toDatabaseFailure(error);
  const pooler = wordsOfSqlState(code)?.pooler;
  return new FreshetError(
    `${server} refused a connection to database "${endpoint.database}" (${state.code}): ` +
      `${state.sentences}${pooler === undefined ? '' : ` ${pooler}`}`,
    state,
  );
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
