import type { Space } from '../../lib/core/model/space.ts';
import type { EmbeddingStore } from '../../lib/ports/embedding-store.ts';
import type { MemoryDatabase, MemoryLease } from './memory-database.ts';

export function createMemoryEmbeddingStore(database: MemoryDatabase): EmbeddingStore {
  const { clock } = database;
  let stamps = 0;
  const own = (
    space: Space,
    dispatchId: string,
    ids: readonly string[],
    change: (lease: MemoryLease) => void,
  ) =>
    ids.filter(id => {
      const lease = database.of(space).leases.get(id);
      if (lease?.dispatchId !== dispatchId || lease.stage === 'announced') return false;
      change(lease);
      return true;
    });
  return {
    async beginEmbedding(space, dispatchId, ids) {
      database.record('beginEmbedding');
      return own(space, dispatchId, ids, lease => {
        lease.stage = 'embedding';
        lease.expiresAtMs = Math.max(lease.expiresAtMs, clock.now() + 900_000);
      });
    },
    async readRows(space, ids, maxBytes) {
      database.record(`readRows ${maxBytes}`);
      return ids.flatMap(id => {
        const { rows, outcomes } = database.of(space);
        const row = rows.get(id);
        if (!row) return [];
        const stored = outcomes.get(id);
        stamps += 1;
        const text = row.text ?? '';
        const { version, xid } = row;
        return {
          ...{ id, version, xid, readAt: String(stamps).padStart(9, '0') },
          columns: [row.text === null ? null : text.slice(0, maxBytes)],
          textLength: text.length,
          cut: text.length > maxBytes,
          stored: stored ? { ...stored, keptLength: 0, tokens: 0 } : null,
        };
      });
    },
    async lookUpHashes(space, hashes) {
      database.record('lookUpHashes');
      const { outcomes, verdicts } = database.of(space);
      const embedded = [...outcomes.values()].filter(({ outcome }) => outcome === 'embedded');
      const held = new Set(embedded.map(({ contentHash }) => contentHash));
      return {
        embedded: new Set(hashes.filter(hash => held.has(hash))),
        refused: new Map(
          hashes.flatMap(hash => (verdicts.has(hash) ? [[hash, verdicts.get(hash) ?? '']] : [])),
        ),
      };
    },
    async grantCall(space, grant) {
      database.record('grantCall');
      const scopes = ['pipeline', `model:${space.model.alias}`, `source:${space.source.name}`];
      const pause = database.pauses.find(({ scope }) => scopes.includes(scope));
      if (pause) return pause;
      database.grants.set(grant.callId, grant);
      return undefined;
    },
    async revokeGrant(callId) {
      database.record('revokeGrant');
      database.grants.delete(callId);
    },
    async markAnnounced(space, dispatchId, ids, leaseSeconds) {
      database.record('markAnnounced');
      own(space, dispatchId, ids, lease => {
        if (lease.stage === 'queued') return;
        lease.stage = 'announced';
        lease.expiresAtMs = clock.now() + leaseSeconds * 1000;
      });
    },
    async dropLeases(space, dispatchId, ids) {
      database.record('dropLeases');
      for (const id of own(space, dispatchId, ids, () => undefined)) database.of(space).leases.delete(id);
    },
    async postponeLeases(space, dispatchId, ids, afterSeconds) {
      database.record(`postponeLeases ${afterSeconds}`);
      own(space, dispatchId, ids, lease => {
        lease.stage = 'queued';
        lease.expiresAtMs = clock.now() + afterSeconds * 1000;
      });
    },
  };
}
