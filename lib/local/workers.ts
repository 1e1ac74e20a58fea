import { LANES } from '../core/model.ts';
import type { Clock } from '../ports/process.ts';
import type { ReceivingQueue } from '../ports/queues.ts';
import {
  countDown,
  createLocalContext,
  invokeBatch,
  type LocalQueue,
  type LocalRunPorts,
} from './run-parts.ts';

const LOOK_AGAIN_MS = 10;
/** With less time left nothing is bought any more. */
const SHORT_OF_TIME_MS = 6_000;

/** Whether no more results wait to be written than are embedded at once: what is bought and not written is lost with the process, and held in memory. */
async function hasResultsRoom(results: ReceivingQueue, concurrency: number): Promise<boolean> {
  const { visible, inFlight, delayed } = await results.depth();
  return visible + inFlight + delayed <= concurrency;
}

/** Waits for that room, as `EmbedPorts.waitForRoom`. */
export function createRoomWait(
  results: ReceivingQueue,
  concurrency: number,
  clock: Clock,
): (remainingMs: () => number) => Promise<void> {
  return async remainingMs => {
    while (remainingMs() > SHORT_OF_TIME_MS && !(await hasResultsRoom(results, concurrency))) {
      await clock.sleep(LOOK_AGAIN_MS);
    }
  };
}

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

export function createRunWorkers(parts: LocalRunPorts, onEnd: (error?: unknown) => void): RunWorkers {
  const { clock, handlers, limits, queues, signal } = parts;
  const lanes = LANES.map(lane =>
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

export interface WakeSignal {
  notify(): void;
  /**
   * Resolves after `ms`, or with the next `notify`, also one that came since the last wait; never without a turn of the event loop. An embedded
   * database and a local model settle everything by promises: without that turn no signal of the operating system is ever heard.
   */
  wait(ms: number): Promise<void>;
}

/** Without a reason of its own each abort makes an error with a stack that nobody reads. */
const NOTIFIED = 'notified';

/** Sleeps on the port's clock, so that a virtual one decides when nothing happens. */
export function createWakeSignal(clock: Clock): WakeSignal {
  let sleeping: AbortController | undefined;
  let notified = false;
  return {
    notify() {
      notified = true;
      sleeping?.abort(NOTIFIED);
    },
    async wait(ms) {
      if (!notified) {
        sleeping = new AbortController();
        await clock.sleep(Math.max(0, ms), sleeping.signal);
        sleeping = undefined;
      }
      notified = false;
      await clock.sleep(0);
    },
  };
}
