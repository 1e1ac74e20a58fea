import type { Space } from '../../core/model/space.ts';
import type { LeaseDispatch } from '../../ports/detection-store.ts';
import type { DetectPorts } from './detect-ports.ts';

/**
 * Leases rows, and gives long leases back when the answer of the statement was lost.
 * Leases that nobody confirms are long from the start. If their statement's answer is lost, they
 * would keep their rows from everybody for as long, so that they are given back at once. Short
 * leases are left to expire.
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
      // If giving back fails too, the leases end with the run or with their time.
      // The caller needs to know why nothing was leased, not why giving back failed.
      await detection.abandonLeases(space, dispatch).catch(() => undefined);
    }
    throw error;
  }
}
