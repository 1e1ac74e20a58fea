import type { Clock } from '../../ports/clock.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { OutcomeStore } from '../../ports/outcome-store.ts';
import type { Randomness } from '../../ports/randomness.ts';
import type { RunObserver } from '../../ports/run-observer.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';

export interface WritePorts {
  readonly spaces: SpaceRegistry;
  readonly outcomes: OutcomeStore;
  readonly objects: ObjectStore;
  readonly control: ControlStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly observer?: RunObserver | undefined;
}
