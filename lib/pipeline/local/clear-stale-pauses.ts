import type { Space } from '../../core/model/space.ts';
import type { ControlStore, PauseReason } from '../../ports/control-store.ts';
import { findPauseReasons } from '../find-pause-reasons.ts';

/**
 * Whoever starts a run asks for another try: reasons that failures set (a provider's, the database's) are cleared, and come back with the first
 * call if they still hold. What people and checks set stays. Resolves with what was cleared.
 */
export async function clearStalePauses(
  control: ControlStore,
  spaces: readonly Space[],
): Promise<PauseReason[]> {
  const cleared: PauseReason[] = [];
  for (const space of spaces) {
    for (const pause of await findPauseReasons(control, space)) {
      if (pause.reason !== 'database' && !pause.reason.startsWith('provider:')) continue;
      await control.resume(pause.scope, pause.reason);
      cleared.push(pause);
    }
  }
  return cleared;
}
