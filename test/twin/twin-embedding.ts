import { BUDGET_PAUSE } from '../../lib/core/control.ts';
import type { Space } from '../../lib/core/model.ts';
import type { CallGrant, EmbeddingStore, SourceReading } from '../../lib/ports/outcome-store.ts';
import type { Synchronous } from './synchronous.ts';
import { printNullable, printTimestamp, seconds } from './timestamps.ts';
import { findReachedCap } from './twin-caps.ts';
import { findPause } from './twin-control.ts';
import {
  compareKeys,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinOutcome,
  visibleRow,
} from './twin-database.ts';
import { ownLeases, releaseLeases } from './twin-leases.ts';

const LONGEST_EMBEDDING_SECONDS = 900;

/**
 * Opens `EmbeddingStore` on the twin.
 *
 * Each method does what the statement of the same name in `lib/adapters/sql/embedding` does.
 */
export function createTwinEmbedding(twin: TwinDatabase): Synchronous<EmbeddingStore> {
  return {
    beginEmbedding: (space, dispatchId, ids) => {
      const until = twin.now() + seconds(LONGEST_EMBEDDING_SECONDS);
      const mine = ownLeases(twin, space, dispatchId, ids).filter(({ stage }) => stage !== 'announced');
      for (const lease of mine) {
        lease.stage = 'embedding';
        lease.expiresAt = Math.max(lease.expiresAt, until);
      }
      return mine.map(({ id }) => id);
    },
    readRows: (space, ids, maxBytes) => readRows(twin, space, ids, maxBytes),
    findDoubledKeys: () => [],
    lookUpHashes: (space, hashes) => {
      const { outcomes, failures } = spaceOf(twin, space);
      const held = new Set<string | null>();
      for (const { outcome, contentHash } of outcomes.values())
        if (outcome === 'embedded') held.add(contentHash);
      const refused = new Map<string, string>();
      for (const hash of hashes) {
        const failure = failures.get(hash);
        if (failure) refused.set(hash, failure.code);
      }
      return { embedded: new Set(hashes.filter(hash => held.has(hash))), refused };
    },
    grantCall: (space, grant) => {
      const pause = findPause(twin, space);
      if (pause) return { scope: pause.scope, reason: pause.reason };
      const reached = findReachedCap(twin, space, grant);
      if (reached) {
        twin.pauses.push({
          ...{ scope: reached.scope, reason: BUDGET_PAUSE },
          ...{ detail: reached.sentence, since: twin.now() },
        });
        return { scope: reached.scope, reason: BUDGET_PAUSE };
      }
      return grantProbe(twin, grant);
    },
    noteBill: (callId, costUsd) => {
      const grant = twin.grants.get(callId);
      if (grant && !grant.isLost) twin.grants.set(callId, { ...grant, estimatedCostUsd: costUsd });
    },
    revokeGrant: callId => {
      if (twin.grants.delete(callId)) twin.observer?.grantRevoked(callId);
    },
    markAnnounced: (space, dispatchId, ids, leaseSeconds) => {
      const expiresAt = twin.now() + seconds(leaseSeconds);
      for (const lease of ownLeases(twin, space, dispatchId, ids)) {
        if (lease.stage !== 'queued') Object.assign(lease, { stage: 'announced', expiresAt });
      }
    },
    dropLeases: (space, dispatchId, ids) => releaseLeases(twin, space, dispatchId, ids, twin.now()),
    postponeLeases: (space, dispatchId, ids, afterSeconds) => {
      const expiresAt = twin.now() + seconds(afterSeconds);
      for (const lease of ownLeases(twin, space, dispatchId, ids)) {
        if (lease.stage !== 'announced') Object.assign(lease, { stage: 'queued', expiresAt });
      }
    },
  };
}

/** Grants a probe of the guard, whatever is paused: `grant-probe.ts`. */
export function grantProbe(twin: TwinDatabase, grant: CallGrant): undefined {
  if (!twin.grants.has(grant.callId)) {
    twin.grants.set(grant.callId, { ...grant, grantedAt: twin.now(), isLost: false });
  }
}

function readRows(
  twin: TwinDatabase,
  space: Space,
  ids: readonly string[],
  maxBytes: number,
): SourceReading[] {
  const now = twin.now();
  const { outcomes } = spaceOf(twin, space);
  const source = sourceOf(twin, space);
  const readings: SourceReading[] = [];
  for (const id of [...new Set(ids)].sort(compareKeys)) {
    const row = visibleRow(source, id);
    if (!row) continue;
    const stored = outcomes.get(id);
    const characters = row.text === null ? [] : [...row.text];
    const isLong = row.text !== null && Buffer.byteLength(row.text) > maxBytes;
    readings.push({
      id,
      version: printNullable(row.version),
      xid: String(row.xid),
      readAt: printTimestamp(stored ? Math.max(now, stored.readAt + 1) : now),
      columns: [isLong ? characters.slice(0, maxBytes).join('') : row.text],
      textLength: characters.length,
      cut: isLong && characters.length > maxBytes,
      stored: stored ? describeStored(stored) : null,
    });
  }
  return readings;
}

function describeStored(stored: TwinOutcome): NonNullable<SourceReading['stored']> {
  const { outcome, contentHash, version, xid, keptLength, tokens } = stored;
  return {
    outcome,
    contentHash,
    version: printNullable(version),
    xid: xid === null ? null : String(xid),
    keptLength,
    tokens,
  };
}
