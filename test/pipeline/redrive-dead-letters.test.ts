import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSqsClient } from '../../lib/adapters/sqs/sqs-queue.ts';
import type { RedriveAnswer, RedriveRequest } from '../../lib/ports/operator.ts';
import type { ReceivingQueue } from '../../lib/ports/queues.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { DIMENSIONS } from '../doubles/scripted-provider.ts';
import { buildConfig, buildModel, buildSourceConfig } from '../factories/pipeline-config.ts';
import { startFauxqs } from '../servers/start-fauxqs.ts';
import { type DeadLetters, openDeadLetters } from './open-dead-letters.ts';

const REDRIVE = { request: 'redrive', queue: { model: 'small', lane: 'bulk' }, limit: 200 } as const;

let fauxqs: Awaited<ReturnType<typeof startFauxqs>>;
let client: ReturnType<typeof createSqsClient>;
let opened: OpenedSpace;
let letters: DeadLetters;

beforeAll(async () => {
  fauxqs = await startFauxqs();
  client = createSqsClient(fauxqs.access);
});
afterAll(async () => {
  client.destroy();
  await fauxqs.server.stop();
});
beforeEach(async () => {
  const model = buildModel({ dimensions: DIMENSIONS });
  opened = await openSpace(await openTestDatabase(), {}, {}, buildConfig([buildSourceConfig()], [model]));
  letters = openDeadLetters(fauxqs, client, opened);
});

async function fill(rows: number): Promise<void> {
  await opened.run(
    `INSERT INTO public.ai_items (id, title, updated_at) SELECT n, 'title ' || n, '2026-01-01' FROM generate_series(1, ${rows}) AS n`,
  );
}

/** As the command line does: again until nothing is received. */
async function redriveAll(request: Partial<RedriveRequest> = {}): Promise<RedriveAnswer> {
  const sum = { received: 0, dispatched: 0, superseded: 0, left: 0, unreadable: 0 };
  for (;;) {
    const reply = await letters.ask({ ...REDRIVE, ...request });
    if (!('answer' in reply)) throw new Error(reply.error.message);
    const answer = reply.answer as RedriveAnswer;
    for (const name of Object.keys(sum) as (keyof RedriveAnswer)[]) sum[name] += answer[name];
    if (answer.received === 0) return sum;
  }
}

async function storeFresh(condition: string): Promise<void> {
  await opened.run(`INSERT INTO freshet.${opened.space.vectorTable}
      (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT id, 'embedded', updated_at, xmin, now(), '[1,0,0,0]', now() FROM public.ai_items WHERE ${condition}`);
}

const deadNow = async () => await letters.pairs.bulk.dead.depth();

describe('a selective redrive', () => {
  test('of 500 dead letters, of which 200 are superseded, embeds exactly 300 rows', async () => {
    await fill(500);
    expect(await letters.letDie()).toBe(500);
    await storeFresh('id <= 120');
    await opened.run('DELETE FROM public.ai_items WHERE id > 420');
    await opened.run(
      `UPDATE public.ai_items SET title = title || ' edited', updated_at = now() WHERE id = 200`,
    );

    const answer = await redriveAll();
    const bought = await letters.work();

    expect(answer).toEqual({ received: 500, dispatched: 300, superseded: 200, left: 0, unreadable: 0 });
    const expected = Array.from({ length: 300 }, (_, index) => `title ${index + 121}`);
    expected[79] += ' edited';
    expect(bought.toSorted()).toEqual(expected.toSorted());
    const stored = await opened.stored();
    expect(stored.filter(({ outcome }) => outcome === 'embedded')).toHaveLength(420);
    expect(await deadNow()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    expect(
      (await opened.leases()).filter(({ live, id }) => live && Number(id) > 120 && Number(id) <= 420),
    ).toEqual([]);
  });

  test('sends nothing twice when it dies between the send and the deletion', async () => {
    await fill(30);
    await letters.letDie();
    const { dead } = letters.pairs.bulk;
    const received: string[] = [];
    const dying: ReceivingQueue = {
      ...dead,
      async receive(limit) {
        const messages = await dead.receive(limit);
        received.push(...messages.map(({ receiptHandle }) => receiptHandle));
        return messages;
      },
      async delete(receiptHandle) {
        if (received.indexOf(receiptHandle) === 14) throw new Error('killed');
        await dead.delete(receiptHandle);
      },
    };
    const { redrive } = letters.ports;
    const first = await letters.ask(REDRIVE, {
      ...letters.ports,
      redrive: { ...redrive!, deadLetters: async () => dying },
    });
    for (const receiptHandle of received) await dead.changeVisibility(receiptHandle, 0);

    const second = await redriveAll();
    const bought = await letters.work();

    expect(first).toMatchObject({ error: { code: 'unexpected' } });
    expect(second).toMatchObject({ received: 16, dispatched: 10, superseded: 6 });
    expect(bought).toHaveLength(30);
    expect(new Set(bought).size).toBe(30);
  });

  test('leaves to the other dispatch what is on its way', async () => {
    await fill(10);
    await letters.letDie();
    await opened.run(`UPDATE freshet.leases SET expires_at = now() WHERE item_id IN ('1', '2', '3')`);
    const taken = await opened.leaseSlice();

    const answer = await redriveAll();

    expect(taken.rows.map(({ id }) => id).toSorted()).toEqual(['1', '2', '3']);
    expect(answer).toMatchObject({ received: 10, dispatched: 7, superseded: 3, left: 0 });
  });

  test('leaves letters of another source, of another cause and of a paused model', async () => {
    await fill(4);
    await letters.letDie();
    await opened.run(`INSERT INTO freshet.${opened.space.vectorTable} (item_id, outcome, source_version, read_at)
      VALUES (1, 'refused:content', '2025-01-01', now()), (2, 'undelivered', '2025-01-01', now())`);

    const other = await letters.ask({ ...REDRIVE, source: 'nothing_of_that_name', limit: 1 });
    await letters.control.pause('model:small', 'provider:quota', '');
    const paused = await letters.ask({ ...REDRIVE, limit: 1 });
    await letters.control.resume('model:small', 'provider:quota');
    const cause = await redriveAll({ cause: 'item' });

    expect(other).toEqual({ answer: { received: 1, dispatched: 0, superseded: 0, left: 1, unreadable: 0 } });
    expect(paused).toEqual({ answer: { received: 1, dispatched: 0, superseded: 0, left: 1, unreadable: 0 } });
    expect(cause.received).toBe(2);
    expect(cause.dispatched + cause.left).toBe(2);
    expect((await deadNow()).inFlight).toBe(4 - cause.dispatched);
  });

  test.each(['undelivered', 'insufficient_quota'])(
    'takes rows that an outage left undelivered by %s',
    async cause => {
      await fill(3);
      await letters.letDie();
      await opened.run(`INSERT INTO freshet.${opened.space.vectorTable} (item_id, outcome, source_version, read_at)
        VALUES (1, 'undelivered:insufficient_quota', '2025-01-01', now()), (2, 'refused:content', '2025-01-01', now())`);

      const answer = await redriveAll({ cause });

      expect(answer).toEqual({ received: 3, dispatched: 1, superseded: 0, left: 2, unreadable: 0 });
    },
  );

  test('counts and leaves what is unreadable, and an id that is no key', async () => {
    await fill(1);
    await letters.letDie();
    const forged = {
      ...{ v: 1, kind: 'dispatch', spaceId: opened.space.spaceId, lane: 'bulk', attempts: 0 },
      ...{ dispatchId: '00000000-0000-4000-8000-000000000000', ids: ['CANARY'] },
    };
    await letters.pairs.bulk.dead.send([{ body: 'no json' }, { body: JSON.stringify(forged) }]);

    const answer = await redriveAll();

    expect(answer).toEqual({ received: 3, dispatched: 1, superseded: 0, left: 0, unreadable: 2 });
    expect((await deadNow()).inFlight).toBe(2);
    expect(JSON.stringify(letters.logger.lines)).not.toContain('CANARY');
  });

  test('announces a paid result again instead of buying it again', async () => {
    await fill(3);
    await letters.letDie();
    await redriveAll();
    await letters.embedOnly();
    await letters.bury(letters.pairs.results);

    const answer = await redriveAll({ queue: 'results' });
    const bought = await letters.work();

    expect(answer).toEqual({ received: 1, dispatched: 3, superseded: 0, left: 0, unreadable: 0 });
    expect(bought).toEqual([]);
    expect(letters.provider.requests).toHaveLength(1);
    expect((await opened.stored()).map(({ outcome }) => outcome)).toEqual(Array(3).fill('embedded'));
  });

  test('deletes letters of a space that is no more', async () => {
    await fill(2);
    await letters.letDie();
    const gone = { ...letters.ports, spaces: { list: async () => [], find: async () => undefined } };

    const answer = await letters.ask(REDRIVE, gone);

    expect(answer).toEqual({ answer: { received: 2, dispatched: 0, superseded: 2, left: 0, unreadable: 0 } });
    expect((await deadNow()).visible).toBe(0);
  });
});
