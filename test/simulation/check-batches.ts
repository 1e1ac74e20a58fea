import { isEdited } from '../../lib/core/batches.ts';
import type { Space } from '../../lib/core/model.ts';
import type { AwaitedText } from '../../lib/ports/batches.ts';
import { liveSpaces } from './check-end.ts';
import type { Invocation } from './invocation.ts';
import { billedUsd } from './simulated-batches.ts';
import { hashOf } from './texts.ts';
import { START_MS, type World } from './world.ts';

/** The batch store, with what the checks of purchases need to know of its calls. */
export function watchBatches(world: World, current: () => Invocation): World['stores']['batches'] {
  const { batches } = world.stores;
  const allow = (spaceId: number, hashes: Iterable<string>) => {
    for (const hash of hashes) {
      const key = `${spaceId}/${hash}`;
      world.services.bought.beside.set(key, (world.services.bought.beside.get(key) ?? 0) + 1);
    }
  };
  return {
    ...batches,
    joinBatch: (space, dispatchId, texts, leaseSeconds) => {
      for (const text of texts) checkPatience(world, current(), space, text);
      return batches.joinBatch(space, dispatchId, texts, leaseSeconds);
    },
    takeForEdit: (space, hashes) => {
      const inBatch = batches.takeForEdit(space, hashes);
      allow(space.spaceId, inBatch);
      return inBatch;
    },
    beginBatch: (batch, hashes, claimSeconds) => {
      const taken = batches.beginBatch(batch, hashes, claimSeconds);
      for (const hash of taken) world.services.bought.since.set(`${batch.spaceId}/${hash}`, world.sequence);
      return taken;
    },
    ingestPart: (batch, part) => {
      for (const { contentHash } of part.lines)
        world.services.bought.since.set(`${batch.spaceId}/${contentHash}`, world.sequence);
      return batches.ingestPart(batch, part);
    },
    releaseTexts: batchId => {
      const late = [...world.twin.batchTexts.values()].filter(
        text => text.batchId === batchId && text.state === 'open',
      );
      for (const { spaceId, contentHash } of late) allow(spaceId, [contentHash]);
      return batches.releaseTexts(batchId);
    },
  };
}

/**
 * No row begins to wait that is an edit: of which the space held another text and version, or which has a young version.
 * A row of which the space had no text may wait where its transaction was open for longer: it looks like one of a load.
 */
function checkPatience(
  world: World,
  { number, storedHashes }: Invocation,
  { spaceId, source }: Space,
  { contentHash, rows }: AwaitedText,
): void {
  const nowMs = START_MS + world.scheduler.nowMs();
  for (const { id, version } of rows) {
    const isHonest = world.application.rows.get(`${source.name}/${id}`)?.honest ?? false;
    const isYoung = isHonest && isEdited(version, nowMs) && Date.parse(version ?? '') <= nowMs;
    const storedHash = storedHashes.get(`${spaceId}/${id}`) ?? contentHash;
    if (isYoung || storedHash !== contentHash)
      world.violate('edits-wait-for-nobody', `#${number} lets ${spaceId}/${id} wait for a batch`);
  }
}

/** No call buys what stood in a batch at work, or was brought by one, since before its message was taken up. */
export function checkCalledBeside(
  world: World,
  { number, recordSequence }: Invocation,
  spaceId: number,
  text: string,
): void {
  const key = `${spaceId}/${hashOf(text)}`;
  const known = world.twin.batchTexts.get(key);
  if (known === undefined || (world.services.bought.since.get(key) ?? 0) >= recordSequence) return;
  if (known.state === 'ready')
    world.violate('bought-once', `#${number} sends "${text}", which a batch brought`);
  if (known.state === 'open' && !known.beside)
    world.violate('bought-once', `#${number} sends "${text}", which stands in a batch`);
}

/** Whether a batch has yet to end, or a text to be submitted, of a model that somebody works for. */
export function hasBatchesOpen(world: World): boolean {
  const { twin } = world;
  if (twin.batches.size + twin.batchTexts.size === 0) return false;
  const live = liveSpaces(world);
  const aliases = new Set(live.map(({ space }) => space.model.alias));
  const spaces = new Set(live.map(({ space }) => space.spaceId));
  return (
    [...twin.batches.values()].some(
      ({ state, modelAlias }) => state !== 'ended' && aliases.has(modelAlias),
    ) ||
    [...twin.batchTexts.values()].some(({ state, spaceId }) => state === 'collected' && spaces.has(spaceId))
  );
}

/** What every batch came to: the ledger has each bill once, and the service has no file of ours any more. */
export function checkBatchesEnd(world: World): void {
  const { services, twin } = world;
  const aliases = new Set(liveSpaces(world).map(({ space }) => space.model.alias));
  const isFollowed = (batchId: string) => aliases.has(twin.batches.get(batchId)?.modelAlias ?? '');
  for (const batch of services.batches.batches.values()) {
    if (!isFollowed(batch.batchId)) continue;
    const calls = [...twin.ledger.values()].filter(({ requestId }) => requestId === batch.id);
    const paidUsd = calls.reduce((sum, { costUsd }) => sum + costUsd, 0);
    if (Math.abs(paidUsd - billedUsd(batch)) > 1e-9)
      world.violate('batch-settled', `${batch.batchId}: ${paidUsd} $ of ${billedUsd(batch)} in the ledger`);
    if (batch.resultFileId !== undefined && services.batches.results.has(batch.resultFileId))
      world.violate('batch-settled', `${batch.batchId}: its results are left at the provider`);
  }
  for (const { batchId } of services.batches.uploads.values())
    if (isFollowed(batchId)) world.violate('batch-settled', `${batchId}: its texts are left at the provider`);
  for (const { batchId, state, modelAlias } of twin.batches.values()) {
    if (!aliases.has(modelAlias)) continue;
    if (state !== 'ended') world.violate('batch-settled', `${batchId} is ${state}`);
    if (twin.grants.has(batchId)) world.violate('batch-settled', `the grant of ${batchId} is open`);
  }
}
