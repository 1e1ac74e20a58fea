import { classifyProviderFailure } from '../../core/errors/classify-provider-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { Clock } from '../../ports/clock.ts';

/** Without a reason of its own each abort makes an error with a stack that nobody reads. */
const ANSWERED = 'answered';

/** The one deadline over connecting, headers and body, and over a second try with a fresh key. Clients' own timers stay behind it. */
export async function withinDeadline<Answer>(
  request: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  clock: Clock,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const deadline = new AbortController();
  const answered = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
  void clock.sleep(request.deadlineMs, answered.signal).then(() => {
    if (!answered.signal.aborted) deadline.abort();
  });
  try {
    return await Promise.race([call(signal), rejectOnAbort(signal)]);
  } catch (error) {
    if (request.signal?.aborted)
      throw new FreshetError('The call was given up.', { failureClass: 'transient', code: 'aborted' });
    if (deadline.signal.aborted) throw classifyProviderFailure({ timedOut: true });
    throw error;
  } finally {
    answered.abort(ANSWERED);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(new Error('aborted'));
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}
