import { createControlStore, createProbeClaims } from '../../../lib/adapters/sql/control-store.ts';
import { createDetectionStore } from '../../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../../lib/adapters/sql/embedding-store.ts';
import { createOutcomeStore } from '../../../lib/adapters/sql/outcome-store.ts';
import { createReportStore } from '../../../lib/adapters/sql/report-store.ts';
import type { Space } from '../../../lib/core/model.ts';
import type { SourceReading } from '../../../lib/ports/outcome-store.ts';
import { createRandom, type Random } from '../../simulation/random.ts';
import { openTwin, type TwinStores } from '../../twin/open-twin.ts';
import type { TwinDatabase, TwinTransaction } from '../../twin/twin-database.ts';
import type { ApplicationSession, VirtualServer } from './virtual-server.ts';

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
  readonly real: ReturnType<typeof createRealStores>;
  readonly twin: TwinDatabase;
  readonly stores: TwinStores;
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

export function createRealStores(server: VirtualServer) {
  return {
    detection: createDetectionStore(server.db, { horizonMarginSeconds: MARGIN_SECONDS }),
    embedding: createEmbeddingStore(server.db),
    outcomes: createOutcomeStore(server.db),
    control: createControlStore(server.db),
    probes: createProbeClaims(server.db),
    report: createReportStore(server.db),
  };
}

export function createPair(
  seed: number,
  server: VirtualServer,
  space: Space,
  sessions: readonly ApplicationSession[],
): Pair {
  const { twin, stores } = openTwin([space], {
    now: () => pair.nowMicros,
    newIdentifier: () => nextIdentifier(pair),
    horizonMarginSeconds: MARGIN_SECONDS,
  });
  const pair: Pair = {
    ...{ random: createRandom(seed), server, space, twin, real: createRealStores(server) },
    ...{ stores, idle: [...sessions], open: [], dispatches: [], readings: [] },
    ...{ calls: [], written: [], nowMicros: BEGINNING, identifiers: 0, trace: [] },
  };
  return pair;
}

export function nextIdentifier(pair: Pair): string {
  pair.identifiers += 1;
  return `00000000-0000-4000-8000-${pair.identifiers.toString(16).padStart(12, '0')}`;
}
