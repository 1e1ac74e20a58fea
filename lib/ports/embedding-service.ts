import type { InputRole, ModelDefinition } from '../core/model.ts';
import type { RecentTotals } from '../core/recent-requests.ts';

/** Which requests are served first: those that a person waits for, or those of a batch. */
export type ServiceLane = 'query' | 'document';

/** How far the service is on its way; only a ready one embeds. */
type ServiceState = 'warming' | 'ready' | 'draining';

/** Texts of one client, to be embedded by one model. */
export interface ServiceRequest {
  /** One of the service's `models`. */
  readonly model: ModelDefinition;
  readonly texts: readonly string[];
  /**
   * What the texts are to the model, whose prefix for it is added.
   * Undefined: the client adds its own prefix, as the pipeline does, and nothing is added.
   */
  readonly role: InputRole | undefined;
  /** Whether a text over the model's limit is cut. False: such a request is refused. */
  readonly truncate: boolean;
  /** Aborts when the client leaves. What nobody waits for is not computed. */
  readonly signal: AbortSignal;
}

export interface ServiceReply {
  readonly model: ModelDefinition;
  /** One vector per text, in their order: float32, little-endian. */
  readonly vectors: readonly Buffer[];
  /** Tokens of the texts, those of cached vectors included; at least 1. */
  readonly tokens: number;
}

/** What `/ready` says of one model. */
export interface ModelReadiness {
  readonly model: string;
  readonly ready: boolean;
  /** Why the model is not ready: the code of the last failure. Undefined: nothing failed yet. */
  readonly code: string | undefined;
}

/** Embeds texts for clients by the models of the configuration. */
export interface EmbeddingService {
  readonly models: readonly ModelDefinition[];
  state(): ServiceState;
  readiness(): readonly ModelReadiness[];
  /**
   * Embeds the texts of one request, all or none.
   * @throws ServiceRefusal, and nothing else that is foreseen.
   */
  embed(request: ServiceRequest): Promise<ServiceReply>;
  /** Refuses new requests, and resolves when the last one was answered. */
  drain(): Promise<void>;
}

/** What the service tells of its work. Calls are synchronous, never throw, and hold no text. */
export interface ServiceObserver {
  /** Texts of a request that were in the cache, were on their way already, or are new. */
  looked(
    model: string,
    counts: { readonly hits: number; readonly joined: number; readonly misses: number },
  ): void;
  /** A provider's call ended. `outcome` is `ok` or the failure's class. */
  called(call: ServiceCall): void;
  /** A call may have been billed; tokens are those of the bill, or estimated where none came. */
  billed(model: string, bill: { readonly tokens: number; readonly costUsd: number }): void;
  /** Texts were taken out of the queue because their client left. */
  dropped(model: string, texts: number): void;
  /** The queue of a model changed, or its calls under way did. */
  queued(model: string, waiting: ServiceQueue): void;
}

/** What a model has before it. */
interface ServiceQueue {
  /** Texts that wait. */
  readonly texts: number;
  readonly tokens: number;
  /** Calls under way. */
  readonly calls: number;
}

/** How much the service has to do, and how its requests of the last minute went. */
export interface ServiceLoad {
  readonly queues: readonly (ServiceQueue & { readonly model: string })[];
  readonly recent: RecentTotals;
}

interface ServiceCall {
  readonly model: string;
  readonly lane: ServiceLane;
  readonly texts: number;
  readonly tokens: number;
  readonly latencyMs: number;
  /** Milliseconds that the first text of the call waited in the queue. */
  readonly waitedMs: number;
  readonly outcome: string;
}

/** What calls of one model cost whose vectors are of no row: those for searches and clients. */
export interface QueryEntry {
  /** Made before the entry is written: one that is written again is the same. */
  readonly entryId: string;
  readonly modelAlias: string;
  readonly calls: number;
  readonly texts: number;
  readonly tokens: number;
  readonly costUsd: number;
}

/** Where money is entered that is spent beside the ledger of the rows. */
export interface QueryLedger {
  /**
   * Enters all of the entries or none, as of now by the clock of the database.
   * @throws FreshetError, classified from the SQLSTATE
   */
  enter(entries: readonly QueryEntry[]): Promise<void>;
}
