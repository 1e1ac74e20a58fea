import type { FreshetError } from '../../core/errors/freshet-error.ts';
import type { DispatchMessage } from '../../core/model/dispatch-message.ts';
import type { ResultObject } from '../../core/model/result-object.ts';
import { describeFailure } from '../describe-failure.ts';
import type { QueueRecord, RecordResult } from '../queue-record.ts';
import { announceResult } from './announce-result.ts';
import type { Purchase } from './buy-vectors.ts';
import { composeResult, type Settlement } from './compose-result.ts';
import type { EmbedPorts } from './embed-ports.ts';
import { giveBack, leaveToDetect } from './give-back.ts';
import { recordOutage } from './record-outage.ts';

const DEFAULT_THROTTLE_SECONDS = 30;
const PAUSE_SECONDS = 60;
const TRANSIENT_BASE_SECONDS = 15;
const TRANSIENT_CAP_SECONDS = 300;

/**
 * Keeps what was bought, then does what the failure's class asks for the rest. Calls that bought nothing for certain lose their grants; if
 * nothing else came of the message, it leaves no object.
 */
export async function settlePurchase(
  ports: EmbedPorts,
  record: QueueRecord,
  message: DispatchMessage,
  ids: readonly string[],
  bought: Settlement,
  remainingMs: () => number,
): Promise<RecordResult> {
  const settlement = recordOutage(ports, record, bought);
  const { space, purchase } = settlement;
  const result = composeResult(settlement);
  let settled: string[] = [];
  if (isWorthAnnouncing(result, purchase)) {
    settled = await announceResult(ports, space, result, remainingMs);
  } else {
    for (const { entry } of purchase.calls) await ports.embedding.revokeGrant(entry.callId);
  }
  measureResult(ports, result);
  const { ended } = purchase;
  if (!ended) return 'done';

  const rest = withoutThose(ids, settled);
  const reason = describeFailure(ended);
  if (ended.failureClass === 'stop') {
    const scope = `model:${space.model.alias}`;
    ports.metrics.count('ModelPauses', 1);
    ports.logger.error('model-paused', { scope, code: ended.code });
    ports.observer?.paused(scope, reason);
    await ports.control.pause(scope, `provider:${ended.code}`, ended.message);
    if (ports.runId !== null) return leaveToDetect(ports, space, message, rest);
  } else if (ended.failureClass !== 'throttled' && ended.failureClass !== 'transient') {
    ports.metrics.count('UnknownFailures', 1);
    ports.logger.error('provider-failure-unknown', { code: ended.code, requestId: ended.requestId });
    ports.observer?.recordFailed(reason);
    return 'returned';
  }
  const afterSeconds = findWaitSeconds(ended, record.receiveCount);
  return giveBack(ports, record, { space, message, ids: rest, afterSeconds, reason });
}

function isWorthAnnouncing(result: ResultObject, { calls }: Purchase): boolean {
  const entries = result.outcomes.length + result.copies.length + result.touches.length;
  return entries > 0 || calls.some(({ maybeBilled }) => maybeBilled);
}

function findWaitSeconds({ failureClass, code, retryAfterMs }: FreshetError, receiveCount: number): number {
  if (failureClass === 'stop') return PAUSE_SECONDS;
  if (code === 'out_of_time' || code === 'call_budget') return 0;
  if (retryAfterMs !== undefined) return retryAfterMs / 1000;
  if (failureClass === 'throttled') return DEFAULT_THROTTLE_SECONDS;
  return Math.min(TRANSIENT_CAP_SECONDS, TRANSIENT_BASE_SECONDS * 2 ** (receiveCount - 1));
}

function withoutThose(ids: readonly string[], settled: readonly string[]): string[] {
  const known = new Set(settled);
  return ids.filter(id => !known.has(id));
}

function measureResult({ metrics }: EmbedPorts, result: ResultObject): void {
  metrics.count('CopiedRows', result.copies.length);
  metrics.count('TouchedRows', result.touches.length);
  metrics.count('RefusedTexts', result.verdicts.length);
}
