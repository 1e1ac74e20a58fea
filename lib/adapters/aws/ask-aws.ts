import { FreshetError } from '../../core/errors/freshet-error.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import { errorName, toAwsFailure } from './to-aws-failure.ts';

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
export async function askAws<Answer>(action: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    throw explain(action, error);
  }
}

function explain(action: string, error: unknown): UsageError | FreshetError {
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
  return sayToPerson(action, toAwsFailure(action, error));
}

/**
 * Words a passing failure for a person, who has to repeat the command.
 * A function repeats the call by itself.
 */
function sayToPerson(action: string, { message, failureClass, code, requestId }: FreshetError): FreshetError {
  const isPassing = failureClass === 'transient' || failureClass === 'throttled';
  const sentence = !isPassing
    ? message
    : code.startsWith('network_')
      ? `AWS was not reached for ${action}: check the name of the region, and the network.`
      : code === 'aws_timeout'
        ? `AWS did not answer ${action} in time: give the command again.`
        : `AWS could not do ${action} just now: give the command again.`;
  return new FreshetError(sentence, { failureClass, code, requestId });
}
