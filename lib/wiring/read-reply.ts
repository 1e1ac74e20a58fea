import { FreshetError } from '../core/errors/freshet-error.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { OperateReply } from '../ports/operator.ts';

/** The answer in a reply, or its error thrown here as it was there. */
export function readReply(reply: unknown): object {
  const { answer, error } = (reply ?? {}) as {
    answer?: object;
    error?: Extract<OperateReply, { error: object }>['error'];
  };
  if (answer !== undefined) return answer;
  if (error?.code === 'bad_request') throw new UsageError(error.message);
  throw new FreshetError(error?.message ?? 'The reply is not what this version expects.', {
    failureClass: error?.failureClass ?? 'unknown',
    code: error?.code ?? 'bad_reply',
  });
}
