import { randomUUID } from 'node:crypto';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import type { Space } from '../../lib/core/model.ts';
import { buildHash, buildResult, embedded } from '../factories/result-object.ts';
import { request } from './open-space.ts';

/** Leases and embeds what a reconcile pass finds stale, all with one vector. Resolves with the ids, sorted. */
export async function embedStaleRows(db: SqlDatabase, space: Space): Promise<string[]> {
  const dispatchId = randomUUID();
  const range = { after: null, through: null };
  const leased = await createDetectionStore(db).leaseStaleSlice(space, {
    ...request({ dispatchId }),
    ...range,
  });
  const ids = leased.rows.map(({ id }) => id);
  const embedding = createEmbeddingStore(db);
  await embedding.beginEmbedding(space, dispatchId, ids);
  const outcomes = (await embedding.readRows(space, ids, 1000)).map(reading =>
    embedded(reading, [1, 0, 0], buildHash(1)),
  );
  await createOutcomeStore(db).writeResult(space, buildResult(space, dispatchId, { outcomes }));
  return ids.sort();
}
