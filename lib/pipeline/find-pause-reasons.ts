import { ORPHANS_CONFIRMED } from '../core/model/confirmation.ts';
import type { Space } from '../core/model/space.ts';
import type { ControlStore, PauseReason } from '../ports/control-store.ts';

/**
 * Every reason why work on the space must not go on.
 * The reasons are those of the space's model, of its source and of the whole pipeline.
 */
export async function findPauseReasons(control: ControlStore, space: Space): Promise<readonly PauseReason[]> {
  const scopes = ['pipeline', `model:${space.model.alias}`, `source:${space.source.name}`];
  const reasons = await control.reasons();
  return reasons.filter(({ scope, reason }) => scopes.includes(scope) && reason !== ORPHANS_CONFIRMED);
}
