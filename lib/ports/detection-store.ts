import type { Lane, LeaseStage, Space } from '../core/model.ts';

/**
 * What `detect` asks of the database.
 * Every method is one transaction at READ COMMITTED; most methods are one statement. Keys, ids and
 * versions are text in the type of their column.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface DetectionStore {
  /**
   * Settles the grants of calls whose process is gone as lost, and returns how many.
   * A local run is gone when its lock is free; a Lambda 15 minutes after the grant, unless its
   * result is still on its way. A result that is written after all settles its grant anew, so that
   * a call counts once. Rows of a dead run that were in none of its open calls did not harm it:
   * their attempt does not count. This must come before the leases are expired.
   */
  settleLostCalls(): Promise<number>;
  /**
   * Lifts pauses of caps whose period is over or that are configured anew; returns how many.
   * A cap that is reached again pauses again at the next call.
   */
  liftBudgetPauses(): Promise<number>;
  /**
   * Expires the leases of local runs whose process is gone, and returns how many.
   * A run's process is gone when the session advisory lock of the run is free.
   */
  expireLeasesOfDeadRuns(): Promise<number>;

  /**
   * Looks whether the source is still what it was when the space was made.
   * Resolves with undefined when all is well, else with a code and a sentence for people.
   */
  findSourceFault(space: Space): Promise<SourceFault | undefined>;

  /** The number of unexpired leases of the space, but for those of rows that wait for a batch. */
  countInFlight(space: Space): Promise<number>;

  readPosition(space: Space): Promise<DetectionPosition>;
  /**
   * Sets the watermark to the earliest of the candidates. The watermark may move backwards.
   * The database compares the candidates in the type of the version column. Nulls are no
   * candidates; without any candidate the watermark stays as it is.
   */
  writeWatermark(space: Space, candidates: readonly (string | null)[]): Promise<void>;
  /**
   * Stores whether stale rows wait that no look has leased.
   * With `left` the time is now, unless rows have waited since an earlier time. Without it nothing
   * waits any more.
   */
  writeUnsent(space: Space, left: boolean): Promise<void>;
  /**
   * Counts the stale rows at or above the stored watermark that `leaseChangedRows` could still
   * lease, up to `atMost`. Rows that wait with an expired lease of the fresh lane are not among
   * them: `readStaleness` counts those.
   */
  countUnsentRows(space: Space, atMost: number): Promise<number>;
  /**
   * Stores where the reconcile pass stands. `cursor` is the last key that the pass finished.
   * `cursor` null: the scan starts at the lowest key next, because the pass ended (`passEnded`) or
   * begins.
   */
  writeReconcileCursor(space: Space, cursor: string | null, passEnded: boolean): Promise<void>;

  /**
   * The time before which no open transaction can still commit a row.
   * The time is text in the type of the version column. Null: a prepared transaction makes every
   * time unsafe. The horizon must be read in a statement of its own, before the scan that it
   * bounds.
   */
  readHorizon(space: Space): Promise<string | null>;

  /**
   * Leases stale rows with `version >= watermark`, oldest first.
   * The method also leases rows whose lease expired while they are still stale. Rows with attempts
   * come after rows without. With `from` the scan begins at that row instead: a tick that goes on
   * does not read again what it has leased.
   */
  leaseChangedRows(
    space: Space,
    request: LeaseRequest & { readonly watermark: string | null; readonly from?: ScanPlace | undefined },
  ): Promise<ChangedRows>;

  /**
   * Leases stale rows behind `from` of tenants that did not crowd a full page of `page` ids.
   * A tenant crowds it that has more than a tenth of the rows. Only `walkedRows` rows are looked
   * at, which bounds the price: the newest ones of the scan, or those before `olderThan`, from
   * newer to older ones; or those behind `newerThan`, from older to newer ones. Without a tenant
   * column nothing is leased, and nothing of a walk in which the database cannot look at a row.
   */
  leaseBehindCrowd(
    space: Space,
    request: LeaseRequest & {
      readonly from: ScanPlace;
      readonly page: readonly string[];
      readonly walkedRows: number;
      readonly newerThan?: ScanPlace | undefined;
      readonly olderThan?: ScanPlace | undefined;
    },
  ): Promise<WalkedRows>;

  /**
   * The key that ends a slice of `rows` keys after `cursor`.
   * Null: the slice is the last slice and has no upper end.
   */
  findSliceEnd(space: Space, cursor: string | null, rows: number): Promise<string | null>;

  /**
   * Leases stale rows whose key is in (`after`, `through`].
   * The order is: fewest attempts first, then rows without an outcome, then the newest version.
   * Unlike `leaseChangedRows` the scan compares `xmin` too.
   */
  leaseStaleSlice(space: Space, request: LeaseRequest & KeyRange): Promise<StaleSlice>;

  /**
   * Marks outcome rows of the slice whose source row is gone, and deletes what stayed gone.
   * An outcome row is deleted when its source row is still missing an hour and a pass after the
   * mark.
   */
  removeOrphans(space: Space, slice: KeyRange): Promise<OrphanReport>;

  /**
   * Confirms a send: the leases go to stage `queued` and last `leaseSeconds` from now.
   * Only leases of this dispatch change.
   */
  confirmSent(space: Space, dispatchId: string, ids: readonly string[], leaseSeconds: number): Promise<void>;
  /**
   * Frees rows whose messages were not accepted. The attempt does not count.
   * Only leases change that are still in the stage in which the dispatch began them. Without `ids`
   * all leases of the dispatch are freed. Callers leave `ids` out when the answer of the leasing
   * statement never came, so that nobody knows which rows the statement leased.
   */
  abandonLeases(space: Space, dispatch: LeaseDispatch, ids?: readonly string[]): Promise<void>;

  /**
   * Rows per lane that were leased and whose outcome is not written yet.
   * The age of the oldest row counts from the `first_seen` of its lease, and in the fresh lane from
   * the time since which rows wait without a lease, if that is earlier. The metric of the promise
   * is made from these numbers.
   */
  readStaleness(space: Space): Promise<Readonly<Record<Lane, WaitingRows>>>;
}

/** The keys in (`after`, `through`]. Null: the range has no lower or no upper end. */
export interface KeyRange {
  readonly after: string | null;
  readonly through: string | null;
}

export interface WaitingRows {
  readonly rows: number;
  /** Seconds; 0 where no row waits. */
  readonly oldestAgeSeconds: number;
}

/** One act of leasing. */
export interface LeaseDispatch {
  readonly dispatchId: string;
  /** The stage in which the leases begin; `queued` where nobody needs to confirm the send. */
  readonly stage: Extract<LeaseStage, 'sending' | 'queued'>;
}

export interface LeaseRequest extends LeaseDispatch {
  readonly lane: Lane;
  /** The most rows that are leased. */
  readonly limit: number;
  readonly leaseSeconds: number;
  /**
   * Rows with more attempts are left alone; undefined: none are.
   * Their leases have expired, so that a later look finds them, wherever the watermark stands.
   */
  readonly maxAttempts?: number | undefined;
  /** The local run that holds the lease; null for the deployed pipeline. */
  readonly runId: number | null;
}

export interface LeasedRow {
  readonly id: string;
  /** How often embedding of this version began and did not end. */
  readonly attempts: number;
  readonly version: string | null;
}

/** A row in the order of the incremental scan, which is that of (version, key). */
export interface ScanPlace {
  readonly version: string;
  readonly id: string;
}

/** A row that a statement fails for even where it looks at no other. */
export interface SkippedRow {
  readonly id: string;
  /** `sqlstate_…` */
  readonly code: string;
}

export interface ChangedRows {
  readonly rows: readonly LeasedRow[];
  /** Rows that the database could not look at; undefined: none. A reconcile pass tries again. */
  readonly skipped?: readonly SkippedRow[] | undefined;
  /**
   * The first stale row that the limit left out; null: the scan saw all.
   * The watermark must not pass its version, and a scan that goes on begins with it.
   */
  readonly firstUnsent: ScanPlace | null;
}

/** Rows that a walk leased, and how far it came. */
export interface WalkedRows {
  readonly rows: readonly LeasedRow[];
  /**
   * The newest row of the scan that is not dated ahead.
   * Null: there is none, or the walk was of what is before `olderThan`.
   */
  readonly newest: ScanPlace | null;
  /**
   * The last row of a walk that `walkedRows` ended; null: it saw all.
   * Towards newer rows none that is dated ahead: what is edited until then would stand before it.
   */
  readonly end: ScanPlace | null;
  /** True: the limit left stale rows, or nothing was walked, so that it has to be walked again. */
  readonly isCut: boolean;
}

export interface StaleSlice {
  readonly rows: readonly LeasedRow[];
  /** True: the limit left stale rows of the slice unleased, so that the cursor must stay. */
  readonly truncated: boolean;
  /** Rows that the database could not look at; undefined: none. The next pass tries again. */
  readonly skipped?: readonly SkippedRow[] | undefined;
  /**
   * The key up to which the range was looked at, where it was not to its end.
   * So many rows were skipped that the pass goes on from here.
   */
  readonly through?: string | undefined;
}

export interface DetectionPosition {
  /** Text in the type of the version column; null: nothing was scanned yet. */
  readonly watermark: string | null;
  readonly reconcileCursor: string | null;
  readonly lastPassEndedAt: string | null;
  /** True: a reconcile pass has begun and not ended, or no pass has ever ended. */
  readonly passOpen: boolean;
  /** Since when stale rows wait that no look has leased; null: the last look left none. */
  readonly unsentSince: string | null;
}

export interface SourceFault {
  /** `source-missing`, `source-swapped`, `column-missing`, `column-changed` or `permission`. */
  readonly code: string;
  readonly message: string;
}

export interface OrphanReport {
  /** Outcome rows that were marked as missing. */
  readonly marked: number;
  /** Outcome rows that were deleted. */
  readonly deleted: number;
  /**
   * Why nothing was removed; null: nothing stood in the way.
   * `row-security`: row-level security hides rows of the source. `too-many`: too many rows of the
   * slice are missing at once. `unconfirmed`: the source is a view or a foreign table.
   * `unreadable`: looking at the source fails for rows of the slice.
   */
  readonly stopped: 'row-security' | 'too-many' | 'unconfirmed' | 'unreadable' | null;
  /** Rows whose outcome could be neither marked nor deleted; undefined: none. */
  readonly skipped?: readonly SkippedRow[] | undefined;
}

/**
 * Keeps two ticks of one kind from running side by side.
 * The lock only saves work. What must hold while two ticks run holds by leases and guards.
 */
export interface TickLock {
  /**
   * Runs the work unless a tick of that name runs anywhere on this database.
   * Where such a tick runs, the call resolves with undefined at once. A tick keeps others out for
   * `atMostMs` and a few seconds at most, even where its process is frozen or gone without a word.
   */
  tryAlone<Result extends object>(
    name: string,
    atMostMs: number,
    work: () => Promise<Result>,
  ): Promise<Result | undefined>;
}
