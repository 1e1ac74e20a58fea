import type { ControlStore, PauseReason, ProbeClaims, SpaceRegistry } from '../../ports/control-store.ts';
import type { EmbeddingStore, OutcomeStore } from '../../ports/outcome-store.ts';
import type { Clock, Logger, Metrics, Randomness } from '../../ports/process.ts';
import type { EmbeddingProvider } from '../../ports/provider.ts';
import type { EventSources } from '../../ports/queues.ts';

export interface GuardPorts {
  /**
   * Opens what the guard asks of the database; asked for at every check.
   * Rejects while the database does not answer, or refuses to be written. Rejects with code
   * `UNKNOWN_SCHEMA` where the database has a schema on which this code may not run.
   */
  readonly openState: () => Promise<GuardState>;
  readonly eventSources: EventSources;
  readonly mappings: GuardedMappings;
  readonly providers: (modelAlias: string) => EmbeddingProvider;
  /** Whether a budget is configured: the metric of its caps is told only then. */
  readonly hasCaps?: boolean | undefined;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What the guard asks of the database. */
export interface GuardState {
  readonly control: ControlStore;
  readonly probes: ProbeClaims;
  readonly spaces: SpaceRegistry;
  /** Grants for probes. No pause refuses these grants. */
  readonly embedding: Pick<EmbeddingStore, 'grantCall' | 'revokeGrant'>;
  readonly outcomes: Pick<OutcomeStore, 'writeResult'>;
  /** Rejects when the role may not write what the pipeline writes, or the server takes no rows. */
  readonly requireWrites: () => Promise<void>;
}

/** Ids of the event source mappings: those of `embed` per model alias, and those of `write`. */
export interface GuardedMappings {
  readonly embed: Readonly<Record<string, readonly string[]>>;
  readonly write: readonly string[];
}

export type GuardRequest =
  | { readonly action: 'check' }
  | { readonly action: 'pause' | 'resume'; readonly scope: string; readonly reason: string };

export interface GuardReport {
  /** False where the database does not answer, or has a schema on which this code may not run. */
  readonly databaseAnswers: boolean;
  /** Aliases whose rows are not embedded now. */
  readonly pausedModels: readonly string[];
  readonly reasons: readonly PauseReason[];
  /** Ids of the mappings that are closed and carry our mark. */
  readonly closed: readonly string[];
  /** Ids of the mappings that somebody else disabled. They stay so until somebody enables them. */
  readonly closedByHand: readonly string[];
}
