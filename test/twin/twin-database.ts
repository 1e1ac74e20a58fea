import type { Lane, LeaseStage, Outcome, Space } from '../../lib/core/model.ts';
import type { LedgerEntry } from '../../lib/core/result-object.ts';
import type { SourceFault } from '../../lib/ports/detection-store.ts';
import type { CallGrant } from '../../lib/ports/outcome-store.ts';
import type { Micros } from './timestamps.ts';

/** A committed row of a source; its one text column stands for all that a source may name. */
export interface TwinRow {
  readonly id: string;
  readonly text: string | null;
  readonly version: Micros | null;
  /** `xmin`. */
  readonly xid: number;
}

export interface TwinSource {
  readonly rows: Map<string, TwinRow>;
  /** A policy of row-level security keeps every row from the pipeline's role. */
  hidden: boolean;
  /** `row_security_active`. */
  rowSecurity: boolean;
  fault: SourceFault | undefined;
}

export interface TwinOutcome {
  readonly id: string;
  outcome: Outcome;
  contentHash: string | null;
  version: Micros | null;
  xid: number | null;
  readAt: Micros;
  textLength: number;
  keptLength: number;
  tokens: number;
  /** float32, big-endian, as in PostgreSQL's binary form. */
  vector: Buffer | null;
  embeddedAt: Micros | null;
  missingSince: Micros | null;
}

export interface TwinLease {
  readonly id: string;
  dispatchId: string;
  lane: Lane;
  stage: LeaseStage;
  attempts: number;
  runId: number | null;
  firstSeen: Micros;
  expiresAt: Micros;
}

export interface TwinPosition {
  watermark: Micros | null;
  reconcileCursor: string | null;
  passStartedAt: Micros | null;
  lastPassStartedAt: Micros | null;
  lastPassEndedAt: Micros | null;
  passOpen: boolean;
}

export interface TwinFailure {
  failureClass: string;
  code: string;
  attempts: number;
}

export interface TwinSpace {
  readonly space: Space;
  retired: boolean;
  readonly outcomes: Map<string, TwinOutcome>;
  readonly leases: Map<string, TwinLease>;
  readonly failures: Map<string, TwinFailure>;
  /** Undefined until something is stored, like the row that is not there. */
  position: TwinPosition | undefined;
}

export interface TwinTransaction {
  readonly xid: number;
  readonly startedAt: Micros;
  /** Prepared for a two-phase commit: no session has it. */
  readonly prepared: boolean;
}

export interface TwinPause {
  readonly scope: string;
  readonly reason: string;
  detail: string;
  readonly since: Micros;
  probedAt?: Micros;
}

/** What a checker is told at the moment that it happens. */
export interface TwinObserver {
  outcomeWritten(space: TwinSpace, before: TwinOutcome | undefined, after: TwinOutcome): void;
  outcomeDeleted(space: TwinSpace, outcome: TwinOutcome): void;
  watermarkWritten(space: TwinSpace, watermark: Micros): void;
  grantRevoked(callId: string): void;
  verdictRemembered(space: TwinSpace, contentHash: string): void;
}

/**
 * The twin does on maps what the SQL of `lib/adapters/sql` does in PostgreSQL.
 *
 * There is one function per statement; each is atomic and decides as its statement does.
 * `test/postgres/differential.test.ts` holds the twin to that. Transactions of the application take
 * effect when they commit; the open ones bound the horizon. Keys are positive integers as text, or
 * texts of one width.
 */
export interface TwinDatabase {
  readonly sources: Map<string, TwinSource>;
  readonly spaces: Map<number, TwinSpace>;
  readonly grants: Map<string, CallGrant>;
  readonly ledger: Map<string, LedgerEntry & { readonly spaceId: number }>;
  readonly pauses: TwinPause[];
  readonly openTransactions: Set<TwinTransaction>;
  /** Local runs that hold their advisory lock. */
  readonly liveRuns: Set<number>;
  readonly horizonMarginSeconds: number;
  readonly observer: TwinObserver | undefined;
  /** `now()` of the statement that runs. */
  readonly now: () => Micros;
  /** Called between two statements of one transaction, where others may commit. */
  readonly betweenStatements: () => void;
  readonly newIdentifier: () => string;
}

export interface TwinOptions {
  readonly now: () => Micros;
  readonly newIdentifier: () => string;
  readonly horizonMarginSeconds: number;
  readonly betweenStatements?: () => void;
  readonly observer?: TwinObserver;
}

export function createTwinDatabase(spaces: readonly Space[], options: TwinOptions): TwinDatabase {
  const names = new Set(spaces.map(({ source }) => source.name));
  const emptySource = (): TwinSource => ({
    rows: new Map(),
    hidden: false,
    rowSecurity: false,
    fault: undefined,
  });
  return {
    sources: new Map([...names].map(name => [name, emptySource()])),
    spaces: new Map(spaces.map(space => [space.spaceId, emptySpace(space)])),
    grants: new Map(),
    ledger: new Map(),
    pauses: [],
    openTransactions: new Set(),
    liveRuns: new Set(),
    horizonMarginSeconds: options.horizonMarginSeconds,
    observer: options.observer,
    now: options.now,
    betweenStatements: options.betweenStatements ?? (() => undefined),
    newIdentifier: options.newIdentifier,
  };
}

function emptySpace(space: Space): TwinSpace {
  return {
    space,
    retired: space.status === 'retired',
    outcomes: new Map(),
    leases: new Map(),
    failures: new Map(),
    position: undefined,
  };
}

export function spaceOf(twin: TwinDatabase, { spaceId }: Pick<Space, 'spaceId'>): TwinSpace {
  const found = twin.spaces.get(spaceId);
  if (!found) throw new Error(`The twin has no space ${spaceId}.`);
  return found;
}

export function sourceOf(twin: TwinDatabase, { source }: Pick<Space, 'source'>): TwinSource {
  const found = twin.sources.get(source.name);
  if (!found) throw new Error(`The twin has no source ${source.name}.`);
  return found;
}

/** The row as the pipeline's role sees it. */
export function visibleRow(source: TwinSource, id: string): TwinRow | undefined {
  return source.hidden ? undefined : source.rows.get(id);
}

export function visibleRows(source: TwinSource): TwinRow[] {
  return source.hidden ? [] : [...source.rows.values()];
}

/** Positive integers as text by their value; texts of one width by their characters. */
export function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function isWithin(id: string, after: string | null, through: string | null): boolean {
  return (
    (after === null || compareKeys(id, after) > 0) && (through === null || compareKeys(id, through) <= 0)
  );
}

/** Unexpired, and of no local run or of one that lives. */
export function isLive(twin: TwinDatabase, lease: TwinLease, now: Micros): boolean {
  return lease.expiresAt > now && (lease.runId === null || twin.liveRuns.has(lease.runId));
}
