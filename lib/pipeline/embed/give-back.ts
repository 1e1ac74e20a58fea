import type { DispatchMessage } from '../../core/model/dispatch-message.ts';
import type { Space } from '../../core/model/space.ts';
import type { ObservedReason } from '../../ports/run-observer.ts';
import { describeFailure } from '../describe-failure.ts';
import type { QueueRecord, RecordResult } from '../queue-record.ts';
import type { EmbedPorts } from './embed-ports.ts';

/**
 * Seconds by which a lease outlives its hidden message.
 * `detect` thereby does not send the same rows while the message returns.
 */
const LEASE_MARGIN_SECONDS = 60;
const MAX_VISIBILITY_SECONDS = 43_200;

interface WaitingRows {
  readonly space: Space;
  readonly message: DispatchMessage;
  readonly ids: readonly string[];
  readonly afterSeconds: number;
  readonly reason: ObservedReason;
}

/**
 * Gives rows back so that waiting is no attempt and never ends in a dead letter.
 * The message is hidden for `afterSeconds`. On its next-to-last receive the message is acknowledged
 * instead: its leases then expire in time, and `detect` sends the rows again.
 */
export async function giveBack(
  ports: EmbedPorts,
  record: QueueRecord,
  waiting: WaitingRows,
): Promise<RecordResult> {
  const { space, message, ids, reason } = waiting;
  const seconds = Math.min(Math.ceil(waiting.afterSeconds), MAX_VISIBILITY_SECONDS);
  const acknowledges = record.receiveCount >= ports.limits.maxReceiveCount - 1;
  const leaseSeconds = acknowledges ? seconds : seconds + LEASE_MARGIN_SECONDS;
  await ports.embedding.postponeLeases(space, message.dispatchId, ids, leaseSeconds);
  ports.metrics.count('PostponedRows', ids.length);
  ports.logger.warn('rows-postponed', {
    spaceId: space.spaceId,
    rows: ids.length,
    seconds,
    failureClass: reason.failureClass,
    code: reason.code,
  });
  ports.observer?.postponed(ids.length, seconds, reason);
  if (acknowledges) return 'done';
  try {
    await ports.queues(space.model.alias, message.lane).changeVisibility(record.receiptHandle, seconds);
  } catch (error) {
    // The queue's own visibility timeout brings the message back.
    ports.logger.warn('visibility-not-changed', { code: describeFailure(error).code });
  }
  return 'returned';
}

/**
 * Acknowledges the message and frees its rows. The attempt does not count.
 * `detect` does not send rows of a broken source or a paused model, and sends these rows once the
 * cause is mended. A local run must not wait for a hidden message before it ends or goes on with a
 * fallback.
 */
export async function leaveToDetect(
  ports: Pick<EmbedPorts, 'embedding'>,
  space: Space,
  { dispatchId }: Pick<DispatchMessage, 'dispatchId'>,
  ids: readonly string[],
): Promise<'done'> {
  await ports.embedding.postponeLeases(space, dispatchId, ids, 0);
  return 'done';
}
