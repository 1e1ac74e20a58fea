import type { TwinTransaction } from '../twin/twin-database.ts';

/** What the simulation knows of the application, and no product code may know. */
export interface ApplicationState {
  /** Open transactions, each with what commits it. */
  readonly open: Map<TwinTransaction, () => void>;
  nextXid: number;
  /** How each source sets its version column. */
  readonly habits: Map<string, VersionHabit>;
  /** By `source/id`, of rows that are there or were. */
  readonly rows: Map<string, RowFacts>;
  /** Content hash and sequence of what a transaction committed, by `source/id/xid`. */
  readonly committedHashes: Map<string, string>;
  readonly commitSequences: Map<string, number>;
  /** How often a row took on a text, by `source/contentHash`. */
  readonly adoptions: Map<string, number>;
  /** `world.sequence` when a space got its first watermark: what was committed before is the reconcile pass's. */
  readonly firstWatermarks: Map<number, number>;
  clockStepped: boolean;
}

export interface RowFacts {
  /** Of its last commit. */
  readonly sequence: number;
  readonly committedAtMs: number;
  /** Its transaction was open for long: the version is older than what others committed meanwhile. */
  readonly isLate: boolean;
  /** Whether its version column told the truth: the incremental pass must find it. */
  honest: boolean;
}

/** `start` is `now()`, `statement` is `clock_timestamp()`; the others do not keep their word. */
export type VersionHabit = 'start' | 'statement' | 'coarse' | 'forgetful' | 'client' | 'nullable';

export function createApplicationState(): ApplicationState {
  return {
    ...{ open: new Map(), nextXid: 1000, habits: new Map(), rows: new Map(), committedHashes: new Map() },
    ...{ commitSequences: new Map(), adoptions: new Map(), firstWatermarks: new Map(), clockStepped: false },
  };
}
