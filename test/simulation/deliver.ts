import type { QueueRecord } from '../../lib/pipeline/records.ts';
import { invokeConsumer } from './invoke.ts';
import { MAX_RECEIVE_COUNT, type SimulatedMessage, type SimulatedQueue } from './simulated-queue.ts';
import type { World } from './world.ts';

/** As Lambda's poller: looks when something becomes visible, takes a batch in any order, and deletes what was not reported as failed. */
export function scheduleDelivery(world: World, queue: SimulatedQueue, delayMs: number): void {
  world.scheduler.after(delayMs + world.random.below(50), () => deliver(world, queue));
}

function deliver(world: World, queue: SimulatedQueue): void {
  if (queue.closed || queue.busy >= world.shape.concurrency) return;
  const nowMs = world.scheduler.nowMs();
  const visible = [...queue.messages].filter(({ visibleAtMs }) => visibleAtMs <= nowMs);
  if (visible.length === 0) return;
  const taken = world.random.shuffle(visible).slice(0, world.random.between(1, 4));
  const batch = taken.filter(message => receive(world, queue, message));
  if (visible.length > taken.length) scheduleDelivery(world, queue, 1);
  if (batch.length === 0) return;
  queue.busy += 1;
  const records = batch.map(toRecord);
  invokeConsumer(world, queue.consumer, records, acknowledged => {
    queue.busy -= 1;
    for (const record of records) {
      if (acknowledged.has(record.messageId)) acknowledge(world, queue, record);
    }
    scheduleDelivery(world, queue, 1);
  });
}

/** False: it was received too often and is a dead letter now. */
function receive(world: World, queue: SimulatedQueue, message: SimulatedMessage): boolean {
  if (message.receiveCount >= MAX_RECEIVE_COUNT) {
    queue.messages.delete(message);
    queue.deadLetters.push(message);
    world.trace.event(`dead letter of ${queue.name}`, 0, () => message.body);
    if (world.hardFaults === 0 && !message.isGarbage) {
      world.violate('honest-dead-letters', `${queue.name}: ${message.body}`);
    }
    return false;
  }
  message.receiveCount += 1;
  // It came back while its first delivery may still be worked on: both may buy.
  if (message.receiveCount > 1 && queue.busy > 0) world.hardFaults += 1;
  message.receiptHandle = `${message.messageId}#${world.newIdentifier()}`;
  const again = world.random.chance(world.faults.duplicate);
  if (again) world.hardFaults += 1;
  const hiddenMs = again ? world.random.below(5_000) : world.shape.visibilitySeconds * 1000;
  message.visibleAtMs = world.scheduler.nowMs() + hiddenMs;
  scheduleDelivery(world, queue, hiddenMs);
  return true;
}

/** By a receipt that a later receive superseded, a queue may delete the message or not. */
function acknowledge(world: World, queue: SimulatedQueue, record: QueueRecord): void {
  if (world.random.chance(world.faults.lostDelete)) {
    world.hardFaults += 1;
    return;
  }
  for (const message of queue.messages) {
    if (message.messageId !== record.messageId) continue;
    if (message.receiptHandle !== record.receiptHandle && world.random.chance(0.5)) return;
    queue.messages.delete(message);
  }
}

function toRecord({ messageId, receiptHandle, body, receiveCount }: SimulatedMessage): QueueRecord {
  return { messageId, receiptHandle, body, receiveCount };
}
