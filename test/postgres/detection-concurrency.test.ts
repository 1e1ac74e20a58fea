import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { type OpenedSpace, openSpace, request } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildResult, embedded } from '../factories/result-object.ts';

let db: SqlDatabase;
let items: OpenedSpace;
const sessions: pg.Client[] = [];

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
});
afterEach(async () => {
  await Promise.all(sessions.splice(0).map(session => session.end()));
  await db.close();
});

/** A session of its own on the test's database, as an application or another pipeline has it. */
async function openSession(setup = ''): Promise<pg.Client> {
  const url = new URL(process.env.DATABASE_URL ?? '');
  const { rows } = await sql<{ name: string }>`SELECT current_database()::text AS name`.execute(db.kysely);
  url.pathname = `/${rows[0]?.name}`;
  const session = new pg.Client({ connectionString: url.href });
  session.on('error', () => {});
  await session.connect();
  sessions.push(session);
  if (setup !== '') await session.query(setup);
  return session;
}

async function secondsBefore(horizon: string | null, moment: string): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    SELECT extract(epoch FROM ${moment}::timestamptz - ${horizon}::timestamptz)::float8 AS seconds`.execute(
    db.kysely,
  );
  return rows[0]?.seconds ?? Number.NaN;
}

describe('leases of several callers', () => {
  it('never name one row twice, whatever the callers do at the same time', async () => {
    await items.run(`INSERT INTO public.ai_items (id, title, updated_at)
      SELECT n, 't', timestamptz '2026-01-01' + n * interval '1 ms' FROM generate_series(1, 2000) AS n`);
    const leased: string[] = [];

    for (let round = 0; round < 10; round += 1) {
      const found = await Promise.all([
        items.leaseChanged('2026-01-01', { limit: 100 }),
        items.leaseSlice({ limit: 100 }),
        items.leaseChanged('2026-01-01', { limit: 150 }),
        items.leaseSlice({ limit: 150 }),
      ]);
      leased.push(...found.flatMap(({ rows }) => rows.map(row => row.id)));
    }

    expect(new Set(leased).size).toBe(leased.length);
    expect(leased.length).toBeGreaterThanOrEqual(1000);
  });

  it('give an expired row to one caller, with one attempt', async () => {
    await items.run(
      `INSERT INTO public.ai_items (id, title) SELECT n, 't' FROM generate_series(1, 300) AS n`,
    );
    await items.leaseSlice({ limit: 300 });
    await items.run(`UPDATE freshet.leases SET stage = 'embedding', expires_at = now()`);

    const found = await Promise.all(
      Array.from({ length: 4 }, () => items.leaseChanged(null, { limit: 300 })),
    );

    const rows = found.flatMap(changed => changed.rows);
    expect(rows).toHaveLength(300);
    expect(new Set(rows.map(row => `${row.id}`)).size).toBe(300);
    expect(rows.every(row => row.attempts === 1)).toBe(true);
  });

  it('wait for a lease that is being made and then leave it', async () => {
    await items.run(`INSERT INTO public.ai_items (id, title, updated_at) VALUES (1, 't', '2026-01-01')`);
    const other = await openSession();
    await other.query('BEGIN');
    await other.query(`INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, expires_at)
      VALUES (${items.space.spaceId}, '1', '${randomUUID()}', 'bulk', 'sending', now() + interval '1 hour')`);

    const leasing = items.leaseChanged('2026-01-01');
    await waitUntilBlocked();
    await other.query('COMMIT');

    expect((await leasing).rows).toEqual([]);
  });
});

/** Until a backend of this database waits for a lock: no time is guessed. */
async function waitUntilBlocked(): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ blocked: boolean }>`SELECT EXISTS (SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock') AS blocked`.execute(db.kysely);
    if (rows[0]?.blocked) return;
  }
}

describe('the horizon', () => {
  it('is below the start of the oldest open transaction', async () => {
    const other = await openSession();
    await other.query('BEGIN');
    const began = await other.query('SELECT now()::text AS at');
    await (await openSession()).query('BEGIN');

    const horizon = await createDetectionStore(db, { horizonMarginSeconds: 5 }).readHorizon(items.space);

    expect(await secondsBefore(horizon, began.rows[0].at)).toBeCloseTo(5, 3);
  });

  it('lets no row of a transaction that commits late be lost', async () => {
    const detection = createDetectionStore(db, { horizonMarginSeconds: 0.000001 });
    await detection.writeWatermark(items.space, [await detection.readHorizon(items.space)]);
    const late = await openSession();
    await late.query('BEGIN');
    await late.query(`INSERT INTO public.ai_items (id, title) VALUES (1, 'late')`);
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES (2, 'early')`);
    const pass = async () => {
      const { watermark } = await detection.readPosition(items.space);
      const horizon = await detection.readHorizon(items.space);
      const { rows } = await detection.leaseChangedRows(items.space, { ...request({}, 'fresh'), watermark });
      await detection.writeWatermark(items.space, [horizon]);
      return rows.map(row => row.id);
    };

    const passes = [await pass(), await pass()];
    await late.query('COMMIT');
    passes.push(await pass(), await pass());

    expect(passes).toEqual([['2'], [], ['1'], []]);
  });

  it('is stopped by a prepared transaction (the server needs max_prepared_transactions)', async () => {
    const other = await openSession();
    const name = `freshet_${randomUUID()}`;
    await other.query(`BEGIN; CREATE TABLE public.prepared (); PREPARE TRANSACTION '${name}'`);

    const stopped = await items.detection.readHorizon(items.space);
    await other.query(`ROLLBACK PREPARED '${name}'`);

    expect(stopped).toBeNull();
    expect(await items.detection.readHorizon(items.space)).not.toBeNull();
  });

  it('keeps a wider margin where a backend hides its transaction', async () => {
    await openSession('SET track_activities = off');

    const horizon = await items.detection.readHorizon(items.space);

    expect(await secondsBefore(horizon, 'now')).toBeGreaterThanOrEqual(900);
  });

  it('keeps a wider margin where the role may not look at other users', async () => {
    const role = `blind_${randomUUID().slice(0, 8)}`;
    await items.run(`CREATE ROLE ${role}`);
    const other = await openSession();
    await other.query('BEGIN');

    const horizon = await db.kysely.transaction().execute(async transaction => {
      await sql.raw(`SET LOCAL ROLE ${role}`).execute(transaction);
      return createDetectionStore({ ...db, kysely: transaction }).readHorizon(items.space);
    });
    await items.run(`DROP ROLE ${role}`);

    expect(await secondsBefore(horizon, 'now')).toBeGreaterThanOrEqual(900);
  });
});

describe('a local run', () => {
  it('frees its rows when its connection is gone, however it went', async () => {
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES (1, 't')`);
    const run = await db.beginRun();
    await items.leaseSlice({ runId: run.runId });
    const alive = await items.detection.expireLeasesOfDeadRuns();
    await sql`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`.execute(db.kysely);
    await run.lost;
    await waitUntilUnlocked();

    const gone = await items.detection.expireLeasesOfDeadRuns();

    expect([alive, gone]).toEqual([0, 1]);
    expect((await items.leaseChanged(null)).rows).toMatchObject([{ id: '1', attempts: 0 }]);
  });
});

async function waitUntilUnlocked(): Promise<void> {
  for (;;) {
    const { rows } = await sql<{
      held: boolean;
    }>`SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held`.execute(
      db.kysely,
    );
    if (!rows[0]?.held) return;
  }
}

describe('removing orphans', () => {
  it('keeps a row that a writer brings back at the same moment', async () => {
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES (1, 't'), (2, 'stays')`);
    const write = async (vector: number[]) =>
      items.outcomes.writeResult(
        items.space,
        buildResult(items.space, randomUUID(), { outcomes: [embedded(await items.readOne('1'), vector)] }),
      );
    await write([1, 0, 0]);
    await items.run('DELETE FROM public.ai_items WHERE id = 1');
    await items.run(
      `UPDATE freshet.${items.space.vectorTable} SET missing_since = now() - interval '2 hours'`,
    );
    await items.run('UPDATE freshet.positions SET last_pass_started_at = now()');
    const writer = await openSession();
    await writer.query('BEGIN');
    await writer.query(
      `UPDATE freshet.${items.space.vectorTable} SET missing_since = NULL WHERE item_id = 1`,
    );

    const removing = items.detection.removeOrphans(items.space, { after: null, through: null });
    await waitUntilBlocked();
    await writer.query('COMMIT');

    expect(await removing).toMatchObject({ deleted: 0 });
    expect(await items.stored()).toHaveLength(1);
  });
});
