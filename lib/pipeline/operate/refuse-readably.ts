import type { Logger } from '../../ports/logger.ts';
import type { OperateReply } from '../../ports/operator.ts';
import { describeFailure } from '../describe-failure.ts';

/** A rejection would reach the operator as a stack of a function somewhere; this reaches them as a sentence. Never rejects. */
export async function refuseReadably(logger: Logger, answer: () => Promise<object>): Promise<OperateReply> {
  try {
    return { answer: await answer() };
  } catch (error) {
    const { failureClass, code, message } = describeFailure(error);
    logger.error('operator-refused', { failureClass, code });
    return { error: { message, failureClass, code } };
  }
}
