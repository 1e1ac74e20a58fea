import { createControlStore, createProbeClaims } from '../../../lib/adapters/sql/control-store.ts';
import { createDetectionStore } from '../../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../../lib/adapters/sql/embedding-store.ts';
import { createOutcomeStore } from '../../../lib/adapters/sql/outcome-store.ts';
import { createPaceStore } from '../../../lib/adapters/sql/pace-store.ts';
import { createReportStore } from '../../../lib/adapters/sql/report-store.ts';
import { type Budget, type Cap, listCaps } from '../../../lib/core/budget.ts';
import type { Space } from '../../../lib/core/model.ts';
import type { SourceReading } from '../../../lib/ports/outcome-store.ts';
import { createRandom, type Random } from '../../simulation/random.ts';
import { openTwin, type TwinStores } from '../../twin/open-twin.ts';
import type { TwinDatabase, TwinTransaction } from '../../twin/twin-database.ts';
import { type ApplicationSession, LIVE_RUN, type VirtualServer } from './virtual-server.ts';

export const MARGIN_SECONDS = 60;
const BEGINNING = Date.UTC(2026, 0, 1) * 1000;

export type Change =
  | {
      readonly id: string;
      readonly kind: 'put';
      readonly text: string | null;
      readonly version: number | null;
    }
  | { readonly id: string; readonly kind: 'delete' };

/** A transaction of the application that is open on the server and on the twin. */
export interface OpenChange {
  readonly session: ApplicationSession;
  readonly transaction: TwinTransaction;
  readonly changes: readonly Change[];
}

/** One history on the server and on the twin, and what its next operation may refer to. */
export interface Pair {
  readonly random: Random;
  readonly server: VirtualServer;
  readonly space: Space;
  /** The ids that the history uses. */
  readonly keys: readonly string[];
  readonly real: ReturnType<typeof createRealStores>;
  readonly twin: TwinDatabase;
  readonly stores: TwinStores;
  /** The caps of both sides, which an operation may replace. */
  readonly caps: Cap[];
  readonly idle: ApplicationSession[];
  readonly open: OpenChange[];
  readonly dispatches: string[];
  readonly readings: SourceReading[];
  readonly calls: string[];
  readonly written: unknown[];
  nowMicros: number;
  identifiers: number;
  readonly trace: string[];
}

/** The budget of a history, low enough that a few of its grants reach a cap. */
export const budgetOf = (usdPerDay: number): Budget => ({
  usdPerDay,
  usdPerMonth: 3 * usdPerDay,
  perSource: { ai_items: { usdPerDay: 0.75 * usdPerDay } },
});

function createRealStores(server: VirtualServer, caps: readonly Cap[]) {
  return {
    detection: createDetectionStore(server.db, { horizonMarginSeconds: MARGIN_SECONDS, caps }),
    embedding: createEmbeddingStore(server.db, caps),
    outcomes: createOutcomeStore(server.db),
    control: createControlStore(server.db),
    probes: createProbeClaims(server.db),
    pace: createPaceStore(server.db),
    report: createReportStore(server.db),
  };
}

export function createPair(
  seed: number,
  server: VirtualServer,
  space: Space,
  sessions: readonly ApplicationSession[],
): Pair {
  const caps = [...listCaps(budgetOf(4))];
  const { twin, stores } = openTwin([space], {
    now: () => pair.nowMicros,
    newIdentifier: () => nextIdentifier(pair),
    horizonMarginSeconds: MARGIN_SECONDS,
    caps,
  });
  twin.liveRuns.add(LIVE_RUN);
  const pair: Pair = {
    ...{
      random: createRandom(seed),
      server,
      space,
      keys: keysOf(space),
      twin,
      real: createRealStores(server, caps),
    },
    ...{ stores, caps, idle: [...sessions], open: [], dispatches: [], readings: [] },
    ...{ calls: [], written: [], nowMicros: BEGINNING, identifiers: 0, trace: [] },
  };
  return pair;
}

const KEYS = ['1', '2', '3', '9', '10', '11'];

/** Keys of two parts, a number and a time; their texts have one width, by which the twin orders them. */
const COMPOSITE_KEYS = ['11', '12', '13', '21', '22', '31'].map(
  ([tenant, second]) => `["${tenant}", "2026-01-01T00:00:0${second}.25"]`,
);

/** The columns of a composite key and their types, as `openSpace` takes them. */
export const COMPOSITE_COLUMNS = { tenant: 'bigint', made_at: 'timestamptz' };

function keysOf({ source }: Space): readonly string[] {
  return source.keyColumns.length > 1 ? COMPOSITE_KEYS : KEYS;
}

/** Writes the columns of an id and their values, for a statement of the application. */
export function writeKey(id: string): { readonly columns: string; readonly values: string } {
  if (!id.startsWith('[')) return { columns: 'id', values: id };
  const [tenant, time] = JSON.parse(id) as string[];
  return { columns: Object.keys(COMPOSITE_COLUMNS).join(', '), values: `${tenant}, '${time}Z'` };
}

export function nextIdentifier(pair: Pair): string {
  pair.identifiers += 1;
  return `00000000-0000-4000-8000-${pair.identifiers.toString(16).padStart(12, '0')}`;
}
