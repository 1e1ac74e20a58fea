import { FreshetError, UsageError } from '../../core/errors.ts';
import type { OperateReply } from '../../ports/operator.ts';
import type { Logger } from '../../ports/process.ts';
import { describeFailure } from '../failures.ts';

/** A rejection would reach the operator as a stack of a function somewhere; this reaches them as a sentence. Never rejects. */
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
const MENDED_BY_PEOPLE: readonly string[] = ['bad_request', 'not_usable'];

/**
 * Reads the answer in a reply of the `operate` function, or of the process that has the embedded database.
 * @throws UsageError, FreshetError what was thrown there
 */
export function readOperateReply(reply: unknown): object {
  const { answer, error } = Object(reply) as {
    answer?: object;
    error?: Extract<OperateReply, { error: object }>['error'];
  };
  if (answer !== undefined) return answer;
  if (error !== undefined && MENDED_BY_PEOPLE.includes(error.code))
    throw new UsageError(error.message, error.remedy);
  throw new FreshetError(error?.message ?? 'The reply is not what this version expects.', {
    failureClass: error?.failureClass ?? 'unknown',
    code: error?.code ?? 'bad_reply',
  });
}
