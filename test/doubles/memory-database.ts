import type { RowReading } from '../../lib/core/model/result-object.ts';
import type { Space } from '../../lib/core/model/space.ts';
import type { Lane, LeaseStage, Outcome } from '../../lib/core/model/vocabulary.ts';
import type { Clock } from '../../lib/ports/clock.ts';
import type { PauseReason } from '../../lib/ports/control-store.ts';
import type { SourceFault } from '../../lib/ports/detection-store.ts';
import type { CallGrant } from '../../lib/ports/embedding-store.ts';

export interface MemoryRow {
  readonly id: string;
  text: string | null;
  version: string | null;
  xid: string;
}

export interface MemoryOutcome extends RowReading {
  outcome: Outcome;
  contentHash: string | null;
}

export interface MemoryLease {
  dispatchId: string;
  lane: Lane;
  stage: LeaseStage;
  attempts: number;
  expiresAtMs: number;
}

/** What one space's tables hold. Versions are texts of equal width, so that comparing them as text is comparing them. */
export interface MemorySpace {
  readonly rows: Map<string, MemoryRow>;
  readonly outcomes: Map<string, MemoryOutcome>;
  readonly leases: Map<string, MemoryLease>;
  readonly verdicts: Map<string, string>;
  watermark: string | null;
  cursor: string | null;
  horizon: string | null;
  fault: SourceFault | undefined;
}

export interface MemoryDatabase {
  readonly clock: Clock;
  readonly spaces: readonly Space[];
  readonly grants: Map<string, CallGrant>;
  readonly ledger: Map<string, string>;
  readonly pauses: PauseReason[];
  /** Names of the port methods in the order of their calls. */
  readonly events: string[];
  /** Called at the start of each port method: throws to make it fail. */
  before: (event: string) => void;
  of(space: Space): MemorySpace;
  record(event: string): void;
}

export function createMemoryDatabase(clock: Clock, spaces: readonly Space[]): MemoryDatabase {
  const tables = new Map<number, MemorySpace>(spaces.map(space => [space.spaceId, emptySpace()]));
  const database: MemoryDatabase = {
    clock,
    spaces,
    grants: new Map(),
    ledger: new Map(),
    pauses: [],
    events: [],
    before: () => undefined,
    of(space) {
      const table = tables.get(space.spaceId);
      if (!table) throw new Error(`no space ${space.spaceId}`);
      return table;
    },
    record(event) {
      database.events.push(event);
      database.before(event);
    },
  };
  return database;
}

function emptySpace(): MemorySpace {
  return {
    rows: new Map(),
    outcomes: new Map(),
    leases: new Map(),
    verdicts: new Map(),
    watermark: null,
    cursor: null,
    horizon: 'v000',
    fault: undefined,
  };
}

let editCount = 0;

/** Inserts or edits a row, as an application would: a new version and a new xid. */
export function putRow(
  database: MemoryDatabase,
  space: Space,
  id: string,
  text: string | null,
  version = 'v100',
): void {
  editCount += 1;
  database.of(space).rows.set(id, { id, text, version, xid: String(editCount) });
}

export function isStale(table: MemorySpace, row: MemoryRow): boolean {
  const outcome = table.outcomes.get(row.id);
  return !outcome || outcome.version !== row.version || outcome.xid !== row.xid;
}

export const countOutcomes = (table: MemorySpace, outcome: string): number =>
  [...table.outcomes.values()].filter(entry => entry.outcome === outcome).length;
