/** A text of a client, with the item that it is of. */
export interface SubmittedItem {
  readonly assetId: string;
  readonly segmentId: string;
  readonly text: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What became of a submission. */
export interface DocumentJob {
  readonly jobId: string;
  readonly assetId: string;
  readonly segmentId: string;
  readonly model: string;
  /** `superseded`: the item has another text now. */
  readonly status: 'pending' | 'running' | 'succeeded' | 'failed' | 'superseded';
  /** Why it failed, as `freshet failures` has it. Null: it did not. */
  readonly code: string | null;
}

/** What a client's erasure came to. */
export interface ErasureReceipt {
  readonly receiptId: string;
  readonly assetId: string;
  /** Null: all segments of the asset. */
  readonly segmentId: string | null;
  /** `complete`: no writer is left that could bring a vector back. */
  readonly status: 'pending' | 'complete';
  /** Vectors that were deleted, in all spaces. */
  readonly vectors: number;
  readonly requestedAt: string;
  readonly completedAt: string | null;
  /** Files at a provider that still hold a text, by the id of their batch. */
  readonly providerBatches: readonly string[];
}

/**
 * What clients do with the texts that they give to the service.
 * The tenant is that of a verified token. Nothing of another tenant is answered, and nothing tells
 * an id of another tenant from one that nobody has.
 * Every refusal is a `ServiceRefusal`.
 */
export interface DocumentService {
  /**
   * Keeps the texts; the pipeline embeds them as the rows of any source.
   * An item whose present text is the same stays as it is, and its job is answered as it stands.
   * `fieldOf` says how the request names the fields of an item. Undefined: as `items[0].text`.
   */
  submit(
    tenant: string,
    items: readonly SubmittedItem[],
    model: string | undefined,
    fieldOf?: (place: number, field: string) => string,
  ): Promise<readonly DocumentJob[]>;
  findJob(tenant: string, jobId: string): Promise<DocumentJob>;
  /** Erases an item, or without `segmentId` all items of an asset. */
  erase(tenant: string, assetId: string, segmentId: string | undefined): Promise<ErasureReceipt>;
  findReceipt(tenant: string, receiptId: string): Promise<ErasureReceipt>;
}

/** An item as it is stored. */
export interface StoredItem extends SubmittedItem {
  readonly textHash: string;
  readonly jobId: string;
}

/** A job as the database has it. */
export interface JobState {
  readonly jobId: string;
  readonly assetId: string;
  readonly segmentId: string;
  readonly model: string;
  readonly isCurrent: boolean;
  /** The outcome of the item's present text. Null: there is none yet. */
  readonly outcome: string | null;
  /** Whether a worker has the item. */
  readonly isTaken: boolean;
}

/** What is asked of the database; every method names the tenant in each of its statements. */
export interface DocumentStore {
  /** Writes items of one tenant, none of them twice, and their jobs, in one transaction. */
  write(tenant: string, model: string, items: readonly StoredItem[]): Promise<void>;
  /** The jobs with these ids that are the tenant's. */
  readJobs(tenant: string, jobIds: readonly string[]): Promise<readonly JobState[]>;
  /**
   * Deletes items with their texts, jobs, vectors and verdicts, and opens a receipt.
   * Undefined: the tenant has no such item, and no receipt of it is pending.
   */
  erase(tenant: string, assetId: string, segmentId: string | undefined): Promise<string | undefined>;
  readReceipt(tenant: string, receiptId: string): Promise<ErasureReceipt | undefined>;
  /**
   * Deletes once more what writers brought back that were under way at an erasure, and completes
   * the receipts for which none is left. Resolves with the number of those.
   */
  completeErasures(): Promise<number>;
  /** Deletes the texts of which every space has the outcome. Resolves with their number. */
  dropTexts(): Promise<number>;
}
