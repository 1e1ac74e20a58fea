import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { buildCall, buildHash, buildResult, copyOf, embedded, touchOf } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let items: OpenedSpace;
const [ONE, TWO] = [buildHash(1), buildHash(2)];
const AT = '2026-01-01 00:00:00+00';

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
  await items.run(
    `INSERT INTO public.ai_items (id, title, updated_at) VALUES (1, 'old', '${AT}'), (2, 'twin', '${AT}')`,
  );
});
afterEach(() => db.close());

/** What an application may do to a row while its batch is in flight. All but the deletion leave it stale. */
const EDITS: readonly { name: string; statements: string[] }[] = [
  {
    name: 'edited',
    statements: [`UPDATE public.ai_items SET title = 'new', updated_at = now() WHERE id = 1`],
  },
  {
    name: 'edited twice in one tick',
    statements: [
      `UPDATE public.ai_items SET title = 'new', updated_at = '${AT}' WHERE id = 1`,
      `UPDATE public.ai_items SET title = 'newer', updated_at = '${AT}' WHERE id = 1`,
    ],
  },
  { name: 'touched', statements: [`UPDATE public.ai_items SET updated_at = now() WHERE id = 1`] },
  {
    name: 'edited and reverted',
    statements: [
      `UPDATE public.ai_items SET title = 'new', updated_at = now() WHERE id = 1`,
      `UPDATE public.ai_items SET title = 'old', updated_at = '${AT}' WHERE id = 1`,
    ],
  },
  { name: 'emptied', statements: [`UPDATE public.ai_items SET title = '', updated_at = now() WHERE id = 1`] },
  {
    name: 'edited backwards in time',
    statements: [`UPDATE public.ai_items SET title = 'x', updated_at = '2020-01-01' WHERE id = 1`],
  },
  {
    name: 'edited without a version',
    statements: [`UPDATE public.ai_items SET title = 'x', updated_at = NULL WHERE id = 1`],
  },
  {
    name: 'deleted and inserted again',
    statements: [
      'DELETE FROM public.ai_items WHERE id = 1',
      `INSERT INTO public.ai_items (id, title, updated_at) VALUES (1, 'again', '${AT}')`,
    ],
  },
];

/** Row 2 holds the vector of hash TWO, row 1 is announced under the dispatch that comes back. */
async function prepare(): Promise<string> {
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, randomUUID(), {
      outcomes: [embedded(await items.readOne('2'), [2, 0, 0], TWO)],
    }),
  );
  const dispatchId = randomUUID();
  await items.leaseSlice({ dispatchId });
  await items.detection.confirmSent(items.space, dispatchId, ['1'], 3600);
  return dispatchId;
}

async function apply(statements: readonly string[]): Promise<void> {
  for (const statement of statements) await items.run(statement);
}

/** Reads what is leased now and writes its outcome, once: what the next dispatch does. */
async function embedNext(): Promise<string[]> {
  const dispatchId = randomUUID();
  const { rows } = await items.leaseChanged(null, { dispatchId });
  const ids = rows.map(row => row.id);
  const readings = await items.read(...(await items.embedding.beginEmbedding(items.space, dispatchId, ids)));
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, dispatchId, {
      outcomes: readings.map(reading => embedded(reading, [9, 9, 9], buildHash(9))),
    }),
  );
  return ids;
}

describe.each(EDITS)('a row that is $name', ({ statements }) => {
  it('before it is read is written by its last text', async () => {
    const dispatchId = await prepare();
    await items.embedding.beginEmbedding(items.space, dispatchId, ['1']);
    await apply(statements);
    const reading = await items.readOne('1');

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { outcomes: [embedded(reading, [1, 0, 0], ONE)] }),
    );

    expect(report).toMatchObject({ embedded: 1, overtaken: 0 });
    expect(await items.leases()).toEqual([]);
    expect((await items.leaseSlice()).rows).toEqual([]);
  });

  it.each(['outcome', 'copy'] as const)(
    'between reading and writing its %s is dispatched again at once',
    async kind => {
      const dispatchId = await prepare();
      await items.embedding.beginEmbedding(items.space, dispatchId, ['1']);
      const reading = await items.readOne('1');
      await apply(statements);
      await items.embedding.markAnnounced(items.space, dispatchId, ['1'], 3600);

      await items.outcomes.writeResult(
        items.space,
        buildResult(
          items.space,
          dispatchId,
          kind === 'outcome'
            ? { calls: [buildCall()], outcomes: [embedded(reading, [1, 0, 0], ONE)] }
            : { copies: [copyOf(reading, TWO)] },
        ),
      );

      expect(await items.leases()).toMatchObject([{ id: '1', stage: 'queued', attempts: 0, live: false }]);
      expect(await embedNext()).toEqual(['1']);
      expect(await items.stored()).toMatchObject([{ id: '1', vector: '[9,9,9]' }, { id: '2' }]);
      expect(await items.leases()).toEqual([]);
      expect((await items.leaseSlice()).rows).toEqual([]);
    },
  );

  it('between reading and touching is dispatched again at once', async () => {
    await prepare();
    await items.run('DELETE FROM freshet.leases');
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), {
        outcomes: [embedded(await items.readOne('1'), [1, 0, 0], ONE)],
      }),
    );
    await items.run('UPDATE public.ai_items SET updated_at = now() WHERE id = 1');
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    const reading = await items.readOne('1');
    await apply(statements);

    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { touches: [touchOf(reading, ONE)] }),
    );

    expect(await items.leases()).toMatchObject([{ id: '1', live: false }]);
    expect(await embedNext()).toEqual(['1']);
    expect((await items.leaseSlice()).rows).toEqual([]);
  });

  it('while embed finds nothing to embed keeps an expired lease', async () => {
    await prepare();
    await items.run('DELETE FROM freshet.leases');
    const dispatchId = randomUUID();
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), {
        outcomes: [embedded(await items.readOne('1'), [1, 0, 0], ONE)],
      }),
    );
    await items.run(`UPDATE freshet.${items.space.vectorTable} SET source_xid = NULL WHERE item_id = 1`);
    await items.leaseSlice({ dispatchId });
    await apply(statements);

    await items.embedding.dropLeases(items.space, dispatchId, ['1']);

    expect(await embedNext()).toEqual(['1']);
  });
});

describe('a row that is deleted', () => {
  it('between reading and writing writes nothing and loses its lease', async () => {
    const dispatchId = await prepare();
    const reading = await items.readOne('1');
    await items.run('DELETE FROM public.ai_items WHERE id = 1');

    const reports = [
      await items.outcomes.writeResult(
        items.space,
        buildResult(items.space, dispatchId, { outcomes: [embedded(reading, [1, 0, 0], ONE)] }),
      ),
      await items.outcomes.writeResult(
        items.space,
        buildResult(items.space, dispatchId, { copies: [copyOf(reading, TWO)] }),
      ),
    ];

    expect(reports).toMatchObject([
      { embedded: 0, overtaken: 1 },
      { copied: 0, overtaken: 1 },
    ]);
    expect((await items.stored()).map(row => row.id)).toEqual(['2']);
    expect(await items.leases()).toEqual([]);
  });

  it('before it is read is not in the reading, and dropping its lease ends it', async () => {
    const dispatchId = await prepare();
    await items.run('DELETE FROM public.ai_items WHERE id = 1');

    const readings = await items.read('1', '2');
    await items.embedding.dropLeases(items.space, dispatchId, ['1']);

    expect(readings.map(reading => reading.id)).toEqual(['2']);
    expect(await items.leases()).toEqual([]);
  });
});
