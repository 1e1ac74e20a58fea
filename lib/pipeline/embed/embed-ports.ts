import type { Clock } from '../../ports/clock.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { DispatchQueues } from '../../ports/dispatch-queues.ts';
import type { EmbeddingProvider } from '../../ports/embedding-provider.ts';
import type { EmbeddingStore } from '../../ports/embedding-store.ts';
import type { Logger } from '../../ports/logger.ts';
import type { MessageQueue } from '../../ports/message-queue.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Randomness } from '../../ports/randomness.ts';
import type { RunObserver } from '../../ports/run-observer.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';
import type { Tokenizer } from '../../ports/tokenizer.ts';

export interface EmbedPorts {
  readonly spaces: SpaceRegistry;
  readonly embedding: EmbeddingStore;
  readonly control: ControlStore;
  readonly providers: (modelAlias: string) => EmbeddingProvider;
  /** Asked only where bytes cannot decide, and only for providers that tokenize locally. */
  readonly tokenizer: Tokenizer;
  readonly objects: ObjectStore;
  /** Where results are announced. */
  readonly results: MessageQueue;
  /** Where the messages came from: to hide one for as long as the provider asked. */
  readonly queues: DispatchQueues;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: EmbedLimits;
  readonly runId: number | null;
  /**
   * Waits until another purchase is welcome: what was bought and not yet written is lost with the process. Asked before each further call of
   * a message; returns at the latest when the time runs short. Absent: always welcome.
   */
  readonly waitForRoom?: ((remainingMs: () => number) => Promise<void>) | undefined;
  /** False where a message that was done never comes again: queues in this process, which whoever takes from them acknowledges at once. */
  readonly redelivers?: false | undefined;
  readonly observer?: RunObserver | undefined;
}

interface EmbedLimits {
  /** Texts per call where the provider allows it. */
  readonly batchSize: number;
  /** Of one provider call. */
  readonly callTimeoutMs: number;
  /** The queue's own: one receive before the last, a message that must wait is acknowledged and its rows are sent again. */
  readonly maxReceiveCount: number;
  /** Of an announced row: the results queue's worst case. */
  readonly announcedLeaseSeconds: number;
  /** Bounds a text before it is fetched; `DEFAULT_MAX_BYTES_PER_COLUMN` where nothing is configured. */
  readonly maxBytesPerColumn: number;
  /** In UTF-16 units, for sources that set none of their own. */
  readonly maxCharacters?: number | undefined;
}

/** Over four bytes a token for the longest input of any model in the registry (32,000), and 100 rows of it still fit a small Lambda. */
export const DEFAULT_MAX_BYTES_PER_COLUMN = 262_144;

/** Kept free at the end of an invocation to store and announce what was bought. */
export const SETTLE_RESERVE_MS = 5_000;
