import type { Lane, Space } from '../../lib/core/model.ts';
import { type CapWatch, createCapWatch } from './check-caps.ts';
import type { RateWatch } from './check-rate.ts';
import type { BatchService } from './simulated-batches.ts';
import { createSimulatedQueue, type SimulatedQueue } from './simulated-queue.ts';

/** What of AWS and of the provider outlives any process. */
export interface Services {
  readonly dispatch: readonly {
    readonly alias: string;
    readonly lane: Lane;
    readonly queue: SimulatedQueue;
  }[];
  readonly results: SimulatedQueue;
  readonly objects: Map<string, Buffer>;
  /** Call ids that the provider billed, or may have. */
  readonly billed: Set<string>;
  /** Purchases by `spaceId/contentHash`. */
  readonly purchases: Map<string, number>;
  /** By `spaceId/contentHash`: how often a text was knowingly bought beside a batch, and `sequence` since when it is in one. */
  readonly bought: { readonly beside: Map<string, number>; readonly since: Map<string, number> };
  /** Texts that failed alone after they had failed, and others not, by `spaceId/text`. */
  readonly doubtedTwice: Set<string>;
  readonly batches: BatchService;
  /** How often a queue refused a message, by its body. */
  readonly refusals: Map<string, number>;
  /** When a scope was last claimed for a probe, in the database's time. */
  readonly claimedAt: Map<string, number>;
  /** What was granted of the rate of each model. */
  readonly rates: Map<string, RateWatch>;
  /** What was granted and billed under a cap. */
  readonly capped: CapWatch;
  providerCalls: number;
  /** Until then every call fails; the next outage begins later than that. In virtual time. */
  outageUntilMs: number;
  nextOutageMs: number;
}

const LANES: readonly Lane[] = ['fresh', 'bulk'];

export function createServices(spaces: readonly Space[]): Services {
  const aliases = [...new Set(spaces.map(({ model }) => model.alias))];
  return {
    dispatch: aliases.flatMap(alias =>
      LANES.map(lane => ({ alias, lane, queue: createSimulatedQueue(`${alias}-${lane}`, 'embed') })),
    ),
    results: createSimulatedQueue('results', 'write'),
    objects: new Map(),
    billed: new Set(),
    purchases: new Map(),
    bought: { beside: new Map(), since: new Map() },
    doubtedTwice: new Set(),
    batches: { batches: new Map(), uploads: new Map(), results: new Map() },
    refusals: new Map(),
    claimedAt: new Map(),
    rates: new Map(),
    capped: createCapWatch(),
    ...{ providerCalls: 0, outageUntilMs: 0, nextOutageMs: 0 },
  };
}

export function queuesOf({ dispatch, results }: Services): SimulatedQueue[] {
  return [...dispatch.map(({ queue }) => queue), results];
}
