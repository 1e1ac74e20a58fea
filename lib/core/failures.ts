import { FreshetError } from './errors.ts';
import type { FailureClass } from './model.ts';
import { wordsOfSqlState } from './sqlstates.ts';

/** What is known of a failed call to an AWS service. */
interface AwsSignal {
  /** The service's name for people: `SQS`, `S3`, `Secrets Manager`. */
  readonly service: string;
  /**
   * The service's error name, as `ThrottlingException`.
   * SQS puts a prefix before it: `AWS.SimpleQueueService.NonExistentQueue`.
   */
  readonly name?: string | undefined;
  readonly status?: number | undefined;
  /** Node's code of an error below HTTP, as `ECONNRESET`. */
  readonly networkCode?: string | undefined;
  readonly timedOut?: boolean | undefined;
  readonly requestId?: string | undefined;
}

/**
 * Failure classes by the end of the service's error name; the first match counts.
 * S3 answers `SlowDown` with status 503. The bucket exists, so `SlowDown` is `transient` like any
 * other 503.
 */
const AWS_CLASSES: readonly (readonly [RegExp, FailureClass])[] = [
  [/(Throttl\w*|TooManyRequests(Exception)?|RequestLimitExceeded|LimitExceededException)$/, 'throttled'],
  [
    /(SlowDown|InternalError|InternalFailure|InternalServiceError|ServiceUnavailable(Exception)?)$/,
    'transient',
  ],
  [/(RequestTimeout(Exception)?|ConditionalRequestConflict|OperationAborted)$/, 'transient'],
  // Credentials that expired while the process was frozen: the next call has new ones.
  [/(ExpiredToken(Exception)?|RequestExpired|RequestTimeTooSkewed)$/, 'transient'],
  [/(AccessDenied(Exception)?|UnrecognizedClient(Exception)?|InvalidClientTokenId)$/, 'stop'],
  [/(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignatureException|NotAuthorized)$/, 'stop'],
  [/(CredentialsProviderError|NonExistentQueue|QueueDoesNotExist|NoSuchBucket|InvalidAddress)$/, 'stop'],
  [/(ResourceNotFoundException|DecryptionFailure|InvalidRequestException)$/, 'stop'],
  [
    /(Kms|KMS)(AccessDenied|Disabled|InvalidState|NotFound|OptInRequired|InvalidKeyUsage)(Exception)?$/,
    'stop',
  ],
];

const AWS_ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: 'it asked for patience',
  transient: 'it is tried again',
  'too-large': 'it is split',
  item: 'it refused one object',
  stop: 'nothing goes on until this is mended',
  unknown: 'the cause is not known',
};

/**
 * Turns a failed AWS call into a `FreshetError` with a class and a code.
 * A timeout decides first, then a known error name, then Node's code of an error below HTTP, then
 * the HTTP status. The service's own message is not kept: it contains ARNs and can contain what was
 * sent.
 */
export function classifyAwsFailure(signal: AwsSignal): FreshetError {
  const { failureClass, code } = judgeAwsSignal(signal);
  return new FreshetError(
    `${signal.service} did not do what it was asked (${code}): ${AWS_ACTION[failureClass]}.`,
    { failureClass, code, requestId: signal.requestId },
  );
}

function judgeAwsSignal(signal: AwsSignal): FailureVerdict {
  const name = /^[A-Za-z][A-Za-z0-9.]{2,99}$/.test(signal.name ?? '') ? signal.name : undefined;
  const known = name === undefined ? undefined : AWS_CLASSES.find(([pattern]) => pattern.test(name));
  if (signal.timedOut) return { failureClass: 'transient', code: 'aws_timeout' };
  if (known) return { failureClass: known[1], code: `aws_${name}` };
  const below = judgeNetworkFailure(signal.networkCode);
  if (below !== undefined) return below;
  const code = name === undefined || name === 'Error' ? undefined : `aws_${name}`;
  return { failureClass: classOfStatus(signal.status), code: code ?? `aws_http_${signal.status ?? 'none'}` };
}

function classOfStatus(status: number | undefined): FailureClass {
  if (status === 429) return 'throttled';
  if (status === 408 || (status !== undefined && status >= 500)) return 'transient';
  if (status === 401 || status === 403) return 'stop';
  return status !== undefined && status >= 300 && status < 400 ? 'stop' : 'unknown';
}

/** Whether a failure of the database is tried again; empty where the class does not tell. */
const DATABASE_ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: ' It is tried again.',
  transient: ' It is tried again.',
  'too-large': ' It is split.',
  item: '',
  stop: ' Nothing can be written until this is mended.',
  unknown: '',
};

/**
 * Turns a database failure into a `FreshetError` with a class and a code.
 * The SQLSTATE decides, or Node's error code where the connection broke. The database's own message
 * is not kept: it can quote a row. The words are those of the table in `sqlstates.ts`.
 */
export function classifyDatabaseFailure(signal: {
  readonly sqlState?: string | undefined;
  readonly networkCode?: string | undefined;
}): FreshetError {
  const known = describeSqlState(signal.sqlState);
  if (known !== undefined)
    return new FreshetError(`The database refused a statement (${known.code}): ${known.sentences}`, known);
  const below = judgeNetworkFailure(signal.networkCode);
  if (below !== undefined) {
    const action = DATABASE_ACTION[below.failureClass];
    return new FreshetError(`The connection to the database failed (${below.code}).${action}`, below);
  }
  return new FreshetError(
    'The database refused a statement (database_unclassified), without a known cause.',
    {
      failureClass: 'unknown',
      code: 'database_unclassified',
    },
  );
}

const UNKNOWN_STATE = {
  meaning: 'Freshet has no words for it',
  remedy: 'Look into the log of the server.',
};

/**
 * Describes a SQLSTATE: its class, its code, and what it means, what to do and whether it is tried
 * again. Undefined for what is no SQLSTATE.
 */
export function describeSqlState(
  sqlState: string | undefined,
): (FailureVerdict & { readonly sentences: string }) | undefined {
  // Every SQLSTATE holds a digit; Node's `EPIPE` is as long and holds none.
  if (sqlState === undefined || !/^(?=.*\d)[0-9A-Z]{5}$/.test(sqlState)) return undefined;
  const words = wordsOfSqlState(sqlState);
  const failureClass = words?.failureClass ?? 'unknown';
  const { meaning, remedy } = words ?? UNKNOWN_STATE;
  const sentences = `${meaning}.${DATABASE_ACTION[failureClass]} ${remedy}`;
  return { failureClass, code: `sqlstate_${sqlState}`, sentences };
}

/** Beginnings and wholes of Node's codes for a certificate or a handshake that will not do. */
const TLS_CODES = new RegExp(
  '^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|' +
    'INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_|EPROTO$)',
);

/**
 * Whether Node's error code says that the other side could not prove its identity.
 * Trying again does not mend such a failure.
 */
export function isTlsFailure(networkCode: string): boolean {
  return TLS_CODES.test(networkCode);
}

/**
 * The failure code of Node's code of an error below HTTP, such as `network_econnreset`.
 * Undefined for what is no such code.
 */
export function codeOfNetworkFailure(networkCode: string | undefined): string | undefined {
  if (networkCode === undefined || !/^[A-Z][A-Z0-9_]{1,49}$/.test(networkCode)) return undefined;
  return `network_${networkCode.toLowerCase()}`;
}

interface FailureVerdict {
  readonly failureClass: FailureClass;
  readonly code: string;
}

function judgeNetworkFailure(networkCode: string | undefined): FailureVerdict | undefined {
  const code = codeOfNetworkFailure(networkCode);
  if (networkCode === undefined || code === undefined) return undefined;
  return { failureClass: isTlsFailure(networkCode) ? 'stop' : 'transient', code };
}
