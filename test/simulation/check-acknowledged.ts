import type { AnnounceMessage, DispatchMessage } from '../../lib/core/messages.ts';
import type { QueueRecord } from '../../lib/pipeline/records.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** A message that is acknowledged is gone: what it stood for must be somewhere else by then. */
export function checkAcknowledged(world: World, component: 'embed' | 'write', { body }: QueueRecord): void {
  const message = JSON.parse(body) as DispatchMessage | AnnounceMessage | { kind: 'batches' };
  if (message.kind === 'batches') return;
  if (world.twin.spaces.get(message.spaceId)?.retired) return;
  if (component === 'embed') checkLeases(world, message as DispatchMessage);
  else checkLedger(world, message as AnnounceMessage);
}

/** No row stays leased as being embedded; another delivery of the same message may still have it so. */
function checkLeases(world: World, { spaceId, dispatchId, ids }: DispatchMessage): void {
  const { duplicate, lostDelete, crash, slow } = world.plan;
  if (duplicate + lostDelete + crash + slow > 0) return;
  const leases = world.twin.spaces.get(spaceId)?.leases;
  for (const id of ids) {
    const lease = leases?.get(id);
    if (lease?.dispatchId !== dispatchId || lease.stage !== 'embedding') continue;
    if (lease.expiresAt <= world.twin.now()) continue;
    world.violate('accounted', `a message is acknowledged while nobody embeds its row ${id}`);
  }
}

function checkLedger(world: World, { key, calls }: AnnounceMessage): void {
  const { missingObject, corruptObject } = world.plan;
  if (missingObject + corruptObject > 0) return;
  for (const callId of calls) {
    if (!world.twin.ledger.has(callId)) world.violate('accounted', `${key} is acknowledged and not written`);
  }
}

/** Whoever fails to write pauses everything, and its message comes again: with that one's success the pause is over. */
export function checkPauseEnded(
  { twin, databasePausedAt, violate }: World,
  { wroteAt, recordSequence, number }: Invocation,
  { receiveCount }: QueueRecord,
): void {
  const hasWritten = wroteAt >= recordSequence && databasePausedAt < wroteAt;
  if (receiveCount < 2 || !hasWritten || !twin.pauses.some(({ reason }) => reason === 'database')) return;
  violate('ended-by-write', `write #${number} wrote and leaves the database paused`);
}
