import type { Space } from '../../lib/core/model.ts';
import { createTwinBatches } from './twin-batches.ts';
import { createTwinControl, createTwinProbeClaims, createTwinRegistry } from './twin-control.ts';
import { createTwinDatabase, type TwinDatabase, type TwinOptions } from './twin-database.ts';
import { createTwinDetection } from './twin-detection.ts';
import { createTwinEmbedding } from './twin-embedding.ts';
import { createTwinPace } from './twin-pace.ts';
import { createTwinOutcomes } from './twin-writing.ts';

/** The only in-memory database of the tests: its tables, and every database port upon them. */
export interface Twin {
  readonly twin: TwinDatabase;
  readonly stores: TwinStores;
}

export type TwinStores = ReturnType<typeof createStores>;

/** Opens an empty twin for these spaces; their sources have no rows yet. */
export function openTwin(spaces: readonly Space[], options: TwinOptions): Twin {
  const twin = createTwinDatabase(spaces, options);
  return { twin, stores: createStores(twin) };
}

function createStores(twin: TwinDatabase) {
  return {
    detection: createTwinDetection(twin),
    embedding: createTwinEmbedding(twin),
    outcomes: createTwinOutcomes(twin),
    control: createTwinControl(twin),
    pace: createTwinPace(twin),
    batches: createTwinBatches(twin),
    probes: createTwinProbeClaims(twin),
    registry: createTwinRegistry(twin),
  };
}
