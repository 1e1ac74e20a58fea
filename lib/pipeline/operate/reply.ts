import { FreshetError, UsageError } from '../../core/errors.ts';
import type { OperateReply } from '../../ports/operator.ts';
import type { Logger } from '../../ports/process.ts';
import { describeFailure } from '../failures.ts';

/**
 * Resolves with the answer, or with an error that an operator can read. Never rejects.
 * A rejection would reach the operator as the stack of a function somewhere.
 */
export async function refuseReadably(logger: Logger, answer: () => Promise<object>): Promise<OperateReply> {
  try {
    return { answer: await answer() };
  } catch (error) {
    const { failureClass, code, message } = describeFailure(error);
    logger.error('operator-refused', { failureClass, code });
    if (!(error instanceof UsageError)) return { error: { message, failureClass, code } };
    const { remedy } = error;
    return {
      error: { message: error.message, ...(remedy === undefined ? {} : { remedy }), failureClass, code },
    };
  }
}

/** Codes of what the person at the keyboard can mend. */
const USAGE_CODES: readonly string[] = ['bad_request', 'not_usable'];

/**
 * Reads the answer in a reply of the `operate` function or of another process.
 * @throws UsageError, FreshetError what was thrown there
 */
export function readOperateReply(reply: unknown): object {
  const { answer, error } = Object(reply) as {
    answer?: object;
    error?: Extract<OperateReply, { error: object }>['error'];
  };
  if (answer !== undefined) return answer;
  if (error !== undefined && USAGE_CODES.includes(error.code))
    throw new UsageError(error.message, error.remedy);
  throw new FreshetError(error?.message ?? 'The reply is not what this version expects.', {
    failureClass: error?.failureClass ?? 'unknown',
    code: error?.code ?? 'bad_reply',
  });
}
