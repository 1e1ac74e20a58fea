import { countDown, createLocalContext, invokeBatch } from './invoke-batch.ts';
import type { LocalQueue, LocalRunParts } from './local-run-parts.ts';
import { hasResultsRoom } from './results-room.ts';

/** SQS gives a Lambda up to ten messages at once. */
const WRITE_BATCH = 10;
/** A transaction for two results costs much less than two. Short against a call, for what is bought and not written is lost with the process. */
const GATHER_MS = 20;

export interface RunWorkers {
  /**
   * Starts embed invocations, one message each, up to the concurrency; fresh lanes first, models in turn. None while there is no room for
   * results.
   */
  startEmbeds(): Promise<void>;
  /**
   * Starts a write invocation when none runs and a result is there. Results wait a moment for those of the calls under way, as a batching window
   * has them do in a deployed pipeline, but never so many that the embed invocations would wait for room.
   */
  startWrite(): Promise<void>;
  /** When results that wait for others are written at the latest; undefined where none do. */
  readonly nextWriteAtMs: () => number | undefined;
  readonly embedding: () => number;
  readonly isWriting: () => boolean;
  /** From now on embed invocations have at most this long. */
  shorten(ms: number): void;
}

export function createRunWorkers(parts: LocalRunParts, onEnd: (error?: unknown) => void): RunWorkers {
  const { clock, handlers, limits, queues, signal } = parts;
  const lanes = (['fresh', 'bulk'] as const).map(lane =>
    queues.dispatch.filter(queue => queue.lane === lane).map(({ queue }) => queue),
  );
  let turn = 0;
  let embedding = 0;
  let writing = false;
  let endsAtMs = Number.POSITIVE_INFINITY;
  let gatheringUntilMs: number | undefined;

  const isGathering = async () => {
    const { visible } = await queues.results.depth();
    const mayBeMore = embedding > 0 && endsAtMs === Number.POSITIVE_INFINITY;
    if (visible === 0 || visible >= limits.concurrency - 1 || !mayBeMore) return false;
    gatheringUntilMs ??= clock.now() + GATHER_MS;
    return clock.now() < gatheringUntilMs;
  };

  const receiveNext = async () => {
    for (const lane of lanes) {
      for (let offset = 0; offset < lane.length; offset += 1) {
        const queue = lane[(turn + offset) % lane.length];
        const [message] = queue ? await queue.receive(1) : [];
        if (!queue || !message) continue;
        turn += offset + 1;
        return { queue, message };
      }
    }
    return undefined;
  };

  const embed = async (queue: LocalQueue, message: Awaited<ReturnType<LocalQueue['receive']>>[number]) => {
    const countedDown = countDown(clock, limits.invocationTimeoutMs);
    const remainingMs = () => Math.max(0, Math.min(countedDown(), endsAtMs - clock.now()));
    await invokeBatch(handlers.embed, queue, [message], createLocalContext('embed', remainingMs));
    if (limits.pauseMs > 0) await clock.sleep(limits.pauseMs, signal);
  };

  return {
    embedding: () => embedding,
    isWriting: () => writing,
    nextWriteAtMs: () => gatheringUntilMs,
    shorten(ms) {
      endsAtMs = clock.now() + ms;
    },
    async startEmbeds() {
      while (embedding < limits.concurrency) {
        if (!(await hasResultsRoom(queues.results, limits.concurrency))) return;
        const next = await receiveNext();
        if (!next) return;
        embedding += 1;
        const end = (error?: unknown) => {
          embedding -= 1;
          onEnd(error);
        };
        embed(next.queue, next.message).then(() => end(), end);
      }
    },
    async startWrite() {
      if (writing || (await isGathering())) return;
      gatheringUntilMs = undefined;
      const messages = await queues.results.receive(WRITE_BATCH);
      if (messages.length === 0) return;
      writing = true;
      const context = createLocalContext('write', countDown(clock, limits.invocationTimeoutMs));
      const end = (error?: unknown) => {
        writing = false;
        onEnd(error);
      };
      invokeBatch(handlers.write, queues.results, messages, context).then(() => end(), end);
    },
  };
}
