import type { Space } from '../../core/model/space.ts';
import type { LeaseDispatch } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';

/**
 * Leases that nobody confirms are long from the start. Those of a statement whose answer was lost would keep their rows from everybody for as
 * long, so they are given back at once. Short ones are left to expire.
 */
export async function leaseOrGiveBack<Leased>(
  { detection }: Pick<DetectPorts, 'detection'>,
  space: Space,
  dispatch: LeaseDispatch,
  lease: () => Promise<Leased>,
): Promise<Leased> {
  try {
    return await lease();
  } catch (error) {
    if (dispatch.stage === 'queued') {
      // Should that fail too, the leases end with the run or their time; what counts is why nothing was leased.
      await detection.abandonLeases(space, dispatch).catch(() => undefined);
    }
    throw error;
  }
}
