import type { Cap } from '../../core/budget.ts';
import type { Space } from '../../core/model.ts';
import type { SpaceQuote } from '../../core/quote.ts';
import type { ControlStore, SpaceRegistry } from '../../ports/control-store.ts';
import type { DetectionStore } from '../../ports/detection-store.ts';
import type { DeadLetterSource, StageQuote } from '../../ports/operator.ts';
import type { EmbeddingStore } from '../../ports/outcome-store.ts';
import type { Logger, Randomness } from '../../ports/process.ts';
import type { DispatchQueues, MessageQueue, ReceivingQueue } from '../../ports/queues.ts';
import type { RedriveStore, ReportStore, ResetPlan, ResetStore } from '../../ports/report-store.ts';

export interface OperatePorts {
  readonly spaces: SpaceRegistry;
  readonly control: ControlStore;
  readonly reports: ReportStore;
  readonly resets: ResetStore;
  readonly detection: Pick<DetectionStore, 'readPosition' | 'readStaleness' | 'writeReconcileCursor'>;
  readonly logger: Logger;
  /** Caps of the budget; undefined: none is configured. */
  readonly caps?: readonly Cap[] | undefined;
  /** Quotes what a reset has bought again. */
  readonly quoteReset: (space: Space, plan: ResetPlan) => Promise<SpaceQuote | StageQuote>;
  /**
   * Quotes the texts of a space; resolves with undefined where its source cannot be read.
   * Undefined on one machine, where `freshet quote` asks the workspace.
   */
  readonly quoteSpace?: ((space: Space) => Promise<StageQuote | undefined>) | undefined;
  /**
   * Undefined on one machine, which keeps no dead letters.
   * There dead letters end with their run, and their rows are stale again.
   */
  readonly redrive?: RedrivePorts | undefined;
}

export interface RedrivePorts {
  readonly stale: RedriveStore;
  readonly detection: Pick<DetectionStore, 'confirmSent' | 'abandonLeases'>;
  readonly embedding: Pick<EmbeddingStore, 'postponeLeases'>;
  readonly queues: DispatchQueues;
  readonly results: MessageQueue;
  /** Rejects with `FreshetError` `bad_request` for a model that has no queues. */
  readonly deadLetters: (source: DeadLetterSource) => Promise<ReceivingQueue>;
  readonly randomness: Randomness;
  readonly limits: { readonly batchSize: number; readonly queuedLeaseSeconds: number };
}
