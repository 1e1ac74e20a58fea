import type { Lane } from '../core/model.ts';
import type { HeldRows } from '../core/run-end.ts';
import type { DetectReport, DetectRequest } from '../pipeline/detect/detect-ports.ts';
import type { ControlStore, SpaceRegistry } from '../ports/control-store.ts';
import type { OrphanReport, SkippedRow } from '../ports/detection-store.ts';
import type { EmbeddingStore, OutcomeStore } from '../ports/outcome-store.ts';
import type { Clock } from '../ports/process.ts';
import type { ReceivedMessage, ReceivingQueue } from '../ports/queues.ts';
import type { RunTally, RunTotals } from './run-tally.ts';

/** A queue in this process. */
export interface LocalQueue extends ReceivingQueue {
  /** When the next hidden message is visible, in the clock's time; undefined: none is hidden. */
  nextVisibleAtMs(): number | undefined;
  /** Bodies of all messages that are not deleted, hidden ones too. */
  remainingBodies(): string[];
  /** Calls `listener` after every send. A later listener replaces the earlier one. */
  onSent(listener: () => void): void;
}

/** What a local run works with: the handlers, their queues and the stores behind them. */
export interface LocalRunPorts {
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
  /**
   * Looks at the batches of the run's models; `flush` submits what is collected at once.
   * Resolves with the number of texts whose rows need not wait any longer. Undefined: no model is
   * bought by batch.
   */
  readonly lookAtBatches?: ((flush: boolean) => Promise<number>) | undefined;
  readonly control: ControlStore;
  readonly clock: Clock;
  readonly limits: LocalRunLimits;
  /** The calls of a model that its server answers in time; undefined: any number. */
  readonly callsAtOnce?: ((modelAlias: string) => number) | undefined;
  /**
   * Counts the stale rows of these spaces that others have leased.
   * Undefined: the run ends without waiting for them.
   */
  readonly countHeldElsewhere?: ((spaceIds: readonly number[]) => Promise<HeldRows>) | undefined;
  /** Called once, when nothing is left to the run but to wait for rows that others hold. */
  readonly onHeldElsewhere?: ((held: HeldRows) => void) | undefined;
  /**
   * Called before each round of looking for stale rows.
   * What `detect` heard in the round before no longer holds. `idle`: nothing of the run is under
   * way.
   */
  readonly beginRound?: ((idle: boolean) => void) | undefined;
  /**
   * The passes that must find nothing before the run is done. Default: `both`.
   * With `incremental`, no reconcile pass runs and no pause reason is lifted.
   */
  readonly passes?: 'incremental' | 'both' | undefined;
  /** Names of the sources that are worked on; undefined: all. */
  readonly sources?: readonly string[] | undefined;
  /** After its abort no new message is taken, and the batches in hand have five seconds. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up the provider calls under way, so that what was bought before can be written. */
  readonly giveUpCalls?: (() => void) | undefined;
  /** Called after each invocation. The caller decides how often to show the totals. */
  readonly onProgress?: ((totals: RunTotals) => void) | undefined;
  /** Called when the run ends, before it resolves or rejects. */
  readonly onEnded?: ((noticed: NoticedRows) => void) | undefined;
}

/** The limits of a run; times are in milliseconds. */
export interface LocalRunLimits {
  readonly batchSize: number;
  /** Rows of a space that may be leased at any time, those of other runs included. */
  readonly maxInFlight: number;
  /** Embed invocations that run at the same time. */
  readonly concurrency: number;
  /** Time that one invocation may take. */
  readonly invocationTimeoutMs: number;
  /** Pause between two batches of one worker. */
  readonly pauseMs: number;
  /** Longest time without progress while work remains. */
  readonly maxWaitMs: number;
  /** Rows that the run may take up; undefined: all. */
  readonly maxItems?: number | undefined;
}

/** What a run saw that a person should look at, whatever ended it. */
export interface NoticedRows {
  /** Sources of which vectors without a row were kept, and why. */
  readonly orphansKept: readonly {
    readonly source: string;
    readonly cause: NonNullable<OrphanReport['stopped']>;
  }[];
  /** Rows that the database could not look at, with the SQLSTATE of each. */
  readonly skipped: readonly ({ readonly source: string } & SkippedRow)[];
}

/** What a run did and found, as `runUntilFresh` resolves with it. */
export interface RunSummary extends RunTotals, NoticedRows {
  /** The signal was aborted. */
  readonly interrupted: boolean;
  /** Messages that were delivered too often and never worked on to their end. */
  readonly deadLetters: number;
  /** Spaces that were left out because their source or a statement on it failed. */
  readonly faults: readonly { readonly source: string; readonly code: string; readonly message: string }[];
}

/** An SQS event, field by field as Lambda gives it. */
interface LocalEvent {
  Records: LocalRecord[];
}

interface LocalRecord {
  messageId: string;
  receiptHandle: string;
  body: string;
  attributes: {
    ApproximateReceiveCount: string;
    SentTimestamp: string;
    SenderId: string;
    ApproximateFirstReceiveTimestamp: string;
  };
  messageAttributes: { traceparent?: { dataType: 'String'; stringValue: string } };
  md5OfBody: string;
  eventSource: string;
  eventSourceARN: string;
  awsRegion: string;
}

/** Lambda's context, as far as a local invocation has one. */
interface LocalContext {
  callbackWaitsForEmptyEventLoop: boolean;
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  getRemainingTimeInMillis(): number;
  done(): void;
  fail(): void;
  succeed(): void;
}

/** The messages that must be delivered again. */
interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

/** `embed` and `write`, as Lambda calls them with a batch of messages. */
type BatchHandler = (event: LocalEvent, context: LocalContext) => Promise<BatchAnswer>;

/** Makes the context of one invocation; `remainingMs` tells the milliseconds that are left. */
export function createLocalContext(functionName: string, remainingMs: () => number): LocalContext {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName,
    functionVersion: 'local',
    invokedFunctionArn: `arn:local:lambda:${functionName}`,
    memoryLimitInMB: '0',
    awsRequestId: functionName,
    logGroupName: '',
    logStreamName: '',
    getRemainingTimeInMillis: remainingMs,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

/** Counts down the milliseconds of an invocation that starts now, to 0. */
export function countDown(clock: Clock, timeoutMs: number): () => number {
  const endsAtMs = clock.now() + timeoutMs;
  return () => Math.max(0, endsAtMs - clock.now());
}

/**
 * Invokes a handler with received messages, as Lambda's poller does.
 * Messages that the handler does not report as failures are deleted. A throw deletes none.
 */
export async function invokeBatch(
  handler: BatchHandler,
  queue: ReceivingQueue,
  messages: readonly ReceivedMessage[],
  context: LocalContext,
): Promise<void> {
  let answer: BatchAnswer;
  try {
    answer = await handler({ Records: messages.map(toLocalRecord) }, context);
  } catch {
    // The handler reported the failure; its messages become visible again.
    return;
  }
  const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const { messageId, receiptHandle } of messages) {
    if (!failed.has(messageId)) await queue.delete(receiptHandle);
  }
}

function toLocalRecord({
  messageId,
  receiptHandle,
  body,
  receiveCount,
  sentAtMs,
  traceparent,
}: ReceivedMessage): LocalRecord {
  return {
    messageId,
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(sentAtMs),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(sentAtMs),
    },
    messageAttributes:
      traceparent === undefined ? {} : { traceparent: { dataType: 'String', stringValue: traceparent } },
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:local:sqs',
    awsRegion: 'local',
  };
}
