import { FreshetError } from '../errors.ts';
import type { FailureClass } from '../model.ts';

const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_|EPROTO$)/;

/**
 * Whether Node's error code says that the other side could not prove its identity.
 * Trying again does not mend such a failure.
 */
export function isTlsFailure(networkCode: string): boolean {
  return TLS_CODES.test(networkCode);
}

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
const NAMES: readonly (readonly [RegExp, FailureClass])[] = [
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

const ACTION: Readonly<Record<FailureClass, string>> = {
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
  const { failureClass, code } = findVerdict(signal);
  return new FreshetError(
    `${signal.service} did not do what it was asked (${code}): ${ACTION[failureClass]}.`,
    {
      failureClass,
      code,
      requestId: signal.requestId,
    },
  );
}

function findVerdict(signal: AwsSignal): { failureClass: FailureClass; code: string } {
  const name = /^[A-Za-z][A-Za-z0-9.]{2,99}$/.test(signal.name ?? '') ? signal.name : undefined;
  const known = name === undefined ? undefined : NAMES.find(([pattern]) => pattern.test(name));
  if (signal.timedOut) return { failureClass: 'transient', code: 'aws_timeout' };
  if (known) return { failureClass: known[1], code: `aws_${name}` };
  const networkCode = signal.networkCode;
  if (networkCode !== undefined && /^[A-Z][A-Z0-9_]{1,49}$/.test(networkCode)) {
    const failureClass = isTlsFailure(networkCode) ? 'stop' : 'transient';
    return { failureClass, code: `network_${networkCode.toLowerCase()}` };
  }
  const code = name === undefined || name === 'Error' ? undefined : `aws_${name}`;
  return { failureClass: classOfStatus(signal.status), code: code ?? `aws_http_${signal.status ?? 'none'}` };
}

function classOfStatus(status: number | undefined): FailureClass {
  if (status === 429) return 'throttled';
  if (status === 408 || (status !== undefined && status >= 500)) return 'transient';
  if (status === 401 || status === 403) return 'stop';
  return status !== undefined && status >= 300 && status < 400 ? 'stop' : 'unknown';
}
