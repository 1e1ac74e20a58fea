import { FreshetError, UsageError } from '../../core/errors.ts';
import { classifyAwsFailure } from '../../core/failures.ts';
import { findNetworkCode } from '../network/open-network.ts';

/**
 * Makes one call to AWS for a function.
 * `service` is the name that the sentence of a failure gives to the service, as `SQS`.
 * @throws FreshetError for every failure, see `toAwsFailure`
 */
export async function callAws<Answer>(service: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    throw toAwsFailure(service, error);
  }
}

/**
 * Makes one call whose failure can mean that the subject of the call does not exist.
 * Resolves with undefined where `isMissing` says so of the SDK's error. Every other error is thrown
 * as it came, to be classified by `callAws` or `callAwsForPerson` around this call.
 */
export async function allowMissing<Answer>(
  call: () => Promise<Answer>,
  isMissing: (error: unknown) => boolean,
): Promise<Answer | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const SIGN_IN = 'aws sso login, or export AWS_PROFILE=…, or --profile NAME';
const EXPIRED = /^(ExpiredToken(Exception)?|TokenProviderError|RequestExpired)$/;
const NO_CREDENTIALS = /^(CredentialsProviderError|ProviderError)$/;
const WRONG_CREDENTIALS =
  /^(UnrecognizedClientException|InvalidClientTokenId|SignatureDoesNotMatch|InvalidSignatureException)$/;
const DENIED = /^(AccessDenied(Exception)?|UnauthorizedOperation|AuthorizationError(Exception)?|Forbidden)$/;

/**
 * Makes one call to AWS for a person at the keyboard.
 * `action` is the IAM action that somebody has to allow, as `sqs:StartMessageMoveTask`. The
 * service's own message is not kept.
 * @throws UsageError for what that person can mend
 * @throws FreshetError for every other failure
 */
export async function callAwsForPerson<Answer>(action: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    throw wordForPerson(action, error);
  }
}

function wordForPerson(action: string, error: unknown): UsageError | FreshetError {
  // Other adapters have put their own prefix before the service's name.
  const name = error instanceof FreshetError ? error.code.replace(/^aws_/, '') : (errorName(error) ?? '');
  const message = error instanceof Error ? error.message : '';
  if (error instanceof UsageError) return error;
  if (/region is missing/i.test(message))
    return new UsageError(
      'No AWS region is set.',
      '--region REGION, or export AWS_REGION=…, or a region in the profile',
    );
  if (EXPIRED.test(name) || (NO_CREDENTIALS.test(name) && /expired/i.test(message)))
    return new UsageError(`The AWS credentials have expired (${action}).`, SIGN_IN);
  if (NO_CREDENTIALS.test(name)) return new UsageError(`No AWS credentials were found (${action}).`, SIGN_IN);
  if (WRONG_CREDENTIALS.test(name))
    return new UsageError(`AWS does not know these credentials (${action}: ${name}).`, SIGN_IN);
  if (DENIED.test(name))
    return new UsageError(
      `AWS refused ${action}: this identity is not allowed to.`,
      `Allow ${action}, or use another profile.`,
    );
  return adviseRepeat(action, toAwsFailure(action, error));
}

/**
 * Words a transient failure for a person, who has to repeat the command.
 * A function repeats the call by itself.
 */
function adviseRepeat(
  action: string,
  { message, failureClass, code, requestId }: FreshetError,
): FreshetError {
  const isTransient = failureClass === 'transient' || failureClass === 'throttled';
  const sentence = !isTransient
    ? message
    : code.startsWith('network_')
      ? `AWS was not reached for ${action}: check the name of the region, and the network.`
      : code === 'aws_timeout'
        ? `AWS did not answer ${action} in time: give the command again.`
        : `AWS could not do ${action} just now: give the command again.`;
  return new FreshetError(sentence, { failureClass, code, requestId });
}

/**
 * Turns an error of the SDK into a `FreshetError`.
 * The SDK's error is not kept as the cause: its message can contain what was sent.
 */
export function toAwsFailure(service: string, error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const name = errorName(error);
  const networkCode = findNetworkCode(error);
  // The SDK names every broken connection a timeout; Node's code tells real timeouts from the
  // others.
  const slow = name === 'TimeoutError' && (networkCode === undefined || networkCode === 'ETIMEDOUT');
  const requestId = read(read(error, '$metadata'), 'requestId');
  return classifyAwsFailure({
    service,
    name: name === 'TimeoutError' ? undefined : name,
    status: httpStatus(error),
    networkCode,
    timedOut: slow || name === 'AbortError',
    requestId:
      typeof requestId === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(requestId) ? requestId : undefined,
  });
}

/** The service's name for an error. Undefined where no service raised the error. */
export function errorName(error: unknown): string | undefined {
  const name = read(error, 'name');
  return typeof name === 'string' ? name : undefined;
}

/** The HTTP status with which the service failed a call. Undefined where no answer came. */
export function httpStatus(error: unknown): number | undefined {
  const status = read(read(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

/** Number of requests that the SDK made for a failed call. */
export function attemptsOf(error: unknown): number {
  const attempts = read(read(error, '$metadata'), 'attempts');
  return typeof attempts === 'number' ? attempts : 1;
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
