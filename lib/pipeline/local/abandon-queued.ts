import { parseAnnounceMessage } from '../../core/messages/parse-announce-message.ts';
import { parseDispatchMessage } from '../../core/messages/parse-dispatch-message.ts';
import type { LocalRunParts } from './local-run-parts.ts';

/**
 * Frees the rows of every message that is left, so that another run need not wait for their leases. What was only queued, or given up in the
 * middle, was no attempt; a result that stays unwritten is lost, and its rows are embedded again.
 */
export async function abandonQueued(parts: LocalRunParts): Promise<void> {
  const { queues, spaces, embedding, outcomes } = parts;
  const waiting = queues.dispatch.flatMap(({ queue }) => queue.remainingBodies()).map(parseDispatchMessage);
  for (const { spaceId, dispatchId, ids } of waiting) {
    const space = await spaces.find(spaceId);
    if (space) await embedding.postponeLeases(space, dispatchId, ids, 0);
  }
  for (const { spaceId, dispatchId, ids } of queues.results.remainingBodies().map(parseAnnounceMessage)) {
    const space = await spaces.find(spaceId);
    if (space && ids.length > 0) await outcomes.expireLeases(space, dispatchId, ids);
  }
}
