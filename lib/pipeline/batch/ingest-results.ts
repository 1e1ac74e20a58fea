import { partCallId } from '../../core/batches.ts';
import { FreshetError } from '../../core/errors.ts';
import { rejectOtherModel, validateReply } from '../../core/reply.ts';
import type { BatchLine, BatchPart, BatchProvider, BatchStore, StoredBatch } from '../../ports/batches.ts';
import { type BatchPorts, callDeadlineMs, hasTime } from './batch-ports.ts';

/** Lines of one part: 3 MB of vectors at 1536 dimensions, and one transaction. */
const LINES_PER_PART = 500;

interface Ingested {
  /** Texts whose rows are free. */
  readonly freed: number;
  /** Texts that a line speaks of, in all files. */
  readonly texts: number;
  /** Texts that were embedded. */
  readonly embedded: number;
  /** False: the time was over before the last line. */
  readonly isWhole: boolean;
}

/**
 * Stores the results of a batch part by part, whatever state the batch ended in.
 * A part is named by its file and its place there: who reads it again changes nothing. Lines of
 * texts that were not embedded are left out; what is without a line at the end was not bought.
 * @throws FreshetError where a file cannot be read to its end, and where the database fails.
 */
export async function ingestResults(
  ports: BatchPorts,
  store: BatchStore,
  provider: BatchProvider,
  batch: StoredBatch,
  fileIds: readonly string[],
  remainingMs: () => number,
): Promise<Ingested> {
  const space = await ports.spaces.find(batch.spaceId);
  let freed = 0;
  const seen = new Set<string>();
  const embedded = new Set<string>();
  const count = () => ({ freed, texts: seen.size, embedded: embedded.size });
  const storePart = async (name: string, lines: readonly BatchLine[]) => {
    const part = toPart(batch, space?.model.modelId, name, lines);
    for (const { contentHash } of lines) seen.add(contentHash);
    for (const { contentHash } of part.lines) embedded.add(contentHash);
    if (part.lines.length === 0) return;
    const entry = await store.ingestPart(batch, part);
    if (entry === undefined) return;
    freed += entry.uniqueTexts;
    ports.metrics.count('BatchTexts', entry.uniqueTexts);
    ports.metrics.count('Tokens', entry.tokens);
    ports.metrics.count('CostUsd', entry.costUsd);
    ports.observer?.called(entry);
  };
  for (const fileId of fileIds) {
    let lines: BatchLine[] = [];
    let part = 0;
    for await (const line of provider.readLines(fileId, callDeadlineMs(remainingMs))) {
      lines.push(line);
      if (lines.length < LINES_PER_PART) continue;
      if (!hasTime(remainingMs)) return { ...count(), isWhole: false };
      await storePart(`${fileId}/${part}`, lines);
      part += 1;
      lines = [];
    }
    await storePart(`${fileId}/${part}`, lines);
  }
  return { ...count(), isWhole: true };
}

/** Checks each line by itself: a vector that cannot be stored was paid for all the same. */
function toPart(
  batch: StoredBatch,
  modelId: string | undefined,
  name: string,
  lines: readonly BatchLine[],
): BatchPart {
  return {
    callId: partCallId(batch.batchId, name),
    lines: lines.flatMap(({ contentHash, reply }) =>
      reply === undefined || !/^[0-9a-f]{64}$/.test(contentHash)
        ? []
        : [{ contentHash, tokens: reply.tokens ?? null, vector: findVector(batch, modelId, reply) }],
    ),
  };
}

function findVector(
  { dimensions, normalized }: StoredBatch,
  modelId: string | undefined,
  reply: NonNullable<BatchLine['reply']>,
): Buffer | null {
  try {
    if (modelId !== undefined) rejectOtherModel(reply, modelId);
    return validateReply(reply, { count: 1, dimensions, normalized }).vectors[0] ?? null;
  } catch (error) {
    if (error instanceof FreshetError) return null;
    throw error;
  }
}
