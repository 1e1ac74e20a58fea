import type { Lane } from '../../core/model/vocabulary.ts';
import type { LeaseRequest } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';

/**
 * Seconds that a lease lasts from leasing to the confirmed send.
 * The time is long enough for a slow queue, and short enough that a killed `detect` delays its rows
 * little.
 */
export const SENDING_LEASE_SECONDS = 120;

/**
 * Draws a new dispatch, and says how long its leases last.
 * Leases last until the send is confirmed. Where nobody confirms sends, leases last for as long as
 * their messages may take.
 */
export function beginDispatch(
  ports: Pick<DetectPorts, 'randomness' | 'confirmsSends' | 'limits' | 'runId'>,
  lane: Lane,
): Omit<LeaseRequest, 'limit'> {
  const named = { dispatchId: ports.randomness.identifier(), lane, runId: ports.runId };
  if (ports.confirmsSends !== false)
    return { ...named, stage: 'sending', leaseSeconds: SENDING_LEASE_SECONDS };
  return { ...named, stage: 'queued', leaseSeconds: ports.limits.queuedLeaseSeconds };
}
