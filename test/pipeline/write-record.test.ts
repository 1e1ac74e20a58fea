import { describe, expect, test } from 'vitest';
import { createHandler } from '../../functions/write/handler.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { FailureClass } from '../../lib/core/model.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { createWriteStep } from '../../lib/pipeline/write/write-step.ts';
import { makeContext, makeSqsEvent } from '../factories/lambda-event.ts';
import { DISPATCH, leaseRow, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';

const plenty = () => 600_000;

/** A result of two rows, announced. */
async function announced() {
  const space = makeSpace();
  const world = makeWorld([space]);
  const table = spaceOf(world.twin, space);
  for (const id of ['a', 'b']) {
    putRow(world.twin, space, id, `text of ${id}`);
    leaseRow(world.twin, space, id);
  }
  const body = JSON.stringify({
    ...{
      v: 1,
      kind: 'dispatch',
      spaceId: 1,
      lane: 'fresh',
      dispatchId: DISPATCH,
      attempts: 0,
      ids: ['a', 'b'],
    },
  });
  await embedRecord(world.embedPorts, { messageId: 'm', receiptHandle: 'r', body, receiveCount: 1 }, plenty);
  const [announcement = ''] = world.results.remainingBodies();
  world.calls.events.length = 0;
  const { writeOne: step } = createWriteStep(world.writePorts);
  const write = (changes: { body?: string; receiveCount?: number } = {}) =>
    step({ messageId: 'w', receiptHandle: 'w', body: announcement, receiveCount: 1, ...changes }, plenty);
  const failWrites = (failureClass: FailureClass, code: string, times = Number.POSITIVE_INFINITY) => {
    let left = times;
    world.calls.before = event => {
      if (event !== 'writeResult' || left <= 0) return;
      left -= 1;
      throw new FreshetError(`The database refused a statement (${code}).`, { failureClass, code });
    };
  };
  return { world, table, write, failWrites, key: JSON.parse(announcement).key as string, announcement };
}

describe('an announced result', () => {
  test('is written, settles its grants and releases its leases', async () => {
    const { world, table, write } = await announced();

    expect(await write()).toBe('done');
    expect([...table.outcomes.values()].map(({ outcome }) => outcome)).toEqual(['embedded', 'embedded']);
    expect([table.leases.size, world.twin.grants.size, world.twin.ledger.size]).toEqual([0, 0, 1]);
    expect(world.tally.totals()).toMatchObject({ embedded: 2, itemsDone: 2, providerCalls: 1, tokens: 20 });
  });

  test('changes nothing when it is delivered again', async () => {
    const { world, write } = await announced();
    await write();

    await write({ receiveCount: 2 });

    expect(world.tally.totals().embedded).toBe(2);
    expect(world.metrics.sums.get('RepeatedResults')).toBe(1);
  });

  test('removes its object once it is committed', async () => {
    const { world, write, key } = await announced();
    let present: boolean | undefined;
    const { writeResult } = world.writePorts.outcomes;
    world.writePorts.outcomes.writeResult = async (...result) => {
      const report = await writeResult(...result);
      present = (await world.objects.get(key)) !== undefined;
      return report;
    };

    await write();

    expect(present).toBe(true);
    expect(await world.objects.get(key)).toBeUndefined();
  });

  test('keeps its object where the write fails, and is done where the removal fails', async () => {
    const { world, write, failWrites, key } = await announced();
    failWrites('unknown', 'sqlstate_XX000', 1);
    await expect(write()).rejects.toThrow('XX000');
    expect(await world.objects.get(key)).toBeDefined();
    world.writePorts.objects.remove = () => Promise.reject(new Error('the store says no'));

    expect(await write({ receiveCount: 2 })).toBe('done');
    expect(world.tally.totals().embedded).toBe(2);
  });

  test('is no repeat where the ledger has only some of its calls', async () => {
    const { world, write, key, announcement } = await announced();
    await write();
    await world.objects.remove(key);
    const message = JSON.parse(announcement);
    const more = { ...message, calls: [...message.calls, '5e5e5e5e-5e5e-4e5e-8e5e-5e5e5e5e5e5e'] };

    await write({ body: JSON.stringify(more), receiveCount: 2 });

    expect(world.logger.lines).toMatchObject([
      { event: 'result-dropped', fields: { cause: 'object-missing' } },
    ]);
  });

  test('whose object is missing is dropped with a reason and its rows are free', async () => {
    const { world, table, write, key } = await announced();
    world.objects.remove(key);

    expect(await write()).toBe('done');
    expect(world.logger.lines).toMatchObject([
      { event: 'result-dropped', fields: { cause: 'object-missing' } },
    ]);
    const waits = [...table.leases.values()].map(({ expiresAt }) => expiresAt - world.twin.now());
    expect(waits).toHaveLength(2);
    expect(Math.max(...waits)).toBeLessThanOrEqual(0);
    expect(table.outcomes.size).toBe(0);
  });

  test.each([
    ['another object lies under its key', (body: Buffer) => Buffer.concat([body, Buffer.from([0])])],
    ['its object is cut off', (body: Buffer) => body.subarray(0, 40)],
    ['one byte of it is wrong', (body: Buffer) => Buffer.from(body.with(body.length - 1, 1))],
  ])('is dropped with a reason when %s', async (_title, spoil) => {
    const { world, table, write, key } = await announced();
    await world.objects.put(key, spoil((await world.objects.get(key)) ?? Buffer.alloc(0)));
    world.calls.events.length = 0;

    expect(await write()).toBe('done');
    expect(world.logger.lines).toMatchObject([{ fields: { cause: 'object-corrupt' } }]);
    expect(world.calls.events).toEqual(['expireLeases']);
    expect(table.outcomes.size).toBe(0);
  });

  test('of a retired space is dropped with a reason', async () => {
    const { world, write, announcement } = await announced();

    expect(await write({ body: announcement.replace('"spaceId":1', '"spaceId":9') })).toBe('done');
    expect(world.logger.lines).toMatchObject([{ fields: { cause: 'space-unknown-or-retired' } }]);
  });
});

describe('several announced results', () => {
  /** One message of five rows, bought two at a time. */
  async function announcedTogether() {
    const space = makeSpace();
    const world = makeWorld([space], 2);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    for (const id of ids) {
      putRow(world.twin, space, id, `text of ${id}`);
      leaseRow(world.twin, space, id);
    }
    const body = JSON.stringify({
      ...{ v: 1, kind: 'dispatch', spaceId: 1, lane: 'fresh', dispatchId: DISPATCH, attempts: 0, ids },
    });
    const record = { messageId: 'm', receiptHandle: 'r', body, receiveCount: 1 };
    await embedRecord(world.embedPorts, record, plenty);
    world.calls.events.length = 0;
    const bodies = world.results.remainingBodies();
    const handler = createHandler(world.writePorts);
    const write = async (given = bodies) => {
      const answer = await handler(makeSqsEvent(given), makeContext());
      return answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    };
    const writes = () => world.calls.events.filter(event => event.startsWith('writeResult'));
    return { world, table: spaceOf(world.twin, space), bodies, write, writes };
  }

  test('are written in one transaction', async () => {
    const { world, table, write, writes } = await announcedTogether();

    expect(await write()).toEqual([]);

    expect(writes()).toEqual(['writeResults']);
    expect([table.outcomes.size, table.leases.size, world.twin.ledger.size]).toEqual([5, 0, 3]);
    expect(world.tally.totals()).toMatchObject({ embedded: 5, itemsDone: 5 });
  });

  test('of several spaces are written in a transaction of each space, every vector to its own', async () => {
    const spaces = [makeSpace(), makeSpace({ spaceId: 2, source: { name: 'others' } })];
    const world = makeWorld(spaces, 1);
    for (const space of spaces) {
      const { spaceId } = space;
      const ids = [`${spaceId}-a`, `${spaceId}-b`];
      for (const id of ids) {
        putRow(world.twin, space, id, `text of ${id}`);
        leaseRow(world.twin, space, id);
      }
      const dispatch = { v: 1, kind: 'dispatch', spaceId, lane: 'fresh', dispatchId: DISPATCH };
      const body = JSON.stringify({ ...dispatch, attempts: 0, ids });
      await embedRecord(
        world.embedPorts,
        { messageId: 'm', receiptHandle: 'r', body, receiveCount: 1 },
        plenty,
      );
    }
    const [one = '', two = '', three = '', four = ''] = world.results.remainingBodies();
    const written: [spaceId: number, ...ofObjects: number[]][] = [];
    const { outcomes } = world.writePorts;
    const handler = createHandler({
      ...world.writePorts,
      outcomes: {
        ...outcomes,
        writeResults(space, results) {
          written.push([space.spaceId, ...results.map(({ spaceId }) => spaceId)]);
          return outcomes.writeResults(space, results);
        },
      },
    });

    const answer = await handler(makeSqsEvent([one, three, two, four]), makeContext());

    expect(answer?.batchItemFailures).toEqual([]);
    expect(written.toSorted()).toEqual([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    for (const space of spaces) {
      const { outcomes: stored, leases } = spaceOf(world.twin, space);
      expect([...stored.keys()]).toEqual([`${space.spaceId}-a`, `${space.spaceId}-b`]);
      expect(leases.size).toBe(0);
    }
  });

  test('are written one by one when together they fail, so that one harms no other', async () => {
    const { world, table, write, writes } = await announcedTogether();
    let alone = 0;
    world.calls.before = event => {
      if (event === 'writeResult') alone += 1;
      const poison = event === 'writeResults' || (event === 'writeResult' && alone === 2);
      if (poison) throw new FreshetError('refused', { failureClass: 'item', code: 'sqlstate_22000' });
    };

    expect(await write()).toEqual(['message-1']);

    expect(writes()).toEqual(['writeResults', 'writeResult', 'writeResult', 'writeResult']);
    expect(table.outcomes.size).toBe(3);
  });

  test('are written together once what failed in passing goes through', async () => {
    const { world, table, write, writes } = await announcedTogether();
    let left = 2;
    world.calls.before = event => {
      if (event !== 'writeResults' || left === 0) return;
      left -= 1;
      throw new FreshetError('refused', { failureClass: 'transient', code: 'sqlstate_40P01' });
    };

    expect(await write()).toEqual([]);

    expect(writes()).toEqual(['writeResults', 'writeResults', 'writeResults']);
    expect(table.outcomes.size).toBe(5);
  });

  test('are fetched a few at a time', async () => {
    const { world, bodies, writes } = await announcedTogether();
    const { objects } = world;
    const ended: (() => void)[] = [];
    let most = 0;
    const slow = {
      ...objects,
      async get(key: string) {
        await new Promise<void>(resolve => {
          most = Math.max(most, ended.push(resolve));
          // All that is begun at once has begun by then.
          setImmediate(() => ended.shift()?.());
        });
        return objects.get(key);
      },
    };
    const { writeTogether } = createWriteStep({ ...world.writePorts, objects: slow });
    const [first = ''] = bodies;
    const many = [...bodies, ...Array.from({ length: 7 }, () => first)].map((body, index) => ({
      ...{ messageId: String(index), receiptHandle: '', body, receiveCount: 1 },
    }));

    const done = await writeTogether(many, plenty);

    expect(most).toBe(4);
    expect(done.map(({ messageId }) => messageId)).toEqual(['0', '1', '2']);
    expect(writes()).toEqual(['writeResults']);
  });

  test('leave out what is corrupt, missing, unreadable or a duplicate', async () => {
    const { world, table, bodies, write, writes } = await announcedTogether();
    const [first = '', second = '', third = ''] = bodies;
    const { key } = JSON.parse(second) as { key: string };
    await world.objects.put(key, Buffer.from('not what was announced'));

    expect(await write([first, second, 'no json', third, first])).toEqual(['message-2']);

    expect(writes()).toEqual(['writeResults']);
    expect(table.outcomes.size).toBe(3);
    expect(world.metrics.sums.get('DroppedResults')).toBe(1);
    expect(world.metrics.sums.get('RepeatedResults')).toBe(1);
  });
});

describe('a failing database', () => {
  test('is tried three times on a transient failure', async () => {
    const { table, write, failWrites } = await announced();
    failWrites('transient', 'sqlstate_40001', 2);

    expect(await write()).toBe('done');
    expect(table.outcomes.size).toBe(2);
  });

  test('fails the message when it stays transient', async () => {
    const { world, write, failWrites } = await announced();
    failWrites('transient', 'sqlstate_40P01');

    await expect(write()).rejects.toMatchObject({ code: 'sqlstate_40P01' });
    expect(world.calls.events.filter(event => event === 'writeResult')).toHaveLength(3);
    expect(world.twin.pauses).toEqual([]);
  });

  test.each(['sqlstate_42501', 'sqlstate_53100', 'sqlstate_25006'])(
    'that says stop (%s) pauses the pipeline, so that embed buys no more',
    async code => {
      const { world, write, failWrites } = await announced();
      failWrites('stop', code);

      await expect(write()).rejects.toMatchObject({ code });
      const detail = `The database refused a statement (${code}).`;
      expect(world.twin.pauses).toMatchObject([{ scope: 'pipeline', reason: 'database', detail }]);
      expect(world.tally.stopReason()?.code).toBe(code);
    },
  );

  test('that is well again clears its own pause, and no other, with the first write', async () => {
    const { world, write, failWrites } = await announced();
    failWrites('stop', 'sqlstate_53100', 1);
    await write().catch(() => undefined);
    await world.control.pause('pipeline', 'operator', '');

    const { writeOne: elsewhere } = createWriteStep(world.writePorts);
    const [body = ''] = world.results.remainingBodies();
    await elsewhere({ messageId: 'w', receiptHandle: 'w', body, receiveCount: 2 }, plenty);

    expect(world.twin.pauses.map(({ reason }) => reason)).toEqual(['operator']);
  });

  test.each([
    ['its object is missing', (body: string) => body],
    ['its space is gone', (body: string) => body.replace('"spaceId":1', '"spaceId":9')],
  ])('stays paused when a message is dropped because %s: nothing was written', async (_title, readdress) => {
    const { world, write, failWrites, key, announcement } = await announced();
    failWrites('stop', 'sqlstate_53100', 1);
    await write().catch(() => undefined);
    const whole = (await world.objects.get(key)) ?? Buffer.alloc(0);
    world.objects.remove(key);

    expect(await write({ body: readdress(announcement), receiveCount: 2 })).toBe('done');
    expect(world.twin.pauses).toMatchObject([{ scope: 'pipeline', reason: 'database' }]);

    await world.objects.put(key, whole);
    await write();
    expect(world.twin.pauses).toEqual([]);
  });

  test('that refuses a value fails the message and pauses nothing', async () => {
    const { world, write, failWrites } = await announced();
    failWrites('item', 'sqlstate_23514');

    await expect(write()).rejects.toMatchObject({ code: 'sqlstate_23514' });
    expect(world.twin.pauses).toEqual([]);
  });
});
