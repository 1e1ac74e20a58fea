import type { Lane } from '../core/model.ts';
import type { HeldRows } from '../core/run-end.ts';
import type { DetectReport, DetectRequest } from '../pipeline/detect/detect-ports.ts';
import type { ControlStore, SpaceRegistry } from '../ports/control-store.ts';
import type { EmbeddingStore, OutcomeStore } from '../ports/outcome-store.ts';
import type { Clock } from '../ports/process.ts';
import type { ReceivedMessage, ReceivingQueue } from '../ports/queues.ts';
import type { RunTally, RunTotals } from './run-tally.ts';

/** A receiving queue in this process, which knows when what is hidden comes back. */
export interface LocalQueue extends ReceivingQueue {
  nextVisibleAtMs(): number | undefined;
  remainingBodies(): string[];
  /** One listener at a time, called whenever messages were sent. */
  onSent(listener: () => void): void;
}

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

export interface RunSummary extends RunTotals {
  readonly interrupted: boolean;
  /** Messages that nobody could work on. */
  readonly deadLetters: number;
  /** Sources of which vectors without a row were kept, and why. */
  readonly orphansKept: readonly { readonly source: string; readonly cause: 'row-security' | 'too-many' }[];
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
  messageAttributes: Record<string, never>;
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

interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

type BatchHandler = (event: LocalEvent, context: LocalContext) => Promise<BatchAnswer>;

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

/** Remaining time of an invocation that starts now. */
export function countDown(clock: Clock, timeoutMs: number): () => number {
  const endsAtMs = clock.now() + timeoutMs;
  return () => Math.max(0, endsAtMs - clock.now());
}

/** What Lambda's poller does with received messages: invoke, then delete all that are not reported as failures; a throw deletes none. */
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
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:local:sqs',
    awsRegion: 'local',
  };
}
