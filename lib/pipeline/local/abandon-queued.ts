import { parseAnnounceMessage } from '../../core/messages/parse-announce-message.ts';
import { parseDispatchMessage } from '../../core/messages/parse-dispatch-message.ts';
import type { LocalRunParts } from './local-run-parts.ts';

/** Frees the rows of every message that is left, so that another run need not wait for their leases. */
export async function abandonQueued({ queues, spaces, detection }: LocalRunParts): Promise<void> {
  const messages = [
    ...queues.dispatch.flatMap(({ queue }) => queue.remainingBodies()).map(parseDispatchMessage),
    ...queues.results.remainingBodies().map(parseAnnounceMessage),
  ];
  for (const { spaceId, dispatchId, ids } of messages) {
    const space = await spaces.find(spaceId);
    if (space && ids.length > 0) await detection.abandonLeases(space, dispatchId, ids);
  }
}
