import type { LedgerEntry } from '../../lib/core/result-object.ts';
import type { BatchStore, StoredBatch } from '../../lib/ports/batches.ts';
import type { Synchronous } from './synchronous.ts';
import { type Micros, seconds } from './timestamps.ts';
import { spaceOf, type TwinDatabase } from './twin-database.ts';

/** A row of `freshet.batch_texts`. */
export interface TwinBatchText {
  readonly spaceId: number;
  readonly contentHash: string;
  state: 'collected' | 'open' | 'ready' | 'live';
  itemId: string;
  readonly tokens: number;
  batchId: string | null;
  paid: boolean;
  beside: boolean;
  vector: Buffer | null;
  readonly collectedAt: Micros;
  changedAt: Micros;
}

/** A row of `freshet.batches`. */
export interface TwinBatch {
  readonly batchId: string;
  readonly spaceId: number;
  readonly modelAlias: string;
  state: StoredBatch['state'];
  providerBatchId: string | null;
  inputFileId: string | null;
  fileIds: readonly string[];
  readonly texts: number;
  readonly tokens: number;
  readonly usdPerMillionTokens: number;
  readonly dimensions: number;
  readonly normalized: boolean;
  outcome: string | null;
  readonly createdAt: Micros;
  isFenced: boolean;
  isCancelled: boolean;
  isReleased: boolean;
  endedAt: Micros | null;
  looksAtEnd: number;
  nextLookAt: Micros;
}

/** Does on maps what `batch-store.ts` and `batch-texts.ts` do in PostgreSQL, a function for each method. */
export function createTwinBatches(twin: TwinDatabase): Synchronous<BatchStore> {
  const { batches, batchTexts, batchHolds } = twin;
  const keyOf = (spaceId: number, hash: string) => `${spaceId}/${hash}`;
  const textsOf = (spaceId: number, hashes: readonly string[]) =>
    hashes.flatMap(hash => batchTexts.get(keyOf(spaceId, hash)) ?? []);
  const change = (batchId: string, apply: (batch: TwinBatch) => void) => {
    const batch = batches.get(batchId);
    if (batch) apply(batch);
  };
  const free = (spaceId: number, hashes: readonly string[]) => {
    const wanted = new Set(hashes);
    for (const lease of twin.spaces.get(spaceId)?.leases.values() ?? []) {
      if (lease.waitsFor === null || !wanted.has(lease.waitsFor)) continue;
      Object.assign(lease, { expiresAt: twin.now(), waitsFor: null, waitsVersion: null });
    }
  };
  const releaseOpen = (batchId: string, state: 'live' | 'collected'): number => {
    const open = [...batchTexts.values()].filter(text => text.batchId === batchId && text.state === 'open');
    for (const text of open) {
      Object.assign(text, { state, changedAt: twin.now() });
      if (state === 'collected') text.batchId = null;
      else free(text.spaceId, [text.contentHash]);
    }
    return open.length;
  };
  const isHeld = (alias: string) => (batchHolds.get(alias) ?? 0) > twin.now();
  const aliasOf = (spaceId: number) => {
    const space = twin.spaces.get(spaceId);
    return space?.retired ? undefined : space?.space.model.alias;
  };
  const collectedOf = (alias: string) =>
    [...batchTexts.values()].filter(
      ({ spaceId, state }) => state === 'collected' && aliasOf(spaceId) === alias,
    );
  const unfinished = (alias: string) =>
    [...batches.values()].filter(({ modelAlias, state }) => modelAlias === alias && state !== 'ended');
  const toStored = (batch: TwinBatch): StoredBatch => ({
    ...batch,
    ageSeconds: (twin.now() - batch.createdAt) / 1e6,
    endedSeconds: batch.endedAt === null ? null : (twin.now() - batch.endedAt) / 1e6,
  });

  return {
    joinBatch(space, dispatchId, texts, leaseSeconds) {
      const joined = new Set<string>();
      const { leases } = spaceOf(twin, space);
      for (const { contentHash, tokens, rows } of texts) {
        const key = keyOf(space.spaceId, contentHash);
        const known = batchTexts.get(key);
        const itemId = rows[0]?.id ?? '';
        if (known && known.state !== 'collected' && known.state !== 'open') continue;
        if (known) known.itemId = itemId;
        else {
          const mark = { paid: false, beside: false, vector: null, batchId: null };
          const at = { collectedAt: twin.now(), changedAt: twin.now() };
          const { spaceId } = space;
          batchTexts.set(key, { spaceId, contentHash, state: 'collected', itemId, tokens, ...mark, ...at });
        }
        joined.add(contentHash);
        for (const { id, version } of rows) {
          const lease = leases.get(id);
          if (lease?.dispatchId !== dispatchId || lease.stage === 'announced') continue;
          const waits = { waitsFor: contentHash, waitsVersion: version };
          const expiresAt = twin.now() + seconds(leaseSeconds);
          Object.assign(lease, { stage: 'queued', lane: 'bulk', runId: null, expiresAt, ...waits });
        }
      }
      return joined;
    },
    findVectors: (space, hashes) =>
      new Map(
        textsOf(space.spaceId, hashes).flatMap(({ contentHash, state, vector }) =>
          state === 'ready' && vector ? [[contentHash, vector] as const] : [],
        ),
      ),
    takeForEdit(space, hashes) {
      const inBatch = new Set<string>();
      for (const text of textsOf(space.spaceId, hashes)) {
        if (text.state === 'open') {
          text.beside = true;
          inBatch.add(text.contentHash);
        } else if (text.state === 'collected') {
          Object.assign(text, { state: 'live', beside: false, changedAt: twin.now() });
          free(space.spaceId, [text.contentHash]);
        }
      }
      return inBatch;
    },
    isDue: alias =>
      unfinished(alias).some(({ nextLookAt }) => nextLookAt <= twin.now()) ||
      (collectedOf(alias).length > 0 && !isHeld(alias)),
    claimDue(alias, claimSeconds) {
      const due = unfinished(alias).filter(({ nextLookAt }) => nextLookAt <= twin.now());
      for (const batch of due) batch.nextLookAt = twin.now() + seconds(claimSeconds);
      return due
        .map(toStored)
        .sort((a, b) => b.ageSeconds - a.ageSeconds || (a.batchId < b.batchId ? -1 : 1));
    },
    postponeLook: (batchId, after) =>
      change(batchId, batch => {
        batch.nextLookAt = twin.now() + seconds(after);
      }),
    readCollected(alias) {
      const bySpace = Map.groupBy(collectedOf(alias), ({ spaceId }) => spaceId);
      const enqueued = unfinished(alias).filter(({ state }) => state !== 'settled');
      return {
        spaces: [...bySpace]
          .sort(([a], [b]) => a - b)
          .map(([spaceId, texts]) => ({
            spaceId,
            texts: texts.length,
            oldestAgeSeconds: (twin.now() - Math.min(...texts.map(text => text.collectedAt))) / 1e6,
          })),
        enqueuedTokens: enqueued.reduce((sum, { tokens }) => sum + tokens, 0),
        isHeld: isHeld(alias),
      };
    },
    listCollected: (space, limit) =>
      [...batchTexts.values()]
        .filter(({ spaceId, state }) => spaceId === space.spaceId && state === 'collected')
        .sort((a, b) => a.collectedAt - b.collectedAt || (a.contentHash < b.contentHash ? -1 : 1))
        .slice(0, limit)
        .map(({ contentHash, itemId, tokens }) => ({ contentHash, itemId, tokens })),
    dropCollected(space, hashes) {
      for (const { contentHash, state } of textsOf(space.spaceId, hashes)) {
        if (state !== 'collected') continue;
        batchTexts.delete(keyOf(space.spaceId, contentHash));
        free(space.spaceId, [contentHash]);
      }
    },
    releaseCollected(space, olderThanSeconds) {
      const limit = twin.now() - seconds(olderThanSeconds);
      const late = [...batchTexts.values()].filter(
        ({ spaceId, state, collectedAt }) =>
          spaceId === space.spaceId && state === 'collected' && collectedAt <= limit,
      );
      for (const text of late) {
        Object.assign(text, { state: 'live', changedAt: twin.now() });
        free(space.spaceId, [text.contentHash]);
      }
      return late.length;
    },
    beginBatch(batch, hashes, claimSeconds) {
      const taken = textsOf(batch.spaceId, hashes).filter(({ state }) => state === 'collected');
      if (taken.length === 0) return new Set();
      const mark = { state: 'open', batchId: batch.batchId, paid: false, beside: false };
      for (const text of taken) Object.assign(text, { ...mark, changedAt: twin.now() });
      batches.set(batch.batchId, {
        ...batch,
        ...{ state: 'submitting', providerBatchId: null, inputFileId: null, fileIds: [], outcome: null },
        texts: taken.length,
        tokens: taken.reduce((sum, { tokens }) => sum + tokens, 0),
        createdAt: twin.now(),
        ...{ isFenced: false, isCancelled: false, isReleased: false, endedAt: null, looksAtEnd: 0 },
        nextLookAt: twin.now() + seconds(claimSeconds),
      });
      return new Set(taken.map(({ contentHash }) => contentHash));
    },
    noteFile(batchId, inputFileId) {
      const batch = batches.get(batchId);
      if (batch?.state === 'settled' || batch?.state === 'ended') {
        const fileIds = [...batch.fileIds, ...(inputFileId === null ? [] : [inputFileId])];
        Object.assign(batch, { fileIds, state: 'settled', nextLookAt: twin.now() });
      } else if (batch && inputFileId !== null) Object.assign(batch, { inputFileId });
      return batch?.state === 'submitting' && !batch.isFenced;
    },
    noteSubmitted: (batchId, providerBatchId) =>
      change(batchId, batch => {
        if (batch.state === 'submitting') Object.assign(batch, { state: 'open', providerBatchId });
      }),
    noteFenced: batchId => change(batchId, batch => Object.assign(batch, { isFenced: true })),
    noteCancelled: batchId => change(batchId, batch => Object.assign(batch, { isCancelled: true })),
    noteEnded: batchId =>
      change(batchId, batch => {
        batch.endedAt ??= twin.now();
        batch.looksAtEnd += 1;
      }),
    ingestPart({ batchId, spaceId, modelAlias, usdPerMillionTokens, providerBatchId }, part) {
      const lines = new Map(part.lines.map(line => [line.contentHash, line]));
      let texts = 0;
      let tokens = 0;
      for (const line of lines.values()) {
        const text = batchTexts.get(keyOf(spaceId, line.contentHash));
        if (!text || text.batchId !== batchId || text.paid) continue;
        const { vector } = line;
        const state = vector === null ? 'live' : 'ready';
        Object.assign(text, { paid: true, changedAt: twin.now(), vector, state });
        texts += 1;
        tokens += line.tokens ?? text.tokens;
        free(spaceId, [line.contentHash]);
      }
      if (texts === 0) return undefined;
      const costUsd = (tokens * usdPerMillionTokens) / 1e6;
      const entry: LedgerEntry = {
        ...{ callId: part.callId, modelAlias, lane: 'bulk', items: texts, uniqueTexts: texts, tokens },
        ...{ costUsd, latencyMs: 0, outcome: 'ok', requestId: providerBatchId },
      };
      const before = twin.ledger.get(part.callId);
      twin.ledger.set(part.callId, {
        ...entry,
        spaceId,
        recordedAt: twin.now(),
        items: texts + (before?.items ?? 0),
        uniqueTexts: texts + (before?.uniqueTexts ?? 0),
        tokens: tokens + (before?.tokens ?? 0),
        costUsd: costUsd + (before?.costUsd ?? 0),
      });
      const grant = twin.grants.get(batchId);
      if (grant) {
        twin.grants.set(batchId, {
          ...grant,
          estimatedTokens: Math.max(0, grant.estimatedTokens - tokens),
          estimatedCostUsd: Math.max(0, grant.estimatedCostUsd - costUsd),
        });
      }
      return entry;
    },
    releaseTexts(batchId) {
      change(batchId, batch => Object.assign(batch, { isReleased: true }));
      return releaseOpen(batchId, 'live');
    },
    settleBatch(batchId, { outcome, rest, fileIds }) {
      const batch = batches.get(batchId);
      if (!batch || (batch.state !== 'submitting' && batch.state !== 'open')) return 0;
      const endedAt = batch.endedAt ?? twin.now();
      Object.assign(batch, { state: 'settled', outcome, fileIds, endedAt, nextLookAt: twin.now() });
      twin.grants.delete(batchId);
      return releaseOpen(batchId, rest);
    },
    noteCleared: batchId =>
      change(batchId, batch => {
        if (batch.state === 'settled') Object.assign(batch, { state: 'ended', fileIds: [] });
      }),
    holdModel: (alias, holdSeconds) => void batchHolds.set(alias, twin.now() + seconds(holdSeconds)),
    tidy(space) {
      const held = new Set([...spaceOf(twin, space).outcomes.values()].map(outcome => outcome.contentHash));
      for (const [key, { spaceId, contentHash, state, changedAt, batchId }] of batchTexts) {
        if (spaceId !== space.spaceId || (state !== 'ready' && state !== 'live')) continue;
        const batch = batches.get(batchId ?? '')?.state;
        const isUnfinished = batch === 'submitting' || batch === 'open';
        const isOld = changedAt < twin.now() - seconds(7 * 86_400) && !isUnfinished;
        const isWritten = state === 'ready' && held.has(contentHash);
        if (isOld || (isWritten && changedAt < twin.now() - seconds(3600))) batchTexts.delete(key);
      }
    },
  };
}
