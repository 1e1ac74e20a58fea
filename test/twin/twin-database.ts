import type { Cap } from '../../lib/core/budget.ts';
import type { Lane, LeaseStage, Outcome, Space } from '../../lib/core/model.ts';
import type { Pace } from '../../lib/core/pace.ts';
import type { LedgerEntry } from '../../lib/core/result-object.ts';
import type { SourceFault } from '../../lib/ports/detection-store.ts';
import type { CallGrant } from '../../lib/ports/outcome-store.ts';
import type { Micros } from './timestamps.ts';
import type { TwinBatch, TwinBatchText } from './twin-batches.ts';
import type { TwinRate } from './twin-rate.ts';

/** A committed row of a source; its one text column stands for all that a source may name. */
export interface TwinRow {
  readonly id: string;
  readonly text: string | null;
  readonly version: Micros | null;
  /** `xmin`. */
  readonly xid: number;
  /** Undefined: the text stands for the column of the tenant too. */
  readonly tenant?: string;
}

export interface TwinSource {
  readonly rows: Map<string, TwinRow>;
  /** A policy of row-level security keeps every row from the pipeline's role. */
  hidden: boolean;
  /** `row_security_active`. */
  rowSecurity: boolean;
  fault: SourceFault | undefined;
  /** Ids of rows whose comparison raises, as of a view whose version is a cast: each look skips them. */
  readonly raising: Set<string>;
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
  /** The text whose words are kept; of a source that keeps words. */
  wordsOf?: string | null | undefined;
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
  waitsFor: string | null;
  waitsVersion: string | null;
}

export interface TwinPosition {
  watermark: Micros | null;
  reconcileCursor: string | null;
  passStartedAt: Micros | null;
  lastPassStartedAt: Micros | null;
  lastPassEndedAt: Micros | null;
  passOpen: boolean;
  unsentSince: Micros | null;
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
  /** Its session holds the lock of a tick, and writes nothing. */
  readonly holdsTick?: boolean;
}

export interface TwinPause {
  readonly scope: string;
  readonly reason: string;
  detail: string;
  readonly since: Micros;
  probedAt?: Micros;
}

export interface TwinPace {
  pace: Pace;
  /** When each turn frees itself, by its id. */
  readonly inFlight: Map<string, Micros>;
  /** Undefined: nothing was asked of the rate yet. */
  rate?: TwinRate | undefined;
}

export interface TwinGrant extends CallGrant {
  readonly grantedAt: Micros;
  isLost: boolean;
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
  readonly grants: Map<string, TwinGrant>;
  readonly ledger: Map<string, LedgerEntry & { readonly spaceId: number; readonly recordedAt: Micros }>;
  /** Entries of `query_ledger`, by their id. */
  readonly queries: Map<string, { readonly costUsd: number; readonly recordedAt: Micros }>;
  readonly pauses: TwinPause[];
  /** By the alias of the model. */
  readonly paces: Map<string, TwinPace>;
  readonly batches: Map<string, TwinBatch>;
  /** By space and hash. */
  readonly batchTexts: Map<string, TwinBatchText>;
  /** Until when nothing is submitted, by the alias of the model. */
  readonly batchHolds: Map<string, Micros>;
  readonly openTransactions: Set<TwinTransaction>;
  /** Local runs that hold their advisory lock. */
  readonly liveRuns: Set<number>;
  readonly horizonMarginSeconds: number;
  /** Caps of the budget; a test may change them, as somebody changes the configuration. */
  caps: readonly Cap[];
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
  readonly caps?: readonly Cap[];
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
    raising: new Set(),
  });
  return {
    sources: new Map([...names].map(name => [name, emptySource()])),
    spaces: new Map(spaces.map(space => [space.spaceId, emptySpace(space)])),
    grants: new Map(),
    ledger: new Map(),
    queries: new Map(),
    pauses: [],
    paces: new Map(),
    batches: new Map(),
    batchTexts: new Map(),
    batchHolds: new Map(),
    openTransactions: new Set(),
    liveRuns: new Set(),
    horizonMarginSeconds: options.horizonMarginSeconds,
    caps: options.caps ?? [],
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

/** `isDoubled` of `quote-space.ts`; a key of the twin stands once, whatever was written for it. */
export function isDoubled(outcome: TwinOutcome | undefined): boolean {
  return outcome?.outcome === 'refused:duplicate-key' && outcome.xid !== null;
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

/** Whether an outcome counts as excluded: there is nothing that the model can embed, or too much. */
export const isExcluded = (outcome: string): boolean =>
  outcome.startsWith('excluded:') || outcome === 'too-long';
