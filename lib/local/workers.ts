import { LANES } from '../core/model.ts';
import type { Clock } from '../ports/process.ts';
import type { ReceivingQueue } from '../ports/queues.ts';
import {
  countDown,
  createLocalContext,
  invokeBatch,
  type LocalQueue,
  type LocalRunPorts,
} from './run-ports.ts';

const LOOK_AGAIN_MS = 10;
/** Milliseconds of an invocation below which nothing is bought any more. */
const SHORT_OF_TIME_MS = 6_000;

/**
 * Whether the results that wait to be written are no more than the batches embedded at once.
 * Unwritten results are held in memory, and are lost with the process.
 */
async function hasResultsRoom(results: ReceivingQueue, concurrency: number): Promise<boolean> {
  const { visible, inFlight, delayed } = await results.depth();
  return visible + inFlight + delayed <= concurrency;
}

/** Makes the wait for room among the results, which is `EmbedPorts.waitForRoom`. */
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

/** Messages of one write: SQS gives a Lambda up to ten at once. */
const WRITE_BATCH = 10;
/**
 * Milliseconds that a result waits for others, to be written with them.
 * One transaction for two results costs much less than two transactions. The time is short against
 * a call, because unwritten results are lost with the process.
 */
const GATHER_MS = 20;

/** The invocations of `embed` and `write` that a run has under way. */
export interface RunWorkers {
  /**
   * Starts embed invocations, one message each, up to the concurrency.
   * Fresh lanes come first, and models take turns. None starts while there is no room for results.
   * While bulk work runs, an edit may be one more than the concurrency: where a rate holds calls
   * up, it would wait for minutes until one of them is done.
   */
  startEmbeds(): Promise<void>;
  /**
   * Starts a write invocation when none runs and a result is there.
   * Results wait a moment for the results of calls under way, as the batching window of a deployed
   * pipeline does. They do not wait where embed invocations would wait for room.
   */
  startWrite(): Promise<void>;
  /** When waiting results are written at the latest; undefined: no result waits. */
  readonly nextWriteAtMs: () => number | undefined;
  /** Embed invocations under way. */
  readonly embedding: () => number;
  readonly isWriting: () => boolean;
  /** Leaves embed invocations at most this long from now on. */
  shorten(ms: number): void;
}

/** Creates the workers of a run; `onEnd` is called after each invocation, with what it threw. */
export function createRunWorkers(ports: LocalRunPorts, onEnd: (error?: unknown) => void): RunWorkers {
  const { clock, handlers, limits, queues, signal } = ports;
  const lanes = LANES.map(lane => queues.dispatch.filter(queue => queue.lane === lane));
  const embeddingOf = new Map<string, number>();
  /** Whether the server of a model answers one call more in time. */
  const hasTurn = (alias: string) =>
    (embeddingOf.get(alias) ?? 0) < (ports.callsAtOnce?.(alias) ?? Number.POSITIVE_INFINITY);
  let turn = 0;
  let embedding = 0;
  let bulkEmbedding = 0;
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

  const receiveNext = async (most: number) => {
    for (const lane of lanes.slice(0, most)) {
      for (let offset = 0; offset < lane.length; offset += 1) {
        const next = lane[(turn + offset) % lane.length];
        const [message] = next && hasTurn(next.modelAlias) ? await next.queue.receive(1) : [];
        if (!next || !message) continue;
        turn += offset + 1;
        return { ...next, message };
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
      while (embedding < limits.concurrency + Math.min(1, bulkEmbedding)) {
        if (!(await hasResultsRoom(queues.results, limits.concurrency))) return;
        const isOneMore = embedding >= limits.concurrency;
        const next = await receiveNext(isOneMore ? 1 : lanes.length);
        if (!next) return;
        const count = (calls: 1 | -1) => {
          embedding += calls;
          if (next.lane === 'bulk') bulkEmbedding += calls;
          embeddingOf.set(next.modelAlias, (embeddingOf.get(next.modelAlias) ?? 0) + calls);
        };
        count(1);
        const end = (error?: unknown) => {
          count(-1);
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

/** Lets the loop of a run sleep until something happens. */
export interface WakeSignal {
  notify(): void;
  /**
   * Resolves after `ms`, or with the next `notify`; a `notify` since the last wait counts.
   * Each wait takes a turn of the event loop. An embedded database and a local model settle
   * everything by promises, and without that turn no signal of the operating system is heard.
   */
  wait(ms: number): Promise<void>;
}

/** The reason of each abort. Without one, an abort makes an error with a stack for nobody. */
const NOTIFIED = 'notified';

/** Creates a wake signal that sleeps on the given clock, which may be a virtual one. */
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
