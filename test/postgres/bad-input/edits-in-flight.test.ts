import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CANARY,
  createItems,
  embedded,
  openWorkbench,
  type Workbench,
  withoutVector,
} from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
  bench.configure({});
});
afterEach(() => bench.close());

const text = (id: number, version = 'first') => `${CANARY} ${id} ${version}`;
const numbered = Array.from({ length: 7 }, (_, place) => text(place + 1));

/** Runs the statements while the first call is open: after the texts were read, before the vectors are written. */
function duringFirstCall(statements: readonly string[]): void {
  bench.server.setBehaviour(async (_call, before) => {
    if (before === 0) for (const statement of statements) await bench.query(statement);
    return { kind: 'embed' };
  });
}

describe('a row edited, edited twice in one second, touched, reverted, emptied or deleted while its batch is in flight', () => {
  it.each(['timestamptz', 'timestamptz(0)'])(
    'ends with the vector of its last text, or the right outcome (%s)',
    async type => {
      await createItems(bench, numbered, { updatedAt: type });
      duringFirstCall([
        `UPDATE items SET body = '${text(1, 'edited')}', updated_at = now() WHERE id = 1`,
        // Both in the second in which the row was made.
        `UPDATE items SET body = '${text(2, 'passing')}' WHERE id = 2`,
        `UPDATE items SET body = '${text(2, 'edited twice')}' WHERE id = 2`,
        `UPDATE items SET updated_at = now() + interval '1 second' WHERE id = 3`,
        `UPDATE items SET body = 'x', updated_at = now() + interval '1 second' WHERE id = 4`,
        `UPDATE items SET body = '${text(4)}', updated_at = now() + interval '2 seconds' WHERE id = 4`,
        `UPDATE items SET body = ' ', updated_at = now() + interval '1 second' WHERE id = 5`,
        'DELETE FROM items WHERE id = 6',
      ]);

      const run = await bench.run();

      expect(run.code).toBe(0);
      expect(run.spaces[0]).toMatchObject({ eligible: 6, fresh: 5, excluded: 1, stale: 0, inFlight: 0 });
      expect(await bench.stored()).toEqual([
        embedded(1, text(1, 'edited')),
        embedded(2, text(2, 'edited twice')),
        embedded(3, text(3)),
        embedded(4, text(4)),
        withoutVector(5, 'excluded:empty'),
        embedded(7, text(7)),
      ]);
      // Seven texts, and the two that were edited; what was touched or reverted is not bought twice.
      expect(bench.server.textCount).toBe(9);
      expect(await bench.query('SELECT FROM freshet.leases')).toEqual([]);
      expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    },
  );

  it('a row edited during every call for it is embedded once the edits end', async () => {
    await createItems(bench, numbered);
    bench.server.setBehaviour(async (_call, before) => {
      if (before < 8)
        await bench.query(
          `UPDATE items SET body = '${text(1, String(before))}', updated_at = now() WHERE id = 1`,
        );
      return { kind: 'embed' };
    });

    expect(await bench.run()).toMatchObject({ code: 0, failed: 0 });
    expect(await bench.stored()).toEqual([
      embedded(1, text(1, '7')),
      ...numbered.slice(1).map((value, place) => embedded(place + 2, value)),
    ]);
  });

  it('a row deleted and inserted again with another text has the vector of the new one', async () => {
    await createItems(bench, numbered);
    duringFirstCall([
      'DELETE FROM items',
      `INSERT INTO items (id, body) SELECT n, '${CANARY} again ' || n FROM generate_series(1, 7) n`,
    ]);

    expect(await bench.run()).toMatchObject({ code: 0 });
    expect(await bench.stored()).toEqual(
      numbered.map((_, place) => embedded(place + 1, `${CANARY} again ${place + 1}`)),
    );
  });

  it('a row whose edit is committed late, by a transaction that was open all along, is not missed', async () => {
    await createItems(bench, numbered);
    const late = await bench.beginTransaction();
    await late.query(`UPDATE items SET body = '${text(1, 'late')}', updated_at = now() WHERE id = 1`);
    bench.server.setBehaviour(async (_call, before) => {
      if (before === 0) await late.commit();
      return { kind: 'embed' };
    });

    expect(await bench.run()).toMatchObject({ code: 0 });
    expect((await bench.stored())[0]).toEqual(embedded(1, text(1, 'late')));
  });
});
