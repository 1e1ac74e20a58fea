import type { Space } from '../../core/model/space.ts';
import { beginDispatch } from './begin-dispatch.ts';
import { type DetectPorts, NOTHING_DETECTED, type PassResult } from './detect-ports.ts';
import { leaseOrGiveBack } from './lease-or-give-back.ts';
import { sendLeasedRows } from './send-leased-rows.ts';

/**
 * Runs the incremental pass of one space.
 * The horizon is read before the scan, so that a row that is committed between the two is above the
 * next watermark. The watermark never passes the first stale row that was not sent. A space without
 * a watermark starts at the horizon: older rows belong to the reconcile pass. `capacity` is the
 * most rows that may be leased.
 */
export async function detectChangedRows(
  ports: DetectPorts,
  space: Space,
  capacity: number,
): Promise<PassResult> {
  if (capacity <= 0) return NOTHING_DETECTED;
  const { detection } = ports;
  const { watermark } = await detection.readPosition(space);
  const horizon = await detection.readHorizon(space);
  const dispatch = beginDispatch(ports, 'fresh');
  const request = { ...dispatch, limit: capacity, watermark: watermark ?? horizon };
  const changed = await leaseOrGiveBack(ports, space, dispatch, () =>
    detection.leaseChangedRows(space, request),
  );
  const { sent, refused } = await sendLeasedRows(ports, space, dispatch, changed.rows);
  if (horizon !== null) {
    const unsent = [changed.firstUnsentVersion, ...refused.map(row => row.version)];
    await detection.writeWatermark(space, [horizon, ...unsent]);
  }
  return { ...NOTHING_DETECTED, leased: changed.rows.length, sent };
}
