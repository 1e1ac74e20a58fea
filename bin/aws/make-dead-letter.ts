import type { AwsWorld } from './aws-world.ts';
import type { SmokeParts } from './smoke-parts.ts';
import { waitUntil } from './wait-until.ts';

const MINUTE_MS = 60_000;

/**
 * A dead letter as SQS makes it, without the hour that five visibility timeouts take: nobody takes from the queue, a new row's message
 * is received and let go as often as the queue allows, and the receive after that moves it. The row's lease waits for the message that
 * long, so that detect sends no second one.
 */
export async function makeDeadLetter(world: AwsWorld, parts: SmokeParts): Promise<void> {
  const { eventSourceId, queue, deadLetters } = parts;
  await world.switchEventSource(eventSourceId, false);
  try {
    await untilState(world, eventSourceId, 'Disabled');
    await parts.insert('a row whose message nobody takes');
    await parts.detect('incremental');
    await waitUntil(world, 'the dead letter', 10 * MINUTE_MS, async () => {
      for (const { receiptHandle } of await queue.receive(10)) await queue.changeVisibility(receiptHandle, 0);
      const { visible } = await deadLetters.depth();
      return { done: visible > 0, seen: `${visible} dead letters` };
    });
  } finally {
    await world.switchEventSource(eventSourceId, true);
  }
  await untilState(world, eventSourceId, 'Enabled');
}

async function untilState(world: AwsWorld, id: string, state: string): Promise<void> {
  await waitUntil(world, 'the event source', 5 * MINUTE_MS, async () => {
    const seen = await world.readEventSourceState(id);
    return { done: seen === state, seen };
  });
}
