import type { Space } from '../../core/model/space.ts';
import type { FailureClass } from '../../core/model/vocabulary.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { DetectionStore, OrphanReport } from '../../ports/detection-store.ts';
import type { DispatchQueues } from '../../ports/dispatch-queues.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Randomness } from '../../ports/randomness.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';
import type { TickLock } from '../../ports/tick-lock.ts';

export interface DetectPorts {
  readonly spaces: SpaceRegistry;
  readonly detection: DetectionStore;
  readonly control: ControlStore;
  readonly queues: DispatchQueues;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: DetectLimits;
  /** The local run that holds the leases; null for the deployed pipeline. */
  readonly runId: number | null;
  /**
   * False where a message is there once `send` returns, and only the end of the process loses it: queues in this process. What is leased is then
   * on its way as it is, and nothing has to be confirmed.
   */
  readonly confirmsSends?: false | undefined;
  /** Undefined: local runs, which share the work by their leases. */
  readonly lock?: TickLock | undefined;
  /** False where no alarm watches it: local runs, of which `status` tells. */
  readonly reportsStaleness?: false | undefined;
  /** Rejects where it takes longer. Undefined: local runs, which report their coverage themselves. */
  readonly readCoveragePercent?: ((space: Space, timeoutMs: number) => Promise<number>) | undefined;
}

export interface DetectLimits {
  readonly batchSize: number;
  /** Batches that a message of a large lease may hold; the worker then asks the database once for all of them. Default 1. */
  readonly callsPerMessage?: number | undefined;
  /** Leased rows per space at any time. */
  readonly maxInFlight: number;
  /** Keys per slice of the reconcile pass. */
  readonly sliceRows: number;
  /** Of a lease whose send is confirmed: the queue's worst case, visibility timeout times receives. */
  readonly queuedLeaseSeconds: number;
}

export interface DetectRequest {
  readonly pass: 'incremental' | 'reconcile';
  /** Of reconcile: only takes further a pass that is under way, and begins the first one of a space. */
  readonly resume?: boolean | undefined;
  /** Names of sources; undefined: all. */
  readonly sources?: readonly string[] | undefined;
  /** Rows leased at most, over all spaces; undefined: `maxInFlight` alone decides. */
  readonly maxRows?: number | undefined;
}

export interface DetectReport {
  readonly spaces: readonly SpaceReport[];
  /** Another tick of this pass was at work, so that this one looked at nothing. */
  readonly overlapped?: true;
}

export interface SpaceReport {
  readonly spaceId: number;
  readonly source: string;
  readonly model: string;
  readonly leased: number;
  readonly sent: number;
  /** Whether a reconcile pass began at the lowest key here, and whether it came to its end. */
  readonly passBegan: boolean;
  readonly passEnded: boolean;
  /** Slices of the key that reconcile put behind it. */
  readonly slices: number;
  /** Without a class: the source itself is no longer what it was. With one: a statement failed. */
  readonly fault?: {
    readonly code: string;
    readonly message: string;
    readonly failureClass?: FailureClass;
  };
  /** Pause reasons that kept the space from being looked at, other than its own fault. */
  readonly pausedBy?: readonly { readonly scope: string; readonly reason: string; readonly detail: string }[];
  readonly orphans?: OrphanReport;
  /** The space takes the place of others while they are paused. */
  readonly fallback?: boolean;
}

/** What a pass over one space gives to its report. */
export type PassResult = Pick<
  SpaceReport,
  'leased' | 'sent' | 'passBegan' | 'passEnded' | 'slices' | 'orphans'
>;

export const NOTHING_DETECTED: PassResult = {
  leased: 0,
  sent: 0,
  passBegan: false,
  passEnded: false,
  slices: 0,
};
