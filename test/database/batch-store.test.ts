import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createBatchStore } from '../../lib/adapters/sql/batch-store.ts';
import { countHeldElsewhere } from '../../lib/adapters/sql/coverage.ts';
import { settleLostCalls } from '../../lib/adapters/sql/grants.ts';
import type { BatchStore } from '../../lib/ports/batches.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { leaseRow } from '../factories/logged-twin.ts';
import { openTwin } from '../twin/open-twin.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

const db = await openTestDatabase();
const opened = await openSpace(db);
const { space } = opened;
const DISPATCH = '00000000-0000-4000-8000-00000000000d';
const ROWS = ['1', '2', '3', '4', '5', '6', '7', '8'];

const hashOf = (number: number) => number.toString(16).padStart(64, '0');
const batchIdOf = (number: number) => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

async function openPair(seed: number) {
  await opened.run('TRUNCATE freshet.batches, freshet.batch_texts, freshet.batch_holds, freshet.leases');
  await opened.run('TRUNCATE freshet.grants, freshet.ledger, public.ai_items');
  await opened.run(
    `INSERT INTO public.ai_items (id, title, updated_at) SELECT n, 't', '2026-01-01' FROM generate_series(1, 8) AS n`,
  );
  const randomness = createSeededRandomness(seed);
  const { twin, stores } = openTwin([space], {
    now: () => 1_800_000_000_000_000,
    newIdentifier: randomness.identifier,
    horizonMarginSeconds: 60,
  });
  for (const id of ROWS) {
    leaseRow(twin, space, id, { dispatchId: DISPATCH, lane: 'bulk', stage: 'embedding', runId: 7 });
    await opened.run(
      `INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, run_id, expires_at)
       VALUES (${space.spaceId}, '${id}', '${DISPATCH}', 'bulk', 'embedding', 7, now() + interval '1 hour')`,
    );
  }
  return { twin, randomness, real: createBatchStore(db), model: stores.batches as unknown as BatchStore };
}

type Pair = Awaited<ReturnType<typeof openPair>>;

/** Everything that the lane keeps, without the times. */
async function readReal() {
  const texts =
    await opened.select(`SELECT encode(content_hash, 'hex') AS hash, state, batch_id::text AS batch, paid,
    beside, encode(vector, 'hex') AS vector FROM freshet.batch_texts ORDER BY 1`);
  const batches =
    await opened.select(`SELECT batch_id::text AS batch, state, outcome, texts, tokens::int AS tokens,
    file_ids AS files, input_file_id AS input, provider_batch_id AS provider, cancelled_at IS NOT NULL AS cancelled,
    released_at IS NOT NULL AS released, looks_at_end AS looks, next_look_at <= now() AS due
    FROM freshet.batches ORDER BY 1`);
  const leases = await opened.select(`SELECT item_id AS id, stage, run_id AS run, expires_at > now() AS live,
    encode(waits_for, 'hex') AS "waitsFor", waits_version AS version FROM freshet.leases ORDER BY 1`);
  const ledger = await opened.select(`SELECT call_id::text AS call, items, tokens::int AS tokens,
    round(cost_usd::numeric, 9)::float8 AS cost FROM freshet.ledger ORDER BY 1`);
  const grants = await opened.select(`SELECT call_id::text AS call, estimated_tokens::int AS tokens
    FROM freshet.grants ORDER BY 1`);
  return { texts, batches, leases, ledger, grants };
}

function readTwin({ twin }: Pair) {
  const byFirst = <Row extends object>(rows: Row[]) =>
    rows.sort((a, b) => (String(Object.values(a)[0]) < String(Object.values(b)[0]) ? -1 : 1));
  return {
    texts: byFirst(
      [...twin.batchTexts.values()].map(({ contentHash: hash, state, batchId, paid, beside, vector }) => ({
        ...{ hash, state, batch: batchId, paid, beside, vector: vector?.toString('hex') ?? null },
      })),
    ),
    batches: byFirst(
      [...twin.batches.values()].map(batch => ({
        ...{ batch: batch.batchId, state: batch.state, outcome: batch.outcome, texts: batch.texts },
        ...{
          tokens: batch.tokens,
          files: batch.fileIds,
          input: batch.inputFileId,
          provider: batch.providerBatchId,
        },
        ...{ cancelled: batch.isCancelled, released: batch.isReleased, looks: batch.looksAtEnd },
        due: batch.nextLookAt <= twin.now(),
      })),
    ),
    leases: byFirst(
      [...spaceOf(twin, space).leases.values()].map(lease => ({
        ...{ id: lease.id, stage: lease.stage, run: lease.runId, live: lease.expiresAt > twin.now() },
        ...{ waitsFor: lease.waitsFor, version: lease.waitsVersion },
      })),
    ),
    ledger: byFirst(
      [...twin.ledger.values()].map(({ callId: call, items, tokens, costUsd }) => ({
        ...{ call, items, tokens, cost: Number(costUsd.toFixed(9)) },
      })),
    ),
    grants: byFirst(
      [...twin.grants.values()].map(grant => ({ call: grant.callId, tokens: grant.estimatedTokens })),
    ),
  };
}

/** Draws one operation; what it returns is compared too. */
function drawOperation({ randomness, twin }: Pair): [string, (store: BatchStore) => Promise<unknown>] {
  const below = (count: number) => Math.floor(randomness.fraction() * count);
  const hashes = [hashOf(below(6)), hashOf(below(6))].filter(
    (hash, place, all) => all.indexOf(hash) === place,
  );
  const batchId = batchIdOf(1 + below(4));
  const stored = twin.batches.get(batchId);
  const { spaceId, model } = space;
  const entries = hashes.map((contentHash, place) => ({
    ...{ contentHash, tokens: 3 + place },
    rows: [{ id: ROWS[Number.parseInt(contentHash, 16)]!, version: '2026-01-01 00:00:00+00' }],
  }));
  const batch = { batchId: batchIdOf(1 + twin.batches.size), spaceId, modelAlias: model.alias };
  const terms = { usdPerMillionTokens: 10, dimensions: 4, normalized: true };
  const lines = hashes.map((contentHash, place) => ({
    ...{
      contentHash,
      tokens: place === 0 ? 5 : null,
      vector: below(3) === 0 ? null : Buffer.alloc(16, place + 1),
    },
  }));
  const later = below(2) * 3600;
  const fileId = below(2) === 0 ? 'file_2' : null;
  const callId = batchIdOf(100 + below(3));
  const end = {
    outcome: 'completed',
    rest: below(2) === 0 ? 'live' : 'collected',
    fileIds: ['file_1'],
  } as const;
  const operations: [string, (store: BatchStore) => Promise<unknown>][] = [
    ['joinBatch', store => store.joinBatch(space, DISPATCH, entries, 3600)],
    ['joinBatch', store => store.joinBatch(space, DISPATCH, entries, 3600)],
    ['findVectors', store => store.findVectors(space, hashes)],
    ['takeForEdit', store => store.takeForEdit(space, hashes)],
    ['isDue', store => store.isDue(model.alias)],
    ['claimDue', async store => (await store.claimDue(model.alias, 900)).map(each => each.batchId)],
    ['postponeLook', store => store.postponeLook(batchId, later)],
    ['readCollected', async store => ({ ...(await store.readCollected(model.alias)), spaces: undefined })],
    [
      'listCollected',
      async store => new Set((await store.listCollected(space, 10)).map(text => text.contentHash)),
    ],
    ['dropCollected', store => store.dropCollected(space, hashes)],
    ['releaseCollected', store => store.releaseCollected(space, later)],
    ['beginBatch', store => store.beginBatch({ ...batch, ...terms }, hashes, 0)],
    ['beginBatch', store => store.beginBatch({ ...batch, ...terms }, hashes, 0)],
    ['noteFile', store => store.noteFile(batchId, fileId)],
    ['noteFenced', store => store.noteFenced(batchId)],
    ['noteSubmitted', store => store.noteSubmitted(batchId, 'batch_9')],
    ['noteCancelled', store => store.noteCancelled(batchId)],
    ['noteEnded', store => store.noteEnded(batchId)],
    ['releaseTexts', store => store.releaseTexts(batchId)],
    ['settleBatch', store => store.settleBatch(batchId, end)],
    ['noteCleared', store => store.noteCleared(batchId)],
    ['tidy', store => store.tidy(space)],
  ];
  const ingest: [string, (store: BatchStore) => Promise<unknown>] = [
    'ingestPart',
    async store => {
      const known = { ...stored!, ...{ ageSeconds: 0, endedSeconds: null } };
      return (await store.ingestPart(known, { callId, lines }))?.tokens;
    },
  ];
  const all = stored ? [...operations, ingest, ingest, ingest] : operations;
  return all[below(all.length)]!;
}

test('the store does in SQL what the twin does, over random histories', { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const pair = await openPair(seed);
    for (let step = 0; step < 40; step += 1) {
      const [name, operation] = drawOperation(pair);
      const at = `history ${seed}, step ${step}: ${name}`;
      const answer = await operation(pair.real);

      expect(answer, at).toEqual(await operation(pair.model));
      expect(await readReal(), at).toEqual(readTwin(pair));
    }
  }
});

test('a row that waits for a batch is free for an edit alone, and in nobody’s way', async () => {
  const { real } = await openPair(1);
  const rows = [{ id: '1', version: '2026-01-01 00:00:00+00' }];
  await real.joinBatch(space, DISPATCH, [{ contentHash: hashOf(1), tokens: 3, rows }], 3600);

  const untouched = await opened.leaseChanged('2025-01-01');
  expect(untouched.rows.map(({ id }) => id)).not.toContain('1');
  expect(await opened.detection.countInFlight(space)).toBe(7);
  expect(await countHeldElsewhere(db, space, 7)).toEqual({ byRuns: 0, byPipeline: 0, byBatches: 1 });

  await opened.run('UPDATE public.ai_items SET updated_at = now() WHERE id = 1');
  expect((await opened.leaseChanged('2025-01-01')).rows.map(({ id }) => id)).toContain('1');
});

test('the grant of a batch that has not ended is never lost', async () => {
  const { real } = await openPair(1);
  const rows = [{ id: '1', version: null }];
  await real.joinBatch(space, DISPATCH, [{ contentHash: hashOf(1), tokens: 3, rows }], 3600);
  const batch = { batchId: batchIdOf(1), spaceId: space.spaceId, modelAlias: space.model.alias };
  await real.beginBatch(
    { ...batch, ...{ usdPerMillionTokens: 10, dimensions: 4, normalized: true } },
    [hashOf(1)],
    900,
  );
  await sql`INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd, granted_at)
    SELECT id::uuid, ${space.spaceId}::int, 'm', 1, 1, now() - interval '20 hours'
      FROM unnest(ARRAY[${batchIdOf(1)}, ${batchIdOf(2)}]) AS id`.execute(db.kysely);

  expect(await settleLostCalls(db)).toBe(1);
});

test('what was collected for a space that is retired asks nobody for a look', async () => {
  const { real } = await openPair(1);
  const rows = [{ id: '1', version: null }];
  await real.joinBatch(space, DISPATCH, [{ contentHash: hashOf(1), tokens: 3, rows }], 3600);
  expect(await real.isDue(space.model.alias)).toBe(true);

  await opened.run(`UPDATE freshet.spaces SET status = 'retired' WHERE space_id = ${space.spaceId}`);

  expect(await real.isDue(space.model.alias)).toBe(false);
  expect((await real.readCollected(space.model.alias)).spaces).toEqual([]);
});
