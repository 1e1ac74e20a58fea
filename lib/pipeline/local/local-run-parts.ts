import type { Lane } from '../../core/model/vocabulary.ts';
import type { HeldRows } from '../../core/run-end.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ControlStore } from '../../ports/control-store.ts';
import type { EmbeddingStore } from '../../ports/embedding-store.ts';
import type { ReceivingQueue } from '../../ports/message-queue.ts';
import type { OutcomeStore } from '../../ports/outcome-store.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';
import type { DetectReport, DetectRequest } from '../detect/detect-ports.ts';
import type { BatchHandler, LocalContext } from './invoke-batch.ts';
import type { RunTally, RunTotals } from './run-tally.ts';

/** A receiving queue in this process, which knows when what is hidden comes back. */
export interface LocalQueue extends ReceivingQueue {
  nextVisibleAtMs(): number | undefined;
  remainingBodies(): string[];
  /** One listener at a time, called whenever messages were sent. */
  onSent(listener: () => void): void;
}

export interface LocalRunParts {
  readonly handlers: {
    readonly detect: (event: DetectRequest, context: LocalContext) => Promise<DetectReport>;
    readonly embed: BatchHandler;
    readonly write: BatchHandler;
  };
  readonly queues: {
    /** Both lanes of every model. */
    readonly dispatch: readonly {
      readonly modelAlias: string;
      readonly lane: Lane;
      readonly queue: LocalQueue;
    }[];
    readonly results: LocalQueue;
    readonly deadLetters: readonly ReceivingQueue[];
  };
  /** The observer that `embed` and `write` were given. */
  readonly tally: RunTally;
  readonly spaces: SpaceRegistry;
  readonly embedding: Pick<EmbeddingStore, 'postponeLeases'>;
  readonly outcomes: Pick<OutcomeStore, 'expireLeases'>;
  readonly control: ControlStore;
  readonly clock: Clock;
  readonly limits: LocalRunLimits;
  /** Stale rows of these spaces that others have leased. Undefined: the run ends without waiting for them. */
  readonly countHeldElsewhere?: ((spaceIds: readonly number[]) => Promise<HeldRows>) | undefined;
  /** Called once when nothing is left to the run but waiting for what others hold. */
  readonly onHeldElsewhere?: ((held: HeldRows) => void) | undefined;
  /** Called before each round of looking for stale rows: what `detect` heard in the last one no longer holds. */
  readonly beginRound?: (() => void) | undefined;
  /** `incremental`: done when that pass finds nothing, and no pause reason is lifted. Default: a whole reconcile pass too. */
  readonly passes?: 'incremental' | 'both' | undefined;
  /** Names of sources; undefined: all. */
  readonly sources?: readonly string[] | undefined;
  /** Aborted: no new message is taken, the batches in hand have five seconds. */
  readonly signal?: AbortSignal | undefined;
  /** After everything that changed the totals; the caller decides how often to show them. */
  readonly onProgress?: ((totals: RunTotals) => void) | undefined;
}

export interface LocalRunLimits {
  readonly batchSize: number;
  /** Leased rows per space at any time, those of other runs too. */
  readonly maxInFlight: number;
  /** Embed invocations at the same time. */
  readonly concurrency: number;
  /** Of one invocation. */
  readonly invocationTimeoutMs: number;
  /** Between two batches of one worker. */
  readonly pauseMs: number;
  /** Longest time without progress while work remains. */
  readonly maxWaitMs: number;
  /** Rows taken up at most; undefined: all. */
  readonly maxItems?: number | undefined;
}

export interface RunResult extends RunTotals {
  readonly interrupted: boolean;
  /** Messages that nobody could work on. */
  readonly deadLetters: number;
  /** Sources of which vectors without a row were kept, and why. */
  readonly orphansKept: readonly { readonly source: string; readonly cause: 'row-security' | 'too-many' }[];
  /** Spaces that were left out because their source or a statement on it failed. */
  readonly faults: readonly { readonly source: string; readonly code: string; readonly message: string }[];
}
