import { SOURCE_FAULT_PREFIX } from '../../core/errors/source-fault.ts';
import type { Space } from '../../core/model/space.ts';
import type { PauseReason } from '../../ports/control-store.ts';
import type { SourceFault } from '../../ports/detection-store.ts';
import { findPauseReasons } from '../find-pause-reasons.ts';
import type { DetectPorts } from './detect-ports.ts';

interface SourceCheck {
  readonly fault: SourceFault | undefined;
  /** Pause reasons that are not about a fault of the source. */
  readonly pausedBy: readonly PauseReason[];
}

/**
 * Pauses a source that is no longer what its space was made for.
 * Once the source is mended, the check clears the reason of the fault and no other reason.
 */
export async function checkSource(ports: DetectPorts, space: Space): Promise<SourceCheck> {
  const { control } = ports;
  const scope = `source:${space.source.name}`;
  const fault = await ports.detection.findSourceFault(space);
  const reasons = await findPauseReasons(control, space);
  const faultReason = fault && `${SOURCE_FAULT_PREFIX}${fault.code}`;
  const isFaultReason = ({ reason }: PauseReason) => reason.startsWith(SOURCE_FAULT_PREFIX);
  for (const { reason } of reasons.filter(isFaultReason)) {
    if (reason !== faultReason) await control.resume(scope, reason);
  }
  if (fault && faultReason && !reasons.some(({ reason }) => reason === faultReason)) {
    await control.pause(scope, faultReason, fault.message);
  }
  return { fault, pausedBy: reasons.filter(reason => !isFaultReason(reason)) };
}
