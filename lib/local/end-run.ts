import { parseAnnounceMessage, parseDispatchMessage } from '../core/messages.ts';
import type { LocalRunPorts } from './run-ports.ts';
import type { RunWorkers, WakeSignal } from './workers.ts';

/** Milliseconds for the batches in hand once a run is told to stop; all takes five seconds. */
const GRACE_MS = 4_000;
/** Milliseconds that giving rows back may take: another session may hold their locks. */
const GIVE_BACK_MS = 500;
/** Milliseconds at the end of the grace for writing what the messages of given up calls bought. */
const SETTLING_MS = 1_500;

interface EndingRun {
  readonly ports: LocalRunPorts;
  readonly workers: RunWorkers;
  readonly wake: WakeSignal;
  readonly isDetecting: () => boolean;
}

/**
 * Writes what was bought while the grace lasts, then frees everything left for another run.
 * A call that takes longer is given up before the grace is over: it may be one of several of its
 * message, and what the others bought is written then.
 */
export async function endRun({ ports, workers, wake, isDetecting }: EndingRun): Promise<void> {
  const endsAtMs = ports.clock.now() + GRACE_MS;
  const callsEndAtMs = endsAtMs - SETTLING_MS;
  workers.shorten(GRACE_MS);
  const isBusy = async () =>
    isDetecting() ||
    workers.isWriting() ||
    workers.embedding() > 0 ||
    (await ports.queues.results.depth()).visible > 0;
  while (ports.clock.now() < endsAtMs && (await isBusy())) {
    await workers.startWrite();
    const isSettling = ports.clock.now() >= callsEndAtMs;
    if (isSettling) ports.giveUpCalls?.();
    await wake.wait((isSettling ? endsAtMs : callsEndAtMs) - ports.clock.now());
  }
  try {
    await Promise.race([abandonQueued(ports), ports.clock.sleep(GIVE_BACK_MS)]);
  } catch {
    // The database is gone or refuses. Every lease of the run ends with its lock at the latest.
  }
}

/**
 * Frees the rows of every message that is left, so that no other run waits for their leases.
 * A message that was only queued, or given up in the middle, was no attempt. The result of an
 * unwritten announcement is lost, and its rows are embedded again.
 */
async function abandonQueued(ports: LocalRunPorts): Promise<void> {
  const { queues, spaces, embedding, outcomes } = ports;
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
