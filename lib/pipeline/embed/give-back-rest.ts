import type { FreshetError } from '../../core/errors/freshet-error.ts';
import type { DispatchMessage } from '../../core/model/dispatch-message.ts';
import type { Space } from '../../core/model/space.ts';
import { describeFailure } from '../describe-failure.ts';
import type { QueueRecord, RecordResult } from '../queue-record.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { giveBack, leaveToDetect } from './give-back.ts';

const DEFAULT_THROTTLE_SECONDS = 30;
const PAUSE_SECONDS = 60;
const TRANSIENT_BASE_SECONDS = 15;
const TRANSIENT_CAP_SECONDS = 300;

/** Gives unsettled rows back after a purchase ended early, as the failure's class asks. */
export async function giveBackRest(
  ports: EmbedPorts,
  record: QueueRecord,
  rest: { readonly space: Space; readonly message: DispatchMessage; readonly ids: readonly string[] },
  ended: FreshetError,
): Promise<RecordResult> {
  const reason = describeFailure(ended);
  if (ended.failureClass === 'stop') {
    const scope = `model:${rest.space.model.alias}`;
    ports.metrics.count('ModelPauses', 1);
    ports.logger.error('model-paused', { scope, code: ended.code });
    ports.observer?.paused(scope, reason);
    await ports.control.pause(scope, `provider:${ended.code}`, ended.message);
    if (ports.runId !== null) return leaveToDetect(ports, rest.space, rest.message, rest.ids);
  } else if (ended.failureClass !== 'throttled' && ended.failureClass !== 'transient') {
    ports.metrics.count('UnknownFailures', 1);
    ports.logger.error('provider-failure-unknown', { code: ended.code, requestId: ended.requestId });
    ports.observer?.recordFailed(reason);
    return 'returned';
  }
  const afterSeconds = findWaitSeconds(ended, record.receiveCount);
  return giveBack(ports, record, { ...rest, afterSeconds, reason });
}

function findWaitSeconds({ failureClass, code, retryAfterMs }: FreshetError, receiveCount: number): number {
  if (failureClass === 'stop') return PAUSE_SECONDS;
  if (code === 'out_of_time' || code === 'call_budget') return 0;
  if (retryAfterMs !== undefined) return retryAfterMs / 1000;
  if (failureClass === 'throttled') return DEFAULT_THROTTLE_SECONDS;
  return Math.min(TRANSIENT_CAP_SECONDS, TRANSIENT_BASE_SECONDS * 2 ** (receiveCount - 1));
}
