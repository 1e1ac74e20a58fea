import { MAX_BODY_BYTES } from '../../core/messages/find-send-fault.ts';
import type { OutgoingMessage } from '../../ports/message-queue.ts';

/** A message with its position in the caller's list. */
export interface IndexedMessage {
  readonly index: number;
  readonly message: OutgoingMessage;
  /** UTF-8 bytes of the body. */
  readonly bytes: number;
}

/** SQS's limit for the entries of one `SendMessageBatch`. */
const MAX_ENTRIES = 10;

/**
 * Packs messages in order into batches within SQS's limits.
 * The limits are those for entries and for the bytes of all bodies together.
 */
export function packEntries(messages: readonly IndexedMessage[]): IndexedMessage[][] {
  const batches: IndexedMessage[][] = [];
  let batch: IndexedMessage[] = [];
  let bytes = 0;
  for (const entry of messages) {
    if (batch.length === MAX_ENTRIES || (batch.length > 0 && bytes + entry.bytes > MAX_BODY_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
