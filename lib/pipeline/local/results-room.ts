import type { Clock } from '../../ports/clock.ts';
import type { ReceivingQueue } from '../../ports/message-queue.ts';

const LOOK_AGAIN_MS = 10;
/** With less time left nothing is bought any more. */
const SHORT_OF_TIME_MS = 6_000;

/** Whether no more results wait to be written than are embedded at once: what is bought and not written is lost with the process, and held in memory. */
export async function hasResultsRoom(results: ReceivingQueue, concurrency: number): Promise<boolean> {
  const { visible, inFlight, delayed } = await results.depth();
  return visible + inFlight + delayed <= concurrency;
}

/** Waits for that room, as `EmbedPorts.waitForRoom`. */
export function createRoomWait(
  results: ReceivingQueue,
  concurrency: number,
  clock: Clock,
): (remainingMs: () => number) => Promise<void> {
  return async remainingMs => {
    while (remainingMs() > SHORT_OF_TIME_MS && !(await hasResultsRoom(results, concurrency))) {
      await clock.sleep(LOOK_AGAIN_MS);
    }
  };
}
