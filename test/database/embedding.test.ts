import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createControlStore } from '../../lib/adapters/sql/control-store.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { buildHash, buildResult, embedded } from '../factories/result-object.ts';
import { openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

describe('readRows', () => {
  it('reads texts, version and row version as text, microseconds kept', async () => {
    const items = await openSpace(db);
    await items.run(`INSERT INTO public.ai_items VALUES
      (1, 'a "title"', NULL, ARRAY['x', NULL, 'y,z'], '2026-03-01 10:20:30.123456+02')`);

    const [reading] = await items.read('1', '404');

    expect(reading).toMatchObject({
      id: '1',
      version: '2026-03-01 08:20:30.123456+00',
      xid: expect.stringMatching(/^\d+$/),
      readAt: expect.stringMatching(/^\d{4}-.*\+00$/),
      columns: ['a "title"', null, 'x, y,z'],
      textLength: 15,
      cut: false,
      stored: null,
    });
  });

  it.each([
    ['bigint', '9007199254740993'],
    ['integer', '7'],
    ['uuid', '0b0e7a5c-6a0f-4a53-8f0e-0a3b3f7f0001'],
    ['text COLLATE "C"', `it's {"a",b\\c}`],
    ['varchar(12)', 'NULL'],
    ['text', 'naïve 🦊'],
  ])('takes keys of type %s as text', async (keyType, id) => {
    const items = await openSpace(db, { keyType, key: 'the "Key"' });
    await items.run(
      `INSERT INTO public.ai_items ("the ""Key""", title, updated_at) VALUES ('${id.replaceAll("'", "''")}', 't', now())`,
    );
    const dispatchId = randomUUID();

    const { rows } = await items.leaseSlice({ dispatchId });
    const begun = await items.embedding.beginEmbedding(items.space, dispatchId, [id]);
    const readings = await items.read(...begun);
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { outcomes: readings.map(r => embedded(r, [1, 2, 3])) }),
    );

    expect(rows.map(row => row.id)).toEqual([id]);
    expect(await items.stored()).toMatchObject([{ id, vector: '[1,2,3]' }]);
    expect(await items.leases()).toEqual([]);
    expect((await items.leaseSlice()).rows).toEqual([]);
  });

  it('cuts a text over the limit in SQL and says so, and counts its uncut length', async () => {
    const items = await openSpace(db);
    await items.run(`INSERT INTO public.ai_items (id, title, summary) VALUES
      (1, repeat('ab', 600000), 'short'), (2, repeat('ü', 60), NULL), (3, repeat('x', 100), NULL)`);

    const [long, wide, exact] = await items.embedding.readRows(items.space, ['1', '2', '3'], 100);

    expect(long).toMatchObject({ textLength: 1_200_005, cut: true });
    expect(long?.columns[0]).toBe('ab'.repeat(50));
    expect(wide).toMatchObject({ columns: ['ü'.repeat(60), null, null], textLength: 60, cut: false });
    expect(exact).toMatchObject({ cut: false });
  });

  it('gives the outcome as it is stored', async () => {
    const items = await openSpace(db);
    await items.run(`INSERT INTO public.ai_items (id, title, updated_at) VALUES (1, 't', NULL)`);
    const reading = await items.readOne('1');
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(reading, [1, 2, 3], buildHash(7))] }),
    );

    const again = await items.readOne('1');

    expect(again.stored).toEqual({
      outcome: 'embedded',
      contentHash: buildHash(7),
      version: null,
      xid: reading.xid,
      keptLength: 9,
      tokens: 3,
    });
  });

  it('wins with its stamp after the clock stepped back', async () => {
    const items = await openSpace(db);
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES (1, 't')`);
    const first = await items.readOne('1');
    const ahead = { ...first, readAt: '2099-01-01 00:00:00.999999+00' };
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(ahead, [1, 0, 0])] }),
    );

    const reading = await items.readOne('1');
    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(reading, [0, 1, 0])] }),
    );

    expect(reading.readAt).toBe('2099-01-01 00:00:01+00');
    expect(report).toMatchObject({ embedded: 1, overtaken: 0 });
    expect(await items.stored()).toMatchObject([{ vector: '[0,1,0]' }]);
  });
});

describe('leases in the hands of embed', () => {
  async function leased(ids: readonly string[] = ['1', '2']) {
    const items = await openSpace(db);
    for (const id of ids) await items.run(`INSERT INTO public.ai_items (id, title) VALUES (${id}, 't')`);
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    await items.detection.confirmSent(items.space, dispatchId, ids, 3600);
    return { items, dispatchId };
  }

  it('begins rows of its dispatch, expired ones too, and no others', async () => {
    const { items, dispatchId } = await leased(['1', '2', '3']);
    await items.run(`UPDATE freshet.leases SET expires_at = now() - interval '1 hour' WHERE item_id = '1'`);
    await items.run(`UPDATE freshet.leases SET stage = 'announced' WHERE item_id = '2'`);
    await items.run(`UPDATE freshet.leases SET dispatch_id = '${randomUUID()}' WHERE item_id = '3'`);

    const begun = await items.embedding.beginEmbedding(items.space, dispatchId, ['1', '1', '2', '3', '4']);

    expect(begun).toEqual(['1']);
    expect(await items.leases()).toMatchObject([
      { id: '1', stage: 'embedding', live: true },
      { id: '2', stage: 'announced' },
      { id: '3', stage: 'queued' },
    ]);
  });

  it('announces what was begun and leaves what the writer gave back', async () => {
    const { items, dispatchId } = await leased();
    await items.embedding.beginEmbedding(items.space, dispatchId, ['1', '2']);
    await items.run(`UPDATE freshet.leases SET stage = 'queued', expires_at = now() WHERE item_id = '2'`);

    await items.embedding.markAnnounced(items.space, dispatchId, ['1', '2'], 7200);

    expect(await items.leases()).toMatchObject([
      { id: '1', stage: 'announced', secondsLeft: 7200 },
      { id: '2', stage: 'queued', live: false },
    ]);
  });

  it('postpones without counting an attempt', async () => {
    const { items, dispatchId } = await leased();
    await items.embedding.beginEmbedding(items.space, dispatchId, ['1', '2']);

    await items.embedding.postponeLeases(items.space, dispatchId, ['1'], 0);
    const { rows } = await items.leaseChanged(null);

    expect(rows).toMatchObject([{ id: '1', attempts: 0 }]);
  });

  it('drops the leases of rows that are fresh or gone', async () => {
    const { items, dispatchId } = await leased();
    await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, randomUUID(), { outcomes: [embedded(await items.readOne('1'), [1, 0, 0])] }),
    );
    await items.run('DELETE FROM public.ai_items WHERE id = 2');

    await items.embedding.dropLeases(items.space, dispatchId, ['1', '2']);

    expect(await items.leases()).toEqual([]);
  });

  it('keeps a grant until it is revoked', async () => {
    const { items } = await leased();
    const callId = randomUUID();
    const grant = {
      callId,
      spaceId: items.space.spaceId,
      modelAlias: 'small',
      estimatedTokens: 10,
      estimatedCostUsd: 0.001,
    };
    await items.embedding.grantCall(items.space, grant);
    await items.embedding.grantCall(items.space, grant);
    const granted = await items.select('SELECT estimated_tokens::int AS tokens FROM freshet.grants');

    await items.embedding.revokeGrant(callId);

    expect(granted).toEqual([{ tokens: 10 }]);
    expect(await items.select('SELECT FROM freshet.grants')).toEqual([]);
  });

  it('refuses a grant while the pipeline, the model or the source is paused, and says by what', async () => {
    const { items } = await leased();
    const control = createControlStore(items.db);
    const { model, source } = items.space;
    const grant = (callId: string) =>
      items.embedding.grantCall(items.space, {
        ...{ callId, spaceId: items.space.spaceId, modelAlias: model.alias },
        ...{ estimatedTokens: 10, estimatedCostUsd: 0.001 },
      });
    await control.pause('model:another', 'operator', '');
    await control.pause(`source:${source.name}`, 'orphans:confirmed', '');
    const free = await grant(randomUUID());
    const refusals = [];
    for (const scope of ['pipeline', `model:${model.alias}`, `source:${source.name}`]) {
      await control.pause(scope, 'operator', '');
      refusals.push(await grant(randomUUID()));
      await control.resume(scope, 'operator');
    }

    expect(free).toBeUndefined();
    expect(refusals.map(refusal => refusal?.scope)).toEqual([
      'pipeline',
      `model:${model.alias}`,
      `source:${source.name}`,
    ]);
    expect(refusals.map(refusal => refusal?.reason)).toEqual(['operator', 'operator', 'operator']);
    expect(await items.select('SELECT FROM freshet.grants')).toHaveLength(1);
  });
});
