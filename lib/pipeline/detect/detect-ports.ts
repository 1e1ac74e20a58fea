import type { FailureClass, Space } from '../../core/model.ts';
import type { BatchStore } from '../../ports/batches.ts';
import type { ControlStore, SpaceRegistry } from '../../ports/control-store.ts';
import type {
  DetectionStore,
  OrphanReport,
  ScanPlace,
  SkippedRow,
  TickLock,
} from '../../ports/detection-store.ts';
import type { Clock, Logger, Metrics, Randomness } from '../../ports/process.ts';
import type { DispatchQueues } from '../../ports/queues.ts';
import type { Spending } from '../../ports/report-store.ts';
import type { TracedPorts } from '../spans.ts';

export interface DetectPorts extends TracedPorts {
  readonly spaces: SpaceRegistry;
  readonly detection: DetectionStore;
  readonly control: ControlStore;
  readonly queues: DispatchQueues;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: DetectLimits;
  /**
   * Finds a mode by its name; undefined for local runs, which apply theirs by themselves.
   * @throws UsageError where there is none
   */
  readonly findMode?: ((name: string) => DetectMode) | undefined;
  /** The local run that holds the leases; null for the deployed pipeline. */
  readonly runId: number | null;
  /**
   * False where a message is there once `send` returns, as in queues of this process.
   * Only the end of the process can lose such a message. Leased rows are then on their way at once,
   * and nothing has to be confirmed.
   */
  readonly confirmsSends?: false | undefined;
  /**
   * The clock by which a tick waits for work to drain, and then leases more.
   * Undefined: a tick leases once. Local runs look again by themselves.
   */
  readonly drainClock?: Clock | undefined;
  /**
   * What says that batches are to be looked at. Undefined: local runs look at them by themselves.
   */
  readonly batches?: Pick<BatchStore, 'isDue'> | undefined;
  /**
   * Reads what was spent on each cap.
   * Undefined for local runs, and where no budget is configured.
   */
  readonly readSpending?: (() => Promise<readonly Spending[]>) | undefined;
  /** Undefined for local runs, which share the work by their leases. */
  readonly lock?: TickLock | undefined;
  /**
   * False where no alarm watches the staleness.
   * Local runs set false: `status` tells their staleness.
   */
  readonly reportsStaleness?: false | undefined;
  /**
   * The coverage of a space in percent. Rejects where reading takes longer than `timeoutMs`.
   * Undefined for local runs, which report their coverage themselves.
   */
  readonly readCoveragePercent?: ((space: Space, timeoutMs: number) => Promise<number>) | undefined;
  /** Looks after texts that clients gave; never rejects. Undefined: it is not for ticks to do. */
  readonly sweepDocuments?: (() => Promise<void>) | undefined;
}

/** What a tick takes of a mode. */
export interface DetectMode {
  readonly batchSize?: number | undefined;
  readonly maxItems?: number | undefined;
}

export interface DetectLimits {
  /** Rows of one batch, which becomes one provider call where the provider allows it. */
  readonly batchSize: number;
  /**
   * Batches that one message of a large lease may hold. Default 1.
   * The worker then asks the database once for all batches of the message.
   */
  readonly callsPerMessage?: number | undefined;
  /** Leased rows per space at any time. */
  readonly maxInFlight: number;
  /** Keys per slice of the reconcile pass. */
  readonly sliceRows: number;
  /**
   * Seconds that a lease lasts after its confirmed send.
   * Where nobody confirms sends, the lease lasts as long from its beginning. The bound is the
   * queue's worst case: the visibility timeout times the receives.
   */
  readonly queuedLeaseSeconds: number;
}

export interface DetectRequest {
  readonly pass: 'incremental' | 'reconcile';
  /**
   * True for a reconcile pass that only goes on.
   * The tick takes a pass further that is under way, and begins the first pass of a space, but no
   * other pass.
   */
  readonly resume?: boolean | undefined;
  /**
   * Rows with more attempts are left for a later tick; undefined: none are.
   * A local run takes up what may have killed a process once nothing else is left.
   */
  readonly maxAttempts?: number | undefined;
  /**
   * True for a look of the incremental pass at rows alone whose lease expired.
   * Those that may have killed a process stand behind all others: so they have a turn.
   */
  readonly expiredOnly?: boolean | undefined;
  /**
   * True for a look that an application asked for, of an incremental pass.
   * However many ask, one look begins a second, and each asks the whole of it once.
   */
  readonly nudged?: boolean | undefined;
  /** Names of sources; undefined: all sources. */
  readonly sources?: readonly string[] | undefined;
  /** Rows leased at most, over all spaces; undefined: `maxInFlight` alone decides. */
  readonly maxRows?: number | undefined;
  /** The mode by which the tick works: its `batchSize`, and `maxItems` as `maxRows`. */
  readonly mode?: string | undefined;
}

export interface DetectReport {
  readonly spaces: readonly SpaceReport[];
  /** True: another tick of this pass was at work, so that this tick looked at nothing. */
  readonly overlapped?: true;
}

export interface SpaceReport {
  readonly spaceId: number;
  readonly source: string;
  readonly model: string;
  /** Rows that this tick leased. */
  readonly leased: number;
  /** Rows whose messages the queue accepted. */
  readonly sent: number;
  /** True: stale rows were left without a lease. */
  readonly unsent: boolean;
  /** True: the reconcile pass stood at the lowest key when this tick began. */
  readonly passBegan: boolean;
  /** True: the reconcile pass came to its end in this tick. */
  readonly passEnded: boolean;
  /** Slices of the key that reconcile finished. */
  readonly slices: number;
  /** Rows that the database could not look at, each alone. */
  readonly skipped: readonly SkippedRow[];
  /**
   * Why the space was not looked at to the end.
   * Without a class the source itself is no longer what it was. With a class a statement failed.
   */
  readonly fault?: {
    readonly code: string;
    readonly message: string;
    readonly failureClass?: FailureClass;
  };
  /** Pause reasons that kept the space from being looked at, other than its own fault. */
  readonly pausedBy?: readonly { readonly scope: string; readonly reason: string; readonly detail: string }[];
  readonly orphans?: OrphanReport;
  /** True: the space takes the place of other spaces while those are paused. */
  readonly fallback?: boolean;
}

/** What a pass over one space contributes to its report. */
export type PassResult = Pick<
  SpaceReport,
  'leased' | 'sent' | 'unsent' | 'passBegan' | 'passEnded' | 'slices' | 'skipped' | 'orphans'
>;

/** Where the incremental pass of a space goes on within its tick. */
export interface ScanRest {
  /** The first stale row that the last look left. */
  readonly from: ScanPlace;
  /** The horizon of the tick's first look; null: unknown, and the watermark stays. */
  readonly horizon: string | null;
  /** Versions of rows of this tick that the queue did not take. */
  readonly refusedVersions: readonly (string | null)[];
}

export const NOTHING_DETECTED: PassResult = {
  leased: 0,
  sent: 0,
  unsent: false,
  passBegan: false,
  passEnded: false,
  slices: 0,
  skipped: [],
};
