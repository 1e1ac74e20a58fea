import type { BatchLane } from '../../ports/batches.ts';
import type { ControlStore, SpaceRegistry } from '../../ports/control-store.ts';
import type { EmbeddingStore } from '../../ports/outcome-store.ts';
import type { PaceStore } from '../../ports/pace-store.ts';
import type { Clock, Logger, Metrics, Randomness, RunObserver } from '../../ports/process.ts';
import type { EmbeddingProvider, Tokenizer } from '../../ports/provider.ts';
import type { DispatchQueues, MessageQueue, ObjectStore } from '../../ports/queues.ts';
import type { TracedPorts } from '../spans.ts';

export interface EmbedPorts extends TracedPorts {
  readonly spaces: SpaceRegistry;
  readonly embedding: EmbeddingStore;
  readonly control: ControlStore;
  readonly pace: PaceStore;
  readonly providers: (modelAlias: string) => EmbeddingProvider;
  /**
   * Counts and cuts texts for providers that tokenize locally.
   * The tokenizer is asked only where bytes cannot decide.
   */
  readonly tokenizer: Tokenizer;
  readonly objects: ObjectStore;
  /** Where results are announced. */
  readonly results: MessageQueue;
  /** Where the messages came from: to hide a message for as long as the provider asked. */
  readonly queues: DispatchQueues;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: EmbedLimits;
  readonly runId: number | null;
  /** Undefined: no model of the process is bought by batch. */
  readonly batches?: BatchLane | undefined;
  /**
   * Waits until another purchase is welcome. Absent: always welcome.
   * Vectors that were bought and not yet written are lost with the process. The wait is asked for
   * before each further call of a message, and returns at the latest when the time runs short.
   */
  readonly waitForRoom?: ((remainingMs: () => number) => Promise<void>) | undefined;
  /**
   * False where a message that is done never comes again, as in queues of this process.
   * Whoever takes a message from such a queue acknowledges it at once.
   */
  readonly redelivers?: false | undefined;
  readonly observer?: RunObserver | undefined;
  /**
   * The signal after whose abort calls and waits for a next try that began before are given up.
   * What their messages bought before is announced. Undefined: the time of an invocation alone
   * bounds them.
   */
  readonly givenUp?: (() => AbortSignal) | undefined;
}

interface EmbedLimits {
  /** Texts per call where the provider allows as many. */
  readonly batchSize: number;
  /** Milliseconds for one provider call. */
  readonly callTimeoutMs: number;
  /** Calls of a model that all workers together may have under way. */
  readonly callsAtOnce: number;
  /**
   * The queue's own limit of receives.
   * On the receive before the last, a message that must wait is acknowledged and its rows are sent
   * again.
   */
  readonly maxReceiveCount: number;
  /** Seconds that the lease of an announced row lasts: the worst case of the results queue. */
  readonly announcedLeaseSeconds: number;
  /**
   * Bytes at which a column is cut before it is fetched.
   * `DEFAULT_MAX_BYTES_PER_COLUMN` where nothing is configured.
   */
  readonly maxBytesPerColumn: number;
  /** UTF-16 units, for sources that set no limit of their own. */
  readonly maxCharacters?: number | undefined;
}

/**
 * Bytes of a column where nothing is configured.
 * The limit is over four bytes a token for the longest input of any model in the registry (32,000
 * tokens), and 100 rows of that length still fit a small Lambda.
 */
export const DEFAULT_MAX_BYTES_PER_COLUMN = 262_144;

/** Milliseconds kept free at the end of an invocation to store and announce what was bought. */
export const SETTLE_RESERVE_MS = 5_000;
