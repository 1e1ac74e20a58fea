import type { Space } from '../../lib/core/model/space.ts';
import type {
  DetectionStore,
  LeaseDispatch,
  LeasedRow,
  LeaseRequest,
} from '../../lib/ports/detection-store.ts';
import { isStale, type MemoryDatabase, type MemoryRow } from './memory-database.ts';

export function createMemoryDetectionStore(database: MemoryDatabase): DetectionStore {
  const { clock } = database;
  const ended = new Set<number>();
  const isFree = (space: Space, id: string) =>
    (database.of(space).leases.get(id)?.expiresAtMs ?? 0) <= clock.now();
  const lease = (space: Space, rows: readonly MemoryRow[], request: LeaseRequest): LeasedRow[] =>
    rows.map(({ id, version }) => {
      const { leases } = database.of(space);
      const old = leases.get(id);
      const began = old?.stage === 'embedding' || old?.stage === 'announced';
      const attempts = (old?.attempts ?? 0) + (began ? 1 : 0);
      const { dispatchId, lane, stage, leaseSeconds } = request;
      const expiresAtMs = clock.now() + leaseSeconds * 1000;
      leases.set(id, { dispatchId, lane, stage, attempts, expiresAtMs });
      return { id, attempts, version };
    });
  const changeLeases = (
    space: Space,
    { dispatchId, stage }: LeaseDispatch,
    ids: Iterable<string>,
    seconds: number,
  ) => {
    for (const id of ids) {
      const found = database.of(space).leases.get(id);
      if (found?.dispatchId !== dispatchId || found.stage !== stage) continue;
      found.stage = 'queued';
      found.expiresAtMs = clock.now() + seconds * 1000;
    }
  };
  const keysOf = (space: Space) => [...database.of(space).rows.keys()].sort();

  return {
    async expireLeasesOfDeadRuns() {
      database.record('expireLeasesOfDeadRuns');
      return 0;
    },
    async findSourceFault(space) {
      database.record(`findSourceFault ${space.spaceId}`);
      return database.of(space).fault;
    },
    async countInFlight(space) {
      database.record(`countInFlight ${space.spaceId}`);
      return keysOf(space).filter(id => !isFree(space, id)).length;
    },
    async readPosition(space) {
      const { watermark, cursor } = database.of(space);
      return {
        watermark,
        reconcileCursor: cursor,
        lastPassEndedAt: null,
        passOpen: !ended.has(space.spaceId),
      };
    },
    async writeWatermark(space, candidates) {
      database.record('writeWatermark');
      const [least] = candidates.filter(candidate => candidate !== null).sort();
      if (least !== undefined) database.of(space).watermark = least;
    },
    async writeReconcileCursor(space, cursor, passEnded) {
      database.record(passEnded ? 'passEnded' : `cursor ${cursor}`);
      database.of(space).cursor = passEnded ? null : cursor;
      ended[passEnded ? 'add' : 'delete'](space.spaceId);
    },
    async readHorizon(space) {
      database.record('readHorizon');
      return database.of(space).horizon;
    },
    async leaseChangedRows(space, request) {
      database.record('leaseChangedRows');
      const table = database.of(space);
      const candidates = [...table.rows.values()]
        .filter(row => isStale(table, row) && isFree(space, row.id))
        .filter(row => {
          const changed =
            request.watermark !== null && row.version !== null && row.version >= request.watermark;
          return changed || table.leases.has(row.id);
        })
        .sort((a, b) => ((a.version ?? '') < (b.version ?? '') ? -1 : 1));
      const firstUnsentVersion = candidates[request.limit]?.version ?? null;
      return { rows: lease(space, candidates.slice(0, request.limit), request), firstUnsentVersion };
    },
    async findSliceEnd(space, cursor, rows) {
      const rest = keysOf(space).filter(key => cursor === null || key > cursor);
      return rest.length > rows ? (rest[rows - 1] ?? null) : null;
    },
    async leaseStaleSlice(space, request) {
      database.record('leaseStaleSlice');
      const table = database.of(space);
      const { after, through, limit } = request;
      const candidates = [...table.rows.values()]
        .filter(({ id }) => (after === null || id > after) && (through === null || id <= through))
        .filter(row => isStale(table, row) && isFree(space, row.id));
      return {
        rows: lease(space, candidates.slice(0, limit), request),
        truncated: candidates.length > limit,
      };
    },
    async removeOrphans(space) {
      database.record(`removeOrphans ${space.spaceId}`);
      return { marked: 0, deleted: 0, stopped: null };
    },
    async confirmSent(space, dispatchId, ids, leaseSeconds) {
      database.record('confirmSent');
      changeLeases(space, { dispatchId, stage: 'sending' }, ids, leaseSeconds);
    },
    async abandonLeases(space, dispatch, ids = [...database.of(space).leases.keys()]) {
      database.record('abandonLeases');
      changeLeases(space, dispatch, ids, 0);
    },
    async readStaleness(space) {
      database.record(`readStaleness ${space.spaceId}`);
      const table = database.of(space);
      const stale = [...table.rows.values()].filter(row => isStale(table, row));
      const waiting = { rows: stale.length, oldestAgeSeconds: stale.length };
      return { fresh: waiting, bulk: { rows: 0, oldestAgeSeconds: 0 } };
    },
  };
}
