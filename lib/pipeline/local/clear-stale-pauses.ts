import type { Space } from '../../core/model/space.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import { findPauseReasons } from '../find-pause-reasons.ts';

/**
 * Whoever starts a run asks for another try: reasons that failures set (a provider's, the database's) are cleared, and come back with the first
 * call if they still hold. What people and checks set stays.
 */
export async function clearStalePauses(control: ControlStore, spaces: readonly Space[]): Promise<void> {
  for (const space of spaces) {
    for (const { scope, reason } of await findPauseReasons(control, space)) {
      const setByFailure = reason === 'database' || reason.startsWith('provider:');
      if (setByFailure) await control.resume(scope, reason);
    }
  }
}
