import type { Space } from '../../lib/core/model.ts';
import type { BatchStore } from '../../lib/ports/batches.ts';
import type { ControlStore, ProbeClaims, SpaceRegistry } from '../../lib/ports/control-store.ts';
import type { DetectionStore } from '../../lib/ports/detection-store.ts';
import type { EmbeddingStore, OutcomeStore } from '../../lib/ports/outcome-store.ts';
import type { PaceStore } from '../../lib/ports/pace-store.ts';
import type { Clock } from '../../lib/ports/process.ts';
import { type CallLog, logCalls } from '../doubles/call-log.ts';
import { openTwin } from '../twin/open-twin.ts';
import { type Micros, seconds } from '../twin/timestamps.ts';
import {
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinLease,
  type TwinOutcome,
  type TwinRow,
  type TwinSpace,
} from '../twin/twin-database.ts';

/** The horizon lies as long before the oldest open transaction, or before now without one. */
const HORIZON_MARGIN_SECONDS = 60;

export const DISPATCH = '00000000-0000-4000-8000-000000000001';

const bySpace = ({ spaceId }: Space) => spaceId;

/**
 * Opens the twin on the clock of a test, with a log of what is asked of its ports.
 *
 * The registry is not logged: the pipeline reads its spaces from memory, not from the database.
 */
export function makeLoggedTwin(clock: Clock, spaces: readonly Space[], log: CallLog) {
  let identifiers = 0;
  const { twin, stores } = openTwin(spaces, {
    now: () => clock.now() * 1000,
    horizonMarginSeconds: HORIZON_MARGIN_SECONDS,
    newIdentifier: () => {
      identifiers += 1;
      return `00000000-0000-4000-9000-${identifiers.toString(16).padStart(12, '0')}`;
    },
  });
  const registry: SpaceRegistry = {
    list: async () => stores.registry.list(),
    find: async spaceId => stores.registry.find(spaceId),
  };
  return {
    twin,
    spaces: registry,
    detection: logCalls<DetectionStore>(log, stores.detection, {
      ...{ findSourceFault: bySpace, countInFlight: bySpace, removeOrphans: bySpace, readStaleness: bySpace },
      writeUnsent: (_space, left) => (left ? 'left' : 'none'),
      writeReconcileCursor: (_space, cursor, passEnded) => (passEnded ? 'at the end' : `at ${cursor}`),
    }),
    embedding: logCalls<EmbeddingStore>(log, stores.embedding, {
      readRows: (_space, _ids, maxBytes) => maxBytes,
      postponeLeases: (_space, _dispatchId, _ids, afterSeconds) => afterSeconds,
    }),
    outcomes: logCalls<OutcomeStore>(log, stores.outcomes),
    control: logCalls<ControlStore>(log, stores.control, {
      pause: (scope, reason) => `${scope} ${reason}`,
      resume: (scope, reason) => `${scope} ${reason}`,
    }),
    pace: logCalls<PaceStore>(log, stores.pace, { takeTurn: alias => alias, storePace: alias => alias }),
    batches: logCalls<BatchStore>(log, stores.batches),
    probes: logCalls<ProbeClaims>(log, stores.probes),
  };
}

/** Inserts or edits a row as an application does: with a new `xmin`, and now as its version. */
export function putRow(
  twin: TwinDatabase,
  space: Space,
  id: string,
  text: string | null,
  version: Micros | null = twin.now(),
): void {
  const { rows } = sourceOf(twin, space);
  rows.set(id, { id, text, version, xid: (rows.get(id)?.xid ?? 0) + 1 });
}

/** Leases the row for an hour, as waiting in the queue, unless `changes` say otherwise. */
export function leaseRow(
  twin: TwinDatabase,
  space: Space,
  id: string,
  changes: Partial<Omit<TwinLease, 'id'>> = {},
): void {
  const now = twin.now();
  spaceOf(twin, space).leases.set(id, {
    ...{ id, dispatchId: DISPATCH, lane: 'fresh', stage: 'queued', attempts: 0, runId: null },
    ...{ firstSeen: now, expiresAt: now + seconds(3600), waitsFor: null, waitsVersion: null },
    ...changes,
  });
}

/** Stores the outcome of a row that was read an hour ago and edited since. */
export function storeOutcome(
  twin: TwinDatabase,
  space: Space,
  id: string,
  stored: Pick<TwinOutcome, 'outcome' | 'contentHash'> & Partial<Omit<TwinOutcome, 'id'>>,
): void {
  const readAt = twin.now() - seconds(3600);
  const isEmbedded = stored.outcome === 'embedded';
  spaceOf(twin, space).outcomes.set(id, {
    ...{ id, version: readAt, xid: 0, readAt, textLength: 0, keptLength: 0, tokens: 0 },
    ...{ vector: isEmbedded ? Buffer.alloc(16) : null, embeddedAt: isEmbedded ? readAt : null },
    ...{ missingSince: null },
    ...stored,
  });
}

/** Gives the version of a row that was written so many minutes ago, in microseconds. */
export const minutesAgo = (twin: TwinDatabase, minutes: number): Micros => twin.now() - seconds(60 * minutes);

/** Holds the horizon by a transaction that is still open; a prepared one keeps it unknown. */
export function holdHorizon(twin: TwinDatabase, horizon: Micros | 'unknown'): void {
  const prepared = horizon === 'unknown';
  const startedAt = prepared ? twin.now() : horizon + seconds(twin.horizonMarginSeconds);
  twin.openTransactions.add({ xid: 0, startedAt, prepared });
}

/** Finds the rows whose stored outcome is of another version or `xmin`, or is missing. */
export function findStaleRows(twin: TwinDatabase, space: Space): TwinRow[] {
  const { outcomes } = spaceOf(twin, space);
  return [...sourceOf(twin, space).rows.values()].filter(({ id, version, xid }) => {
    const outcome = outcomes.get(id);
    return outcome?.version !== version || outcome.xid !== xid;
  });
}

export const countOutcomes = ({ outcomes }: TwinSpace, wanted: TwinOutcome['outcome']): number =>
  [...outcomes.values()].filter(({ outcome }) => outcome === wanted).length;
