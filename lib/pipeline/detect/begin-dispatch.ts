import type { Lane } from '../../core/model/vocabulary.ts';
import type { LeaseRequest } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';

/** From leasing to the confirmed send: long enough for a slow queue, short enough that a killed detect delays its rows little. */
export const SENDING_LEASE_SECONDS = 120;

/** A new dispatch, and how long its leases last: until the send is confirmed, or for as long as their messages may take where nobody confirms. */
export function beginDispatch(
  ports: Pick<DetectPorts, 'randomness' | 'confirmsSends' | 'limits' | 'runId'>,
  lane: Lane,
): Omit<LeaseRequest, 'limit'> {
  const named = { dispatchId: ports.randomness.identifier(), lane, runId: ports.runId };
  if (ports.confirmsSends !== false)
    return { ...named, stage: 'sending', leaseSeconds: SENDING_LEASE_SECONDS };
  return { ...named, stage: 'queued', leaseSeconds: ports.limits.queuedLeaseSeconds };
}
