import type { EmbeddingStore } from '../../../ports/embedding-store.ts';
import { nameSourceFault } from '../detection/name-source-fault.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { releaseLeases } from '../writing/release-leases.ts';
import { beginEmbedding } from './begin-embedding.ts';
import { grantCall } from './grant-call.ts';
import { lookUpHashes } from './look-up-hashes.ts';
import { markAnnounced } from './mark-announced.ts';
import { postponeLeases } from './postpone-leases.ts';
import { readRows } from './read-rows.ts';
import { revokeGrant } from './revoke-grant.ts';

export function createEmbeddingStore(db: SqlDatabase): EmbeddingStore {
  return {
    beginEmbedding: (space, dispatchId, ids) => beginEmbedding(db, space, dispatchId, ids),
    readRows: (space, ids, maxBytesPerColumn) =>
      nameSourceFault(db, space, () => readRows(db, space, ids, maxBytesPerColumn)),
    lookUpHashes: (space, hashes) => lookUpHashes(db, space, hashes),
    grantCall: (space, grant) => grantCall(db, space, grant),
    revokeGrant: callId => revokeGrant(db, callId),
    markAnnounced: (space, dispatchId, ids, leaseSeconds) =>
      markAnnounced(db, space, dispatchId, ids, leaseSeconds),
    dropLeases: (space, dispatchId, ids) =>
      nameSourceFault(db, space, () => releaseLeases(db.kysely, space, dispatchId, ids)),
    postponeLeases: (space, dispatchId, ids, afterSeconds) =>
      postponeLeases(db, space, dispatchId, ids, afterSeconds),
  };
}
