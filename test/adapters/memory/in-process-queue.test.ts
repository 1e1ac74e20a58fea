import { describe, expect, test } from 'vitest';
import { createInProcessQueue } from '../../../lib/adapters/in-process.ts';
import { CONTRACT_QUEUE, describeQueueContract } from '../../contracts/describe-queue-contract.ts';
import { createSeededRandomness } from '../../doubles/seeded-randomness.ts';
import { createVirtualClock } from '../../doubles/virtual-clock.ts';

function open(changes: { duplicateShare?: number } = {}) {
  const clock = createVirtualClock();
  const randomness = createSeededRandomness();
  const base = { visibilitySeconds: 2, clock, randomness };
  const deadLetter = createInProcessQueue({ ...base, maxReceiveCount: 100 });
  const queue = createInProcessQueue({ ...base, ...CONTRACT_QUEUE, deadLetter, ...changes });
  return { clock, queue, deadLetter, pass: async (seconds: number) => clock.advance(seconds * 1000) };
}

describeQueueContract('the in-process queue', async () => open());

describe('the in-process queue', () => {
  test('counts what is visible, in flight and delayed', async () => {
    const { queue } = open();

    await queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c', delaySeconds: 5 }]);
    await queue.receive(1);

    expect(await queue.depth()).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
  });

  test('tells when the next hidden message returns', async () => {
    const { clock, queue } = open();
    await queue.send([{ body: 'a' }, { body: 'b', delaySeconds: 1 }]);
    await queue.receive(1);

    expect(queue.nextVisibleAtMs()).toBe(clock.now() + 1_000);
  });

  test('lists the bodies of all that was not deleted, also while they are hidden', async () => {
    const { queue } = open();
    await queue.send([{ body: 'a' }, { body: 'b' }]);
    const [first] = await queue.receive(1);

    await queue.delete(first?.receiptHandle ?? '');
    await queue.receive(1);

    expect(queue.remainingBodies()).toEqual(['b']);
  });

  test('delivers the chosen share twice, as a standard queue may', async () => {
    const { queue } = open({ duplicateShare: 1 });
    await queue.send([{ body: 'twice' }]);

    const first = await queue.receive(1);
    const second = await queue.receive(1);

    expect([...first, ...second].map(({ body }) => body)).toEqual(['twice', 'twice']);
  });

  test('refuses a visibility that SQS would refuse', async () => {
    const { queue } = open();

    await expect(queue.changeVisibility('any', 43_201)).rejects.toThrow(/43201/);
  });
});
