import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { SourceReading } from '../../lib/ports/outcome-store.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildCall, buildHash, buildResult, copyOf, embedded, touchOf } from '../factories/result-object.ts';

let db: SqlDatabase;
let items: OpenedSpace;

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
});
afterEach(() => db.close());

describe('two writers', () => {
  it('of one object: the second waits for the ledger and changes nothing', async () => {
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES (1, 't')`);
    const result = buildResult(items.space, randomUUID(), {
      calls: [buildCall(), buildCall()],
      outcomes: [embedded(await items.readOne('1'), [1, 0, 0])],
    });

    const reports = await Promise.all([
      items.outcomes.writeResult(items.space, result),
      items.outcomes.writeResult(items.space, result),
      items.outcomes.writeResult(items.space, result),
    ]);

    expect(reports.map(report => report.embedded).sort()).toEqual([0, 0, 1]);
    expect(reports.filter(report => report.repeated)).toHaveLength(2);
  });

  it('of overlapping objects in any order and role end with the latest reading and no deadlock', async () => {
    const rows = 60;
    await items.run(
      `INSERT INTO public.ai_items (id, title) SELECT n, 't' FROM generate_series(1, ${rows}) AS n`,
    );
    const ids = Array.from({ length: rows }, (_, place) => String(place + 1));
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), {
        outcomes: (await items.read(...ids)).map(reading => embedded(reading, [0, 0, 1], buildHash(1))),
      }),
    );
    const shuffle = (seed: number) =>
      fc.sample(fc.shuffledSubarray(ids, { minLength: rows, maxLength: rows }), { seed, numRuns: 1 })[0] ??
      ids;

    const objects = await Promise.all(
      Array.from({ length: 40 }, async (_, round) => {
        const readings = await items.read(...shuffle(round));
        const order = shuffle(100 + round);
        readings.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
        return {
          readings,
          result: buildResult(items.space, randomUUID(), {
            calls: [buildCall()],
            outcomes: readings.slice(0, 30).map(reading => embedded(reading, [1, 0, round], buildHash(1))),
            copies: readings.slice(30, 45).map(reading => copyOf(reading, buildHash(1))),
            touches: readings.slice(45).map(reading => touchOf(reading, buildHash(1))),
          }),
        };
      }),
    );
    await Promise.all(objects.map(({ result }) => items.outcomes.writeResult(items.space, result)));

    const stored = await items.select<{ id: string; readAt: string }>(
      `SELECT item_id::text AS id, read_at::text AS "readAt" FROM freshet.${items.space.vectorTable} ORDER BY item_id`,
    );
    const latest = await sql<{ readAt: string }>`SELECT max(u.at)::text AS "readAt" FROM unnest(${`{${objects
      .flatMap(object => object.readings.map(reading => `"${reading.readAt}"`))
      .join(',')}}`}::timestamptz[]) AS u (at)`.execute(db.kysely);
    const now = latest.rows[0]?.readAt ?? '';
    expect(stored).toHaveLength(rows);
    expect(new Set(stored.map(row => row.readAt))).toEqual(new Set([now]));
  });
});

describe('any history of edits and passes', () => {
  /** The vector that a text deserves. */
  function vectorOf(text: string): number[] {
    return [...createHash('sha256').update(text).digest().subarray(0, 3)];
  }
  const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
  const textOf = (reading: SourceReading) => reading.columns[0] ?? '';

  /** One pass of everything: lease, read, decide, write. Deadlocks and serialisation failures are the pipeline's to retry. */
  async function pass(bulk: boolean): Promise<number> {
    const dispatchId = randomUUID();
    const { rows } = bulk
      ? await items.leaseSlice({ dispatchId })
      : await items.leaseChanged('2000-01-01', { dispatchId });
    if (rows.length === 0) return 0;
    const begun = await items.embedding.beginEmbedding(
      items.space,
      dispatchId,
      rows.map(row => row.id),
    );
    const readings = await items.read(...begun);
    const { embedded: known } = await items.embedding.lookUpHashes(
      items.space,
      readings.map(reading => hashOf(textOf(reading))),
    );
    const touches = readings.filter(reading => reading.stored?.contentHash === hashOf(textOf(reading)));
    const rest = readings.filter(reading => !touches.includes(reading));
    const copies = rest.filter(reading => known.has(hashOf(textOf(reading))));
    const bought = rest.filter(reading => !copies.includes(reading));
    await items.embedding.markAnnounced(items.space, dispatchId, begun, 3600);
    await items.embedding.dropLeases(
      items.space,
      dispatchId,
      begun.filter(id => !readings.some(reading => reading.id === id)),
    );
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, {
        calls: bought.length > 0 ? [buildCall()] : [],
        outcomes: bought.map(reading =>
          embedded(reading, vectorOf(textOf(reading)), hashOf(textOf(reading))),
        ),
        copies: copies.map(reading => copyOf(reading, hashOf(textOf(reading)))),
        touches: touches.map(reading => touchOf(reading, hashOf(textOf(reading)))),
      }),
    );
    return rows.length;
  }

  const edit = fc.record({
    id: fc.integer({ min: 1, max: 8 }),
    text: fc.constantFrom('alpha', 'beta', 'gamma'),
    kind: fc.constantFrom('edit', 'silent', 'touch', 'delete', 'backwards', 'null'),
  });

  async function apply({ id, text, kind }: { id: number; text: string; kind: string }): Promise<void> {
    const version =
      { silent: 'ai_items.updated_at', backwards: `'2001-01-01'`, null: 'NULL' }[kind] ?? 'now()';
    await items.run(
      kind === 'delete'
        ? `DELETE FROM public.ai_items WHERE id = ${id}`
        : kind === 'touch'
          ? `UPDATE public.ai_items SET updated_at = now() WHERE id = ${id}`
          : `INSERT INTO public.ai_items (id, title) VALUES (${id}, '${text}')
             ON CONFLICT (id) DO UPDATE SET title = excluded.title, updated_at = ${version}`,
    );
  }

  it('ends with the vector of each row’s last text and no lease', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 10, maxLength: 60 }), async edits => {
        const editing = (async () => {
          for (const step of edits) await apply(step);
        })();
        const passing = [true, false, true].map(async bulk => {
          for (let round = 0; round < 6; round += 1) await pass(bulk);
        });
        await Promise.all([editing, ...passing]);
        await items.run('UPDATE freshet.leases SET expires_at = now()');
        let quiet = 0;
        for (let round = 0; quiet < 2 && round < 20; round += 1) {
          quiet = (await pass(false)) + (await pass(true)) === 0 ? quiet + 1 : 0;
        }

        const source = await items.select<{ id: string; title: string }>(
          'SELECT s.id::text AS id, s.title FROM public.ai_items AS s ORDER BY s.id',
        );
        const stored = (await items.stored()).filter(row => source.some(({ id }) => id === row.id));
        expect(quiet).toBe(2);
        expect(await items.leases()).toEqual([]);
        expect(stored.map(row => [row.id, row.vector])).toEqual(
          source.map(row => [row.id, `[${vectorOf(row.title).join(',')}]`]),
        );
      }),
      { numRuns: 25 },
    );
  });

  it('turns a deadlock into a failure that may be tried again', async () => {
    const failure = await db.kysely
      .transaction()
      .execute(async transaction => {
        await sql`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$`.execute(transaction);
      })
      .catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(FreshetError);
    expect(failure).toMatchObject({ failureClass: 'transient', code: 'sqlstate_40P01' });
  });
});
