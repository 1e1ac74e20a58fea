import { ORPHANS_CONFIRMED, scopesOf, sourceScope } from '../core/control.ts';
import type { FreshetError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import type { ControlStore, PauseReason } from '../ports/control-store.ts';
import type { Logger, Metrics } from '../ports/process.ts';

/**
 * Every reason why work on the space must not go on.
 * The reasons are those of the space's model, of its source and of the whole pipeline.
 */
export async function findPauseReasons(control: ControlStore, space: Space): Promise<readonly PauseReason[]> {
  const scopes = scopesOf(space);
  const reasons = await control.reasons();
  return reasons.filter(({ scope, reason }) => scopes.includes(scope) && reason !== ORPHANS_CONFIRMED);
}

/**
 * Pauses a source whose table the application changed under work in hand.
 * The other sources go on. `detect` lifts the pause once the table is mended.
 */
export async function pauseSource(
  ports: { readonly control: ControlStore; readonly logger: Logger; readonly metrics: Metrics },
  space: Space,
  fault: FreshetError,
): Promise<void> {
  ports.metrics.count('SourceFaults', 1);
  ports.logger.error('source-fault', { spaceId: space.spaceId, source: space.source.name, code: fault.code });
  await ports.control.pause(sourceScope(space.source.name), fault.code, fault.message);
}
