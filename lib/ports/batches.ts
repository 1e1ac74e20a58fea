import type { Space } from '../core/model.ts';
import type { LedgerEntry } from '../core/result-object.ts';
import type { EmbedReply } from './provider.ts';

/**
 * The batch service of a provider: texts go up in a file, vectors come back hours later.
 * Its words are not trusted: what a batch bought is what the lines of its files hold.
 * @throws FreshetError from every method, and nothing else.
 */
export interface BatchProvider {
  readonly limits: { readonly maxTexts: number; readonly maxBytes: number };
  /** Uploads the texts of a batch under a name that holds its id; resolves with the file's id. */
  upload(batchId: string, texts: readonly BatchText[], deadlineMs: number): Promise<string>;
  /** Creates the batch of an uploaded file, marked with our id; resolves with the provider's id. */
  create(batchId: string, fileId: string, deadlineMs: number): Promise<string>;
  /** Finds the batch that carries our id; undefined: the provider lists none. */
  find(batchId: string, deadlineMs: number): Promise<string | undefined>;
  /** Finds the files that were uploaded under our id. */
  findFiles(batchId: string, deadlineMs: number): Promise<readonly string[]>;
  poll(providerBatchId: string, deadlineMs: number): Promise<BatchStanding>;
  cancel(providerBatchId: string, deadlineMs: number): Promise<void>;
  /** Reads a file of results line by line; rejects where it breaks off. */
  readLines(fileId: string, deadlineMs: number): AsyncIterable<BatchLine>;
  /** Deletes a file; resolves too where there is no such file. */
  removeFile(fileId: string, deadlineMs: number): Promise<void>;
}

export interface BatchText {
  readonly contentHash: string;
  /** With the model's prefix. */
  readonly text: string;
}

/** What a provider says of a batch. */
export interface BatchStanding {
  /** `running` until the provider does nothing more for the batch. */
  readonly state: 'running' | 'completed' | 'expired' | 'cancelled' | 'failed';
  /** Why the provider refused the batch as a whole: a code, never a message. */
  readonly code?: string | undefined;
  /** Texts that the provider says it embedded; undefined: it does not say. */
  readonly completed?: number | undefined;
  /** Files of results and of errors, in the order in which they are read. */
  readonly resultFileIds: readonly string[];
}

/** A line of a file of results. */
export interface BatchLine {
  readonly contentHash: string;
  /** The reply for the one text; undefined: the text was not embedded. */
  readonly reply: EmbedReply | undefined;
}

/** A batch as it is stored. */
export interface StoredBatch {
  readonly batchId: string;
  readonly spaceId: number;
  readonly modelAlias: string;
  /**
   * `submitting`: nobody knows yet whether the provider has it. `open`: it has. `settled`: its
   * results are stored, and files are to be deleted. `ended`: nothing is left to do.
   */
  readonly state: 'submitting' | 'open' | 'settled' | 'ended';
  readonly providerBatchId: string | null;
  readonly inputFileId: string | null;
  /** Files to be deleted. */
  readonly fileIds: readonly string[];
  readonly texts: number;
  readonly tokens: number;
  /** The price by batch, as it was when the batch was made. */
  readonly usdPerMillionTokens: number;
  readonly dimensions: number;
  readonly normalized: boolean;
  readonly ageSeconds: number;
  readonly isFenced: boolean;
  readonly isCancelled: boolean;
  readonly isReleased: boolean;
  /** Since the provider first said that the batch ended; null: it has not. */
  readonly endedSeconds: number | null;
  /** Looks that found it at its end. */
  readonly looksAtEnd: number;
}

/** A text that rows wait for. */
export interface AwaitedText {
  readonly contentHash: string;
  readonly tokens: number;
  readonly rows: readonly { readonly id: string; readonly version: string | null }[];
}

/** A text that waits to be submitted. Its words are read again, from one of its rows. */
export interface CollectedText {
  readonly contentHash: string;
  readonly itemId: string;
  readonly tokens: number;
}

/** What waits to be submitted of one space. */
export interface CollectedSpace {
  readonly spaceId: number;
  readonly texts: number;
  readonly oldestAgeSeconds: number;
}

/** A part of a batch's results. */
export interface BatchPart {
  /** Made of the batch and the part: a part that was stored before changes nothing. */
  readonly callId: string;
  /** Tokens null: the provider did not say, and the estimate counts. */
  readonly lines: readonly {
    readonly contentHash: string;
    readonly tokens: number | null;
    /** Null: it was paid for, and cannot be stored. */
    readonly vector: Buffer | null;
  }[];
}

/**
 * The texts and batches of the batch lane. Each method is one transaction.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface BatchStore {
  /**
   * Lets rows wait for texts that are collected or in a batch, and collects those that are new.
   * Returns the hashes that are waited for: the others are `ready` or `live`. The leases of their
   * rows are `queued`, belong to no run and last `leaseSeconds`. Only leases of this dispatch
   * change.
   */
  joinBatch(
    space: Space,
    dispatchId: string,
    texts: readonly AwaitedText[],
    leaseSeconds: number,
  ): Promise<ReadonlySet<string>>;
  /** The vectors that batches brought for these hashes. */
  findVectors(space: Space, hashes: readonly string[]): Promise<ReadonlyMap<string, Buffer>>;
  /**
   * Takes texts that an edit buys now from the lane; returns those that stand in an open batch.
   * A collected text becomes `live` and its rows are free. A text in a batch stays there, and is
   * marked as bought beside it.
   */
  takeForEdit(space: Space, hashes: readonly string[]): Promise<ReadonlySet<string>>;

  /** Whether a tick of the model has something to do. */
  isDue(modelAlias: string): Promise<boolean>;
  /**
   * Claims the unfinished batches of a model whose next look is due, oldest first.
   * Nobody else gets them for `seconds`.
   */
  claimDue(modelAlias: string, seconds: number): Promise<readonly StoredBatch[]>;
  /** Ends a claim; the next look is due after `seconds`. */
  postponeLook(batchId: string, seconds: number): Promise<void>;
  /** What is collected, by space, and the tokens of the batches that the provider holds. */
  readCollected(modelAlias: string): Promise<{
    readonly spaces: readonly CollectedSpace[];
    readonly enqueuedTokens: number;
    readonly isHeld: boolean;
  }>;
  /** The oldest collected texts of a space. */
  listCollected(space: Space, limit: number): Promise<readonly CollectedText[]>;
  /** Forgets collected texts, which no row has any more, and frees the rows that wait for them. */
  dropCollected(space: Space, hashes: readonly string[]): Promise<void>;
  /** Makes collected texts `live`, and frees their rows: they are late. Returns how many. */
  releaseCollected(space: Space, olderThanSeconds: number): Promise<number>;
  /**
   * Stores a batch in state `submitting` with those of the texts that are still collected.
   * Returns their hashes; none: no batch is stored. Others get them no more, so that no text is in
   * two batches.
   */
  beginBatch(
    batch: Pick<
      StoredBatch,
      'batchId' | 'spaceId' | 'modelAlias' | 'usdPerMillionTokens' | 'dimensions' | 'normalized'
    >,
    hashes: readonly string[],
    claimSeconds: number,
  ): Promise<ReadonlySet<string>>;
  /**
   * Notes the uploaded file of a batch; true: the batch may be created of it.
   * A batch that was looked for meanwhile counts as never created: the file is then to be deleted,
   * and the batch is looked at again for that. Null: nobody knows whether there is a file.
   */
  noteFile(batchId: string, inputFileId: string | null): Promise<boolean>;
  /** The provider has the batch: it is `open`. A batch in another state stays as it is. */
  noteSubmitted(batchId: string, providerBatchId: string): Promise<void>;
  noteFenced(batchId: string): Promise<void>;
  noteCancelled(batchId: string): Promise<void>;
  /** Notes that the batch was seen at its end, and when it first was. */
  noteEnded(batchId: string): Promise<void>;
  /**
   * Stores a part of the results with its row of the ledger, and frees the rows that wait for it.
   * A text is counted once, whatever is stored again. Returns the entry; undefined: nothing of the
   * part was new.
   */
  ingestPart(batch: StoredBatch, part: BatchPart): Promise<LedgerEntry | undefined>;
  /** Makes the texts `live` that the batch has not answered, and frees their rows. */
  releaseTexts(batchId: string): Promise<number>;
  /**
   * Settles a batch: its grant ends, and what it did not answer becomes `live` or `collected`.
   * The rows of texts that become `live` are free. `fileIds` are to be deleted. Returns how many
   * texts it did not answer.
   */
  settleBatch(
    batchId: string,
    end: {
      readonly outcome: string;
      readonly rest: 'live' | 'collected';
      readonly fileIds: readonly string[];
    },
  ): Promise<number>;
  noteCleared(batchId: string): Promise<void>;
  /** Submits nothing for the model for `seconds`; the code says why. */
  holdModel(modelAlias: string, seconds: number, code: string): Promise<void>;
  /** Forgets texts that changed more than seven days ago, and vectors that are in their table. */
  tidy(space: Space): Promise<void>;
}

/** The batch lane of a process. */
export interface BatchLane {
  readonly store: BatchStore;
  /** Undefined: the model's bulk texts are bought by calls. */
  readonly providers: (modelAlias: string) => BatchProvider | undefined;
}
