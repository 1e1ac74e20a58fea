import type { Space } from '../core/model/space.ts';
import type { Lane, LeaseStage } from '../core/model/vocabulary.ts';

/** What `detect` asks of the database. Every method is one transaction (most are one statement), READ COMMITTED. */
export interface DetectionStore {
  /** Expires the leases of local runs whose process is gone (their session advisory lock is free). Returns how many. */
  expireLeasesOfDeadRuns(): Promise<number>;

  /** Whether the source is still what it was when the space was made. Undefined: all well. Else a code and a sentence for people. */
  findSourceFault(space: Space): Promise<SourceFault | undefined>;

  /** Unexpired leases of the space. */
  countInFlight(space: Space): Promise<number>;

  readPosition(space: Space): Promise<DetectionPosition>;
  /**
   * Sets the watermark to the earliest of the candidates, compared by the database in the version column's type; it may move
   * backwards. Nulls are no candidates; none at all leaves the watermark as it is.
   */
  writeWatermark(space: Space, candidates: readonly (string | null)[]): Promise<void>;
  /** `cursor` null: the pass ended; the next one starts at the lowest key. */
  writeReconcileCursor(space: Space, cursor: string | null, passEnded: boolean): Promise<void>;

  /**
   * The time before which no open transaction can still commit a row, as text in the version column's type; null when a
   * prepared transaction stops it. Must be read in its own statement, before the scan that it bounds.
   */
  readHorizon(space: Space): Promise<string | null>;

  /** Leases stale rows with `version >= watermark`, oldest first, and rows whose lease expired while they are still stale; those with attempts last. */
  leaseChangedRows(
    space: Space,
    request: LeaseRequest & { readonly watermark: string | null },
  ): Promise<ChangedRows>;

  /** The key that ends a slice of `rows` keys after `cursor`; null: the slice is the last one and open upwards. */
  findSliceEnd(space: Space, cursor: string | null, rows: number): Promise<string | null>;

  /** Leases stale rows with key in (`after`, `through`]: fewest attempts first, missing outcomes, then newest. Compares `xmin` too. */
  leaseStaleSlice(
    space: Space,
    request: LeaseRequest & { readonly after: string | null; readonly through: string | null },
  ): Promise<StaleSlice>;

  /** Marks outcome rows of the slice whose source row is gone, and deletes those still missing an hour and a pass later. */
  removeOrphans(
    space: Space,
    slice: { readonly after: string | null; readonly through: string | null },
  ): Promise<OrphanReport>;

  /** After the send is confirmed: stage `queued`, expiry extended. Only leases of this dispatch. */
  confirmSent(space: Space, dispatchId: string, ids: readonly string[], leaseSeconds: number): Promise<void>;
  /**
   * For messages that were not accepted: the rows become free at once and the attempt does not count. Only leases that still are what they
   * began as. Without ids all of the dispatch: its answer never came, and nobody knows which they are.
   */
  abandonLeases(space: Space, dispatch: LeaseDispatch, ids?: readonly string[]): Promise<void>;

  /** For the metric that tells the truth: per lane the rows whose outcome is not written yet, and the age of the oldest, by `first_seen`. */
  readStaleness(space: Space): Promise<Readonly<Record<Lane, WaitingRows>>>;
}

export interface WaitingRows {
  readonly rows: number;
  /** 0 where none wait. */
  readonly oldestAgeSeconds: number;
}

/** One act of leasing. */
export interface LeaseDispatch {
  readonly dispatchId: string;
  /** What its leases begin as; `queued` where nobody needs to confirm that they were sent. */
  readonly stage: Extract<LeaseStage, 'sending' | 'queued'>;
}

export interface LeaseRequest extends LeaseDispatch {
  readonly lane: Lane;
  readonly limit: number;
  readonly leaseSeconds: number;
  /** The local run that holds the lease; null for the deployed pipeline. */
  readonly runId: number | null;
}

export interface LeasedRow {
  readonly id: string;
  /** Times that embedding of this version began and did not end. */
  readonly attempts: number;
  readonly version: string | null;
}

export interface ChangedRows {
  readonly rows: readonly LeasedRow[];
  /** The version of the first stale row that the limit left out; null when the scan saw all. The watermark must not pass it. */
  readonly firstUnsentVersion: string | null;
}

export interface StaleSlice {
  readonly rows: readonly LeasedRow[];
  /** Whether the limit left stale rows of the slice unleased: the cursor must stay. */
  readonly truncated: boolean;
}

export interface DetectionPosition {
  /** Text in the version column's type; null: nothing was scanned yet. */
  readonly watermark: string | null;
  readonly reconcileCursor: string | null;
  readonly lastPassEndedAt: string | null;
  /** A reconcile pass has begun and not ended, or none ever did. */
  readonly passOpen: boolean;
}

export interface SourceFault {
  /** `source-missing`, `source-swapped`, `column-missing`, `column-changed`, `permission`. */
  readonly code: string;
  readonly message: string;
}

export interface OrphanReport {
  readonly marked: number;
  readonly deleted: number;
  /** Why nothing was removed: row-level security hides rows, or too many of the slice are missing at once. */
  readonly stopped: 'row-security' | 'too-many' | null;
}
