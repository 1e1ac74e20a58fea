import { parseAnnounceMessage } from '../../core/messages/parse-announce-message.ts';
import { parseDispatchMessage } from '../../core/messages/parse-dispatch-message.ts';
import type { Lane } from '../../core/model/vocabulary.ts';
import type { ReceivedMessage } from '../../ports/message-queue.ts';
import type { DeadLetterSource } from '../../ports/operator.ts';

export interface Letter {
  readonly receiptHandle: string;
  readonly body: string;
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly ids: readonly string[];
  /** Undefined: it points to a result that is paid for. */
  readonly lane: Lane | undefined;
}

/** What does not parse is nobody's to act on: it stays where it is. */
export function readLetters(
  queue: DeadLetterSource,
  received: readonly ReceivedMessage[],
): { readonly letters: readonly Letter[]; readonly unreadable: readonly ReceivedMessage[] } {
  const letters: Letter[] = [];
  const unreadable: ReceivedMessage[] = [];
  for (const message of received) {
    try {
      letters.push(readLetter(queue, message));
    } catch {
      unreadable.push(message);
    }
  }
  return { letters, unreadable };
}

function readLetter(queue: DeadLetterSource, { receiptHandle, body }: ReceivedMessage): Letter {
  if (queue === 'results') {
    const { spaceId, dispatchId, ids } = parseAnnounceMessage(body);
    return { receiptHandle, body, spaceId, dispatchId, ids, lane: undefined };
  }
  const { spaceId, dispatchId, ids, lane } = parseDispatchMessage(body);
  return { receiptHandle, body, spaceId, dispatchId, ids, lane };
}
