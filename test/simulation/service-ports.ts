import { hash } from 'node:crypto';
import type { AnnounceMessage } from '../../lib/core/messages.ts';
import type { MessageQueue, ObjectStore } from '../../lib/ports/queues.ts';
import { callPort } from './call-port.ts';
import { scheduleDelivery } from './deliver.ts';
import type { Invocation } from './invocation.ts';
import { findByReceipt, type SimulatedQueue } from './simulated-queue.ts';
import { CANARY } from './texts.ts';
import type { World } from './world.ts';

/** Of `retry-transient.ts`. */
const TRIES = 3;
/** Sending to a queue and hiding what was received from it. */
export function createSender(world: World, current: () => Invocation, queue: SimulatedQueue): MessageQueue {
  return {
    send: messages =>
      callPort(world, current(), `send ${queue.name}`, 'queue', () => {
        const failed: { index: number; code: string }[] = [];
        for (const [index, { body }] of messages.entries()) {
          if (world.random.chance(world.faults.refusedSend)) {
            failed.push({ index, code: 'InternalError' });
            noteRefusal(world, body);
          } else acceptMessage(world, queue, body);
        }
        return { failed };
      }),
    changeVisibility: (receiptHandle, seconds) =>
      callPort(world, current(), `hide ${queue.name}`, 'queue', () => {
        const message = findByReceipt(queue, receiptHandle);
        if (message?.receiptHandle !== receiptHandle) return;
        message.visibleAtMs = world.scheduler.nowMs() + seconds * 1000;
        scheduleDelivery(world, queue, seconds * 1000);
      }),
  };
}

/** One refusal is tried again and costs nothing; what was refused three times is given up, and what it announced is lost. */
function noteRefusal(world: World, body: string): void {
  const { refusals } = world.services;
  const times = (refusals.get(body) ?? 0) + 1;
  refusals.set(body, times);
  if (times === TRIES) world.hardFaults += 1;
}

/** A message that the queue took: checked for what no message may do. */
export function acceptMessage(world: World, queue: SimulatedQueue, body: string, isGarbage = false): void {
  if (body.includes(CANARY)) world.violate('no-text-outside', `a message of ${queue.name}`);
  if (queue.consumer === 'write' && !isGarbage) {
    const { key, sha256, calls } = JSON.parse(body) as AnnounceMessage;
    const object = world.services.objects.get(key);
    // A send whose answer was lost is sent again, and by then its result can be written.
    const isWritten = calls.length > 0 && calls.every(callId => world.twin.ledger.has(callId));
    if (object ? digest(object) !== sha256 : !isWritten) world.violate('object-before-message', key);
  }
  const copies = world.random.chance(world.faults.duplicate) ? 2 : 1;
  if (copies === 2) world.hardFaults += 1;
  for (let copy = 0; copy < copies; copy += 1) {
    if (world.random.chance(world.faults.lostMessage)) {
      world.hardFaults += 1;
      continue;
    }
    const delayMs = copy === 0 ? world.random.below(2_000) : world.random.below(400_000);
    queue.messages.add({
      ...{ messageId: world.newIdentifier(), body, isGarbage, receiveCount: 0, receiptHandle: '' },
      visibleAtMs: world.scheduler.nowMs() + delayMs,
    });
    scheduleDelivery(world, queue, delayMs);
  }
}

export function createObjects(world: World, current: () => Invocation): ObjectStore {
  const { objects } = world.services;
  return {
    put: (key, body) =>
      callPort(world, current(), 'put', 'object', () => {
        if (body.includes(CANARY)) world.violate('no-text-outside', 'an object');
        if (objects.has(key) && !objects.get(key)?.equals(body))
          world.violate('object-before-message', `${key} changes`);
        objects.set(key, body);
      }),
    get: key =>
      callPort(world, current(), 'get', 'object', () => {
        const { random, faults } = world;
        const body = objects.get(key);
        if (random.chance(faults.missingObject)) return lose(world, undefined);
        if (body && random.chance(faults.corruptObject)) return lose(world, corrupt(world, body));
        return body;
      }),
    remove: key =>
      callPort(world, current(), 'remove', 'object', () => {
        objects.delete(key);
      }),
  };
}

/** Cut short, or another value somewhere among the vectors at its end. */
function corrupt({ random }: World, body: Buffer): Buffer {
  if (random.chance(0.5)) return body.subarray(0, body.length - 1);
  const changed = Buffer.from(body);
  const place = changed.length - 1 - random.below(4);
  changed.writeUInt8(changed.readUInt8(place) ^ 1, place);
  return changed;
}

function lose<Value>(world: World, value: Value): Value {
  world.hardFaults += 1;
  return value;
}

function digest(body: Buffer): string {
  return hash('sha256', body);
}
