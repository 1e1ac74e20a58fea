import type { Lane } from '../core/model.ts';
import type { TraceContext } from './tracer.ts';

/** The sending side of a standard queue, which delivers at least once and in any order. */
export interface MessageQueue {
  /**
   * Sends any number of messages, and resolves with those that were not accepted.
   * A rejection means that nothing is known of any message. A message that was accepted can still
   * be delivered twice.
   * @throws FreshetError where the queue did not answer.
   */
  send(messages: readonly OutgoingMessage[]): Promise<SendReport>;
  /**
   * Makes a received message visible again after `seconds`, counted from now.
   * `seconds` is an integer from 0 to 43,200, which is the limit of SQS. A message that is gone
   * stays gone, and the call does nothing.
   * @throws FreshetError with code `invalid_visibility` for other seconds.
   */
  changeVisibility(receiptHandle: string, seconds: number): Promise<void>;
}

export interface OutgoingMessage {
  /** At most 1 MiB, which is the limit of SQS. A body holds ids, hashes and numbers only. */
  readonly body: string;
  readonly delaySeconds?: number;
  /** The span that sends, beside the body. Who does not know of it receives the same body. */
  readonly traceparent?: TraceContext | undefined;
}

export interface SendReport {
  /** The messages that were not accepted. `index` is a position in what was given to `send`. */
  readonly failed: readonly { readonly index: number; readonly code: string }[];
}

/**
 * The receiving side of a queue, as Lambda's poller uses it.
 * Only the local runner, redriving and tests need this side.
 */
export interface ReceivingQueue extends MessageQueue {
  /**
   * Receives up to `limit` visible messages, at most 10, which is the limit of SQS.
   * Received messages become invisible for the visibility timeout of the queue. The call never
   * waits for messages.
   */
  receive(limit: number): Promise<ReceivedMessage[]>;
  /** Deletes a message. A receipt that a later receive superseded does nothing. */
  delete(receiptHandle: string): Promise<void>;
  /**
   * Counts messages.
   * `visible` messages can be received now. `inFlight` messages were received and not yet deleted.
   * `delayed` messages have not become visible for the first time yet.
   */
  depth(): Promise<{ visible: number; inFlight: number; delayed: number }>;
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
  /** Milliseconds since the epoch. */
  readonly sentAtMs: number;
  /** The span that sent the message. Undefined: none did, or the message lost it on its way. */
  readonly traceparent?: TraceContext | undefined;
}

/**
 * Finds the queue of a model alias and a lane; every alias has two queues.
 * Callers name only aliases of the configuration. The deployed pipeline refuses other aliases.
 * @throws FreshetError for an alias without queues.
 */
export type DispatchQueues = (modelAlias: string, lane: Lane) => MessageQueue;

/**
 * What feeds functions from queues. A source can be closed and opened while messages wait.
 * Sources are named by the ids that the stack gave.
 * @throws FreshetError from every method.
 */
export interface EventSources {
  read(mappingId: string): Promise<EventSource>;
  /** Marks the source as closed by us, then closes it. Work in hand goes on to its end. */
  close(source: EventSource): Promise<void>;
  /**
   * Opens the source, then takes the mark away.
   * The method also takes the mark from a source that is open and still marked.
   */
  open(source: EventSource): Promise<void>;
}

export interface EventSource {
  readonly mappingId: string;
  readonly arn: string;
  /** `changing`: the source can be neither opened nor closed until it settles. */
  readonly state: 'open' | 'closed' | 'changing';
  /**
   * True: the source carries our mark, so that we may open it.
   * A closed source without the mark was closed by hand.
   */
  readonly closedByUs: boolean;
}

/**
 * Where results wait for the writer.
 * A key belongs to one attempt, so that an object never changes after its first put.
 * @throws FreshetError from every method.
 */
export interface ObjectStore {
  /**
   * True: objects never leave the memory of this process.
   * Nothing can then change or cut an object, and nobody needs to prove that it is whole. `put`
   * does not copy the body: the caller must not change the body afterwards.
   */
  readonly sealed?: true | undefined;
  put(key: string, body: Buffer): Promise<void>;
  /**
   * The body of an object; undefined: there is no such object, or it has expired.
   * The body may be the store's own: the caller must not change it.
   */
  get(key: string): Promise<Buffer | undefined>;
  /** Removes an object that its reader needs no more. A key without an object is no error. */
  remove(key: string): Promise<void>;
}
