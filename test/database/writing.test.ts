import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import {
  buildCall,
  buildHash,
  buildResult,
  copyOf,
  embedded,
  notEmbedded,
  touchOf,
} from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let items: OpenedSpace;
const [ONE, TWO] = [buildHash(1), buildHash(2)];

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
  await items.run(`INSERT INTO public.ai_items (id, title, updated_at)
    SELECT n, 'text ' || n, '2026-01-01 00:00:00.123456+00' FROM generate_series(1, 3) AS n`);
});
afterEach(() => db.close());

/** Leases everything stale under one dispatch, as embed would have it after announcing. */
async function dispatch(...ids: string[]): Promise<string> {
  const dispatchId = randomUUID();
  await items.leaseSlice({ dispatchId });
  await items.embedding.beginEmbedding(items.space, dispatchId, ids);
  await items.embedding.markAnnounced(items.space, dispatchId, ids, 3600);
  return dispatchId;
}

/** Row 1 holds vector [1,0,0] with hash ONE, and nothing is leased. */
async function embedFirst(): Promise<void> {
  const dispatchId = await dispatch('1');
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, dispatchId, { outcomes: [embedded(await items.readOne('1'), [1, 0, 0], ONE)] }),
  );
  await items.run('DELETE FROM freshet.leases');
}

describe('writeResult', () => {
  it('stores vectors and other outcomes, settles the calls and deletes the leases', async () => {
    const dispatchId = await dispatch('1', '2', '3');
    const [one, two, three] = [await items.readOne('1'), await items.readOne('2'), await items.readOne('3')];
    const call = buildCall({ requestId: 'req "1"', tokens: 42 });
    await items.embedding.grantCall(items.space, {
      callId: call.callId,
      spaceId: items.space.spaceId,
      modelAlias: 'small',
      estimatedTokens: 50,
      estimatedCostUsd: 0.5,
    });

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, {
        calls: [call],
        outcomes: [
          embedded(three, [0.25, -1.5, 3], TWO),
          notEmbedded(two, 'excluded:empty'),
          notEmbedded(one, 'refused:content_policy', ONE),
        ],
        verdicts: [{ contentHash: ONE, failureClass: 'item', code: 'content_policy' }],
      }),
    );

    expect(report).toEqual({
      repeated: false,
      embedded: 1,
      copied: 0,
      touched: 0,
      excluded: 1,
      failed: 1,
      overtaken: 0,
    });
    const version = '2026-01-01 00:00:00.123456+00';
    expect(await items.stored()).toEqual([
      {
        id: '1',
        outcome: 'refused:content_policy',
        vector: null,
        version,
        hash: ONE,
        missing: false,
        tokens: 3,
      },
      { id: '2', outcome: 'excluded:empty', vector: null, version, hash: null, missing: false, tokens: 3 },
      {
        id: '3',
        outcome: 'embedded',
        vector: '[0.25,-1.5,3]',
        version,
        hash: TWO,
        missing: false,
        tokens: 3,
      },
    ]);
    expect(await items.leases()).toEqual([]);
    expect(await items.select('SELECT call_id FROM freshet.grants')).toEqual([]);
    expect(
      await items.select('SELECT request_id, tokens::int, cost_usd, run_id FROM freshet.ledger'),
    ).toEqual([{ request_id: 'req "1"', tokens: 42, cost_usd: 0.25, run_id: null }]);
    expect(await items.embedding.lookUpHashes(items.space, [ONE, TWO, buildHash(9)])).toEqual({
      embedded: new Set([TWO]),
      refused: new Map([[ONE, 'content_policy']]),
    });
    expect((await items.leaseSlice()).rows).toEqual([]);
  });

  it('counts a text over the limit as left out, as the coverage does, and not as failed', async () => {
    const dispatchId = await dispatch('1', '2');
    const [one, two] = [await items.readOne('1'), await items.readOne('2')];

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, {
        outcomes: [notEmbedded(one, 'too-long'), notEmbedded(two, 'undelivered:http_503', TWO)],
      }),
    );

    expect(report).toMatchObject({ embedded: 0, excluded: 1, failed: 1, overtaken: 0 });
  });

  it('changes nothing when the calls of the object are in the ledger already', async () => {
    const dispatchId = await dispatch('1');
    const result = buildResult(items.space, dispatchId, {
      calls: [buildCall()],
      outcomes: [embedded(await items.readOne('1'), [1, 0, 0])],
    });
    await items.outcomes.writeResult(items.space, result);
    await items.run(`UPDATE public.ai_items SET title = 'edited', updated_at = now() WHERE id = 1`);
    const before = await items.select(`SELECT xmin::text, * FROM freshet.${items.space.vectorTable}`);

    const report = await items.outcomes.writeResult(items.space, result);

    expect(report).toMatchObject({ repeated: true, embedded: 0, overtaken: 0 });
    expect(await items.select(`SELECT xmin::text, * FROM freshet.${items.space.vectorTable}`)).toEqual(
      before,
    );
  });

  it('lets the guard decide about an object without calls that comes twice', async () => {
    await embedFirst();
    const dispatchId = await dispatch('2');
    const result = buildResult(items.space, dispatchId, { copies: [copyOf(await items.readOne('2'), ONE)] });

    const reports = [
      await items.outcomes.writeResult(items.space, result),
      await items.outcomes.writeResult(items.space, result),
    ];

    expect(reports.map(report => [report.repeated, report.copied])).toEqual([
      [false, 1],
      [false, 1],
    ]);
    expect((await items.leases()).map(lease => lease.id)).toEqual(['3']);
  });

  it('writes an id that stands twice once, by its latest reading', async () => {
    const dispatchId = await dispatch('1');
    const earlier = await items.readOne('1');
    await items.run(`UPDATE public.ai_items SET title = 'edited', updated_at = now() WHERE id = 1`);
    const later = await items.readOne('1');

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, {
        outcomes: [embedded(later, [0, 2, 0], TWO), embedded(earlier, [1, 0, 0], ONE)],
        copies: [copyOf(earlier, TWO)],
        touches: [touchOf(earlier, TWO)],
      }),
    );

    expect(report).toMatchObject({ embedded: 1, copied: 0, touched: 0, overtaken: 0 });
    expect(await items.stored()).toMatchObject([{ id: '1', vector: '[0,2,0]', version: later.version }]);
    expect(await items.leases()).not.toContainEqual(expect.objectContaining({ id: '1' }));
  });

  it('keeps the later result when an older one arrives after it', async () => {
    const first = await dispatch('1');
    const older = await items.readOne('1');
    await items.run(`UPDATE public.ai_items SET title = 'edited', updated_at = '2025-01-01' WHERE id = 1`);
    const newer = await items.readOne('1');
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(newer, [0, 2, 0], TWO)] }),
    );

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, first, { calls: [buildCall()], outcomes: [embedded(older, [1, 0, 0], ONE)] }),
    );

    expect(report).toMatchObject({ embedded: 0, overtaken: 1 });
    expect(await items.stored()).toMatchObject([{ vector: '[0,2,0]', version: newer.version }]);
    expect((await items.leases()).map(lease => lease.id)).toEqual(['2', '3']);
  });

  it('touches only the outcome whose hash was compared', async () => {
    await embedFirst();
    await items.run(`UPDATE public.ai_items SET updated_at = now() WHERE id = 1`);
    const reading = await items.readOne('1');
    await items.run(
      `UPDATE freshet.${items.space.vectorTable} SET content_hash = decode('${TWO}', 'hex') WHERE item_id = 1`,
    );
    const dispatchId = await dispatch('1');

    const missed = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { touches: [touchOf(reading, ONE)] }),
    );
    const leases = await items.leases();
    const found = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { touches: [touchOf(reading, TWO)] }),
    );

    expect(missed).toMatchObject({ touched: 0, overtaken: 1 });
    expect(leases).toContainEqual(
      expect.objectContaining({ id: '1', stage: 'queued', attempts: 0, live: false }),
    );
    expect(found).toMatchObject({ touched: 1, overtaken: 0 });
    expect(await items.stored()).toMatchObject([{ version: reading.version, vector: '[1,0,0]' }]);
    expect(await items.leases()).not.toContainEqual(expect.objectContaining({ id: '1' }));
  });

  it('does not touch with a reading that is older than the stored one', async () => {
    await embedFirst();
    const older = await items.readOne('1');
    await items.run(`UPDATE public.ai_items SET updated_at = now() WHERE id = 1`);
    const newer = await items.readOne('1');
    const write = (reading: typeof older) =>
      items.outcomes.writeResult(
        items.space,
        buildResult(items.space, randomUUID(), { touches: [touchOf(reading, ONE)] }),
      );
    await write(newer);

    const report = await write(older);

    expect(report).toMatchObject({ touched: 0, overtaken: 1 });
    expect(await items.stored()).toMatchObject([{ version: newer.version }]);
  });

  it('copies the vector of a hash, also one that the same object brought', async () => {
    const dispatchId = await dispatch('1', '2');
    const [one, two] = [await items.readOne('1'), await items.readOne('2')];

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, {
        outcomes: [embedded(one, [1, 0, 0], ONE)],
        copies: [copyOf(two, ONE)],
      }),
    );

    expect(report).toMatchObject({ embedded: 1, copied: 1, overtaken: 0 });
    expect(await items.stored()).toMatchObject([
      { id: '1', vector: '[1,0,0]', hash: ONE },
      { id: '2', vector: '[1,0,0]', hash: ONE, tokens: 3 },
    ]);
  });

  it('gives the row back when nobody holds the hash of its copy any more', async () => {
    const dispatchId = await dispatch('2');

    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { copies: [copyOf(await items.readOne('2'), ONE)] }),
    );

    expect(report).toMatchObject({ copied: 0, overtaken: 1 });
    expect(await items.stored()).toEqual([]);
    expect((await items.leaseChanged(null)).rows).toMatchObject([{ id: '2', attempts: 0 }]);
  });

  it('takes the mark of a missing row away', async () => {
    await embedFirst();
    await items.run(`UPDATE freshet.${items.space.vectorTable} SET missing_since = now()`);

    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { touches: [touchOf(await items.readOne('1'), ONE)] }),
    );

    expect(await items.stored()).toMatchObject([{ missing: false }]);
  });

  it('leaves leases of another dispatch alone', async () => {
    await dispatch('1');

    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(await items.readOne('1'), [1, 0, 0])] }),
    );

    expect((await items.leases()).map(lease => [lease.id, lease.live])).toEqual([
      ['1', true],
      ['2', true],
      ['3', true],
    ]);
  });

  it('rejects vectors of another length and writes nothing', async () => {
    const dispatchId = await dispatch('1', '2');
    const wrong = { ...items.space, model: { ...items.space.model, dimensions: 4 } };
    const result = buildResult(wrong, dispatchId, {
      calls: [buildCall()],
      outcomes: [
        embedded(await items.readOne('1'), [1, 0, 0, 0]),
        embedded(await items.readOne('2'), [0, 1, 0, 0]),
      ],
    });

    const writing = items.outcomes.writeResult(items.space, result);

    await expect(writing).rejects.toMatchObject({ code: 'sqlstate_22000' });
    expect(await items.stored()).toEqual([]);
    expect(await items.select('SELECT call_id FROM freshet.ledger')).toEqual([]);
  });

  it('records a call that gave nothing', async () => {
    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { calls: [buildCall({ outcome: 'transient:http_503' })] }),
    );

    expect(report).toMatchObject({ repeated: false, embedded: 0, overtaken: 0 });
    expect(await items.select('SELECT outcome FROM freshet.ledger')).toEqual([
      { outcome: 'transient:http_503' },
    ]);
  });

  it('counts a verdict that comes again', async () => {
    const verdict = { contentHash: ONE, failureClass: 'item', code: 'content_policy' } as const;
    const write = () =>
      items.outcomes.writeResult(
        items.space,
        buildResult(items.space, randomUUID(), { verdicts: [verdict, verdict] }),
      );
    await write();

    await write();

    expect(await items.select('SELECT attempts FROM freshet.failures')).toEqual([{ attempts: 2 }]);
  });
});

describe('areRecorded', () => {
  it('is true once all of the calls are in the ledger, however often each is named', async () => {
    const [bought, lost, never] = [buildCall(), buildCall({ outcome: 'transient:http_503' }), buildCall()];
    const write = (...calls: ReturnType<typeof buildCall>[]) =>
      items.outcomes.writeResult(items.space, buildResult(items.space, randomUUID(), { calls }));
    const areRecorded = (...calls: { readonly callId: string }[]) =>
      items.outcomes.areRecorded(calls.map(({ callId }) => callId));
    expect(await areRecorded(bought)).toBe(false);

    await write(bought);
    await write(lost);

    expect(await areRecorded(bought)).toBe(true);
    expect(await areRecorded(bought, lost)).toBe(true);
    expect(await areRecorded(bought, bought)).toBe(true);
    expect(await areRecorded(bought, never)).toBe(false);
    expect(await areRecorded(never)).toBe(false);
  });
});

describe('expireLeases', () => {
  it('frees the rows of a lost object and counts the attempt at the next lease', async () => {
    const dispatchId = await dispatch('1');

    await items.outcomes.expireLeases(items.space, dispatchId, ['1']);

    const { rows } = await items.leaseChanged(null);
    expect(rows).toMatchObject([{ id: '1', attempts: 1 }]);
  });
});
