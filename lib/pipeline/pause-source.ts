import type { FreshetError } from '../core/errors/freshet-error.ts';
import type { Space } from '../core/model/space.ts';
import type { ControlStore } from '../ports/control-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';

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
  await ports.control.pause(`source:${space.source.name}`, fault.code, fault.message);
}
