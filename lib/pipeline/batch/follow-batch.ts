import {
  batchTermsOf,
  CANCEL_SECONDS,
  CLAIM_SECONDS,
  DEFAULT_DEADLINE_SECONDS,
  FORGET_SECONDS,
  HOLD_SECONDS,
  LATE_RESULTS_LOOKS,
  LATE_RESULTS_SECONDS,
  LOOK_SECONDS,
} from '../../core/batches.ts';
import type { BatchProvider, BatchStanding, BatchStore, StoredBatch } from '../../ports/batches.ts';
import { describeFailure } from '../failures.ts';
import { type BatchPorts, callDeadlineMs, hasTime, inBatchCall, inBatchSpan } from './batch-ports.ts';
import { ingestResults } from './ingest-results.ts';

interface Look {
  /** Texts whose rows are free. */
  readonly freed: number;
  readonly nextLookSeconds: number;
}

/** A look at one batch, with what it works with. */
interface Following {
  readonly ports: BatchPorts;
  readonly store: BatchStore;
  readonly provider: BatchProvider;
  readonly batch: StoredBatch;
  readonly remainingMs: () => number;
}

const LATER: Look = { freed: 0, nextLookSeconds: LOOK_SECONDS };

/**
 * Takes one batch a step further: adopt, look, cancel, store its results, delete its files.
 * A look that fails says nothing of the batch: it is made again. Only what the provider holds and
 * its files prove decides what was bought.
 * @throws FreshetError where the database fails.
 */
export async function followBatch(
  ports: BatchPorts,
  store: BatchStore,
  provider: BatchProvider,
  batch: StoredBatch,
  remainingMs: () => number,
): Promise<Look> {
  const following = { ports, store, provider, batch, remainingMs };
  return inBatchSpan(ports, 'follow', batch, async span => {
    const found = await step(following);
    span.note({ 'freshet.batch.state': batch.state, 'freshet.texts.freed': found.freed });
    return found;
  });
}

function step(following: Following): Promise<Look> {
  const { batch } = following;
  if (batch.state === 'settled') return removeFiles(following);
  return batch.providerBatchId === null ? adopt(following) : look(following, batch.providerBatchId);
}

/** Asks the provider; undefined: it failed, and was asked in vain. */
async function ask<Answer>(
  { ports, batch }: Following,
  step: string,
  question: () => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await inBatchCall(ports, step, question);
  } catch (error) {
    const { code, failureClass } = describeFailure(error);
    ports.metrics.count('BatchFailures', 1);
    ports.logger.warn('batch-look-failed', { batchId: batch.batchId, step, code, failureClass });
    return undefined;
  }
}

/**
 * Finds the batch whose submission nobody saw the end of.
 * Where the provider lists none, its file is deleted first: a creation that is still under way then
 * fails. Only what is not listed at a later look either was never created, and is collected again.
 */
async function adopt(following: Following): Promise<Look> {
  const { ports, store, provider, batch, remainingMs } = following;
  const { batchId } = batch;
  const deadlineMs = () => callDeadlineMs(remainingMs);
  const found = await ask(following, 'find', async () => ({
    id: await provider.find(batchId, deadlineMs()),
  }));
  if (found === undefined) return LATER;
  if (found.id !== undefined) {
    await store.noteSubmitted(batchId, found.id);
    ports.logger.info('batch-adopted', { batchId, texts: batch.texts });
    return look(following, found.id);
  }
  const files = await ask(following, 'find-files', () => provider.findFiles(batchId, deadlineMs()));
  if (files === undefined) return LATER;
  const fileIds = [...new Set([...files, ...(batch.inputFileId === null ? [] : [batch.inputFileId])])];
  for (const fileId of fileIds) {
    const removed = await ask(following, 'remove', async () => {
      await provider.removeFile(fileId, deadlineMs());
      return true;
    });
    if (!removed) return LATER;
  }
  if (!batch.isFenced) {
    await store.noteFenced(batchId);
    return { freed: 0, nextLookSeconds: CLAIM_SECONDS };
  }
  await store.settleBatch(batchId, { outcome: 'never-created', rest: 'collected', fileIds: [] });
  await store.noteCleared(batchId);
  ports.logger.warn('batch-never-created', { batchId, texts: batch.texts });
  return LATER;
}

/**
 * Looks how a batch stands, and stores its results once it has ended.
 * A batch can end before it names its files: while lines are missing that it should have, it is
 * looked at again.
 */
async function look(following: Following, providerBatchId: string): Promise<Look> {
  const { ports, store, provider, batch, remainingMs } = following;
  const standing = await ask(following, 'poll', () =>
    provider.poll(providerBatchId, callDeadlineMs(remainingMs)),
  );
  if (standing === undefined || standing.state === 'running') return hurry(following, providerBatchId);
  await store.noteEnded(batch.batchId);
  const held = { ...batch, providerBatchId };
  const ingested = await ask(following, 'read', () =>
    ingestResults(ports, store, provider, held, standing.resultFileIds, remainingMs),
  );
  if (ingested === undefined) return hurry(following, providerBatchId);
  if (!ingested.isWhole) return { freed: ingested.freed, nextLookSeconds: 0 };
  const isExpected = standing.state === 'completed' && ingested.texts < batch.texts;
  const isLate = isExpected || ingested.embedded < (standing.completed ?? 0);
  const isYoung = (batch.endedSeconds ?? 0) < LATE_RESULTS_SECONDS || batch.looksAtEnd < LATE_RESULTS_LOOKS;
  if (isLate && isYoung) return { freed: ingested.freed, nextLookSeconds: LOOK_SECONDS };
  const { freed, fileIds } = await settle(following, standing);
  const removal = await removeFiles({ ...following, batch: { ...batch, fileIds } });
  return { ...removal, freed: ingested.freed + freed };
}

/**
 * Settles a batch that has ended.
 * What it did not answer is bought by calls, which know how to tell a bad text from a bad provider.
 * A batch that was refused because too much is enqueued did nothing: its texts wait for another
 * one.
 */
async function settle(
  { ports, store, batch }: Following,
  standing: BatchStanding,
): Promise<{ readonly freed: number; readonly fileIds: readonly string[] }> {
  const isOverLimit = standing.state === 'failed' && standing.code === 'token_limit_exceeded';
  if (isOverLimit) await store.holdModel(batch.modelAlias, HOLD_SECONDS, 'token_limit_exceeded');
  const fileIds = [...new Set([batch.inputFileId, ...standing.resultFileIds])].filter(id => id !== null);
  const rest = await store.settleBatch(batch.batchId, {
    outcome: standing.code === undefined ? standing.state : `${standing.state}:${standing.code}`,
    rest: isOverLimit ? 'collected' : 'live',
    fileIds,
  });
  const { batchId, texts } = batch;
  ports.logger.info('batch-ended', { batchId, outcome: standing.state, code: standing.code, texts, rest });
  if (isOverLimit) return { freed: 0, fileIds };
  ports.metrics.count('BatchTextsLeft', rest);
  return { freed: rest, fileIds };
}

/** Cancels what is late, and lets its texts be bought by calls once not even that ends it. */
async function hurry(following: Following, providerBatchId: string): Promise<Look> {
  const { ports, store, provider, batch, remainingMs } = following;
  const { batchId, ageSeconds } = batch;
  const space = await ports.spaces.find(batch.spaceId);
  // Its model may not be bought by batch any more.
  const deadlineSeconds = (space && batchTermsOf(space.model)?.deadlineSeconds) ?? DEFAULT_DEADLINE_SECONDS;
  if (ageSeconds < deadlineSeconds) return LATER;
  if (!batch.isCancelled && hasTime(remainingMs)) {
    const asked = await ask(following, 'cancel', async () => {
      await provider.cancel(providerBatchId, callDeadlineMs(remainingMs));
      return true;
    });
    if (asked) await store.noteCancelled(batchId);
  }
  if (ageSeconds < deadlineSeconds + CANCEL_SECONDS) return LATER;
  if (ageSeconds >= deadlineSeconds + FORGET_SECONDS) {
    const fileIds = batch.inputFileId === null ? [] : [batch.inputFileId];
    const freed = await store.settleBatch(batchId, { outcome: 'never-ended', rest: 'live', fileIds });
    ports.logger.error('batch-never-ended', { batchId, texts: batch.texts });
    return { freed, nextLookSeconds: 0 };
  }
  if (batch.isReleased) return LATER;
  const freed = await store.releaseTexts(batchId);
  ports.metrics.count('BatchTextsLeft', freed);
  ports.logger.warn('batch-late', { batchId, texts: freed });
  return { ...LATER, freed };
}

/** Deletes the files of a settled batch, which hold texts of rows; the next look goes on. */
async function removeFiles(following: Following): Promise<Look> {
  const { store, provider, batch, remainingMs } = following;
  const { batchId, inputFileId } = batch;
  const found =
    inputFileId === null ? () => provider.findFiles(batchId, callDeadlineMs(remainingMs)) : undefined;
  const lost = found === undefined ? [] : await ask(following, 'find-files', found);
  if (lost === undefined) return LATER;
  for (const fileId of new Set([...batch.fileIds, ...lost])) {
    const removed = await ask(following, 'remove', async () => {
      await provider.removeFile(fileId, callDeadlineMs(remainingMs));
      return true;
    });
    if (!removed) return LATER;
  }
  await store.noteCleared(batchId);
  return LATER;
}
