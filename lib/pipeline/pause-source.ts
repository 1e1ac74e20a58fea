import type { FreshetError } from '../core/errors/freshet-error.ts';
import type { Space } from '../core/model/space.ts';
import type { ControlStore } from '../ports/control-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';

/** The application changed the table under work in hand: its source pauses, the others go on. `detect` lifts the pause once it is mended. */
export async function pauseSource(
  ports: { readonly control: ControlStore; readonly logger: Logger; readonly metrics: Metrics },
  space: Space,
  fault: FreshetError,
): Promise<void> {
  ports.metrics.count('SourceFaults', 1);
  ports.logger.error('source-fault', { spaceId: space.spaceId, source: space.source.name, code: fault.code });
  await ports.control.pause(`source:${space.source.name}`, fault.code, fault.message);
}
