import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { toVersionTime } from '../../lib/adapters/sql/quote-space.ts';
import { buildResult, embedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

const WHOLE = { after: null, through: null };

async function openEmbedded(count: number): Promise<OpenedSpace> {
  const items = await openSpace(db);
  await items.run(
    `INSERT INTO public.ai_items (id, title) SELECT n, 't' FROM generate_series(1, ${count}) AS n`,
  );
  const ids = Array.from({ length: count }, (_, place) => String(place + 1));
  const readings = await items.read(...ids);
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, randomUUID(), { outcomes: readings.map(r => embedded(r, [1, 0, 0])) }),
  );
  return items;
}

describe('positions', () => {
  it('start empty', async () => {
    const items = await openSpace(db);

    expect(await items.detection.readPosition(items.space)).toEqual({
      watermark: null,
      reconcileCursor: null,
      lastPassEndedAt: null,
      passOpen: true,
      unsentSince: null,
    });
  });

  it('keep the earliest watermark, compared as a time, also when it is earlier than before', async () => {
    const items = await openSpace(db);
    const write = async (...candidates: (string | null)[]) => {
      await items.detection.writeWatermark(items.space, candidates);
      return (await items.detection.readPosition(items.space)).watermark;
    };

    expect(await write('2026-01-02 00:00:00+00', null)).toBe('2026-01-02 00:00:00+00');
    expect(await write('2026-01-01 00:00:00.5+00', '2026-01-01 00:00:00+00')).toBe('2026-01-01 00:00:00+00');
    expect(await write(null)).toBe('2026-01-01 00:00:00+00');
    expect(await write()).toBe('2026-01-01 00:00:00+00');
  });

  it('keep since when rows wait, until none does, and nothing else with it', async () => {
    const items = await openSpace(db);
    const { detection, space } = items;
    await detection.writeWatermark(space, ['2026-01-01 00:00:00+00']);
    const write = async (left: boolean) => {
      await detection.writeUnsent(space, left);
      return (await detection.readPosition(space)).unsentSince;
    };

    const first = await write(true);
    const second = await write(true);

    expect(first).toEqual(expect.any(String));
    expect(second).toBe(first);
    expect(await write(false)).toBeNull();
    expect(await detection.readPosition(space)).toMatchObject({ watermark: '2026-01-01 00:00:00+00' });
  });

  it('keep the cursor and when the last pass ended', async () => {
    const items = await openSpace(db);
    await items.detection.writeReconcileCursor(items.space, '5', false);
    const midway = await items.detection.readPosition(items.space);

    await items.detection.writeReconcileCursor(items.space, null, true);

    expect(midway).toMatchObject({ reconcileCursor: '5', lastPassEndedAt: null });
    expect(await items.detection.readPosition(items.space)).toMatchObject({
      reconcileCursor: null,
      lastPassEndedAt: expect.any(String),
    });
  });
});

describe('readHorizon', () => {
  async function ageSeconds(horizon: string | null, type = 'timestamptz', zone = 'UTC'): Promise<number> {
    const { rows } = await sql<{ age: number }>`SELECT extract(epoch FROM
      ${sql.raw(type === 'timestamptz' ? 'now()' : `(now() AT TIME ZONE '${zone}')`)} - ${horizon}::${sql.raw(type)})::float8 AS age`.execute(
      db.kysely,
    );
    return rows[0]?.age ?? Number.NaN;
  }

  it('lies a margin before now when nothing else is open', async () => {
    const items = await openSpace(db);

    const horizon = await createDetectionStore(db, { horizonMarginSeconds: 60 }).readHorizon(items.space);

    expect(await ageSeconds(horizon)).toBeGreaterThanOrEqual(60);
    expect(await ageSeconds(horizon)).toBeLessThan(75);
  });

  it('is in the local time of a version column without time zone', async () => {
    const items = await openSpace(db, { updatedAtType: 'timestamp' }, { timeZone: 'Asia/Kolkata' });

    const age = await ageSeconds(await items.detection.readHorizon(items.space), 'timestamp', 'Asia/Kolkata');

    expect(age).toBeGreaterThanOrEqual(300);
    expect(age).toBeLessThan(315);
  });

  it.each([
    ['2026-10-24 23:00:00.000001+00', '2026-10-25 00:00:00.000001'],
    ['2026-10-25 00:55:00+00', '2026-10-25 01:55:00'],
    ['2026-10-25 01:00:00+00', '2026-10-25 02:00:00'],
    ['2026-03-29 00:30:00+00', '2026-03-29 01:30:00'],
    ['2026-07-01 12:00:00+00', '2026-07-01 14:00:00'],
  ])('at %s is below every local time still to come in Berlin', async (moment, local) => {
    const zoned = { versionType: 'timestamp without time zone', versionTimeZone: 'Europe/Berlin' } as const;

    const { rows } = await sql<{ local: string }>`
      SELECT ${toVersionTime(sql`${moment}::timestamptz`, zoned)} AS local`.execute(db.kysely);

    expect(rows[0]?.local).toBe(local);
  });

  it('refuses a margin of 0', () => {
    expect(() => createDetectionStore(db, { horizonMarginSeconds: 0 })).toThrow(RangeError);
  });
});

describe('findSourceFault', () => {
  const faultAfter = async (...statements: string[]) => {
    const items = await openSpace(db);
    for (const statement of statements) await items.run(statement);
    return items.detection.findSourceFault(items.space);
  };

  it('is silent while the source is what it was, new columns and all', async () => {
    expect(await faultAfter('ALTER TABLE public.ai_items ADD COLUMN extra text')).toBeUndefined();
  });

  it.each([
    ['source-missing', 'renamed', 'ALTER TABLE public.ai_items RENAME TO old_items', 'public.old_items'],
    ['source-missing', 'dropped', 'DROP TABLE public.ai_items CASCADE', 'dropped'],
    [
      'column-missing',
      'without a column',
      'ALTER TABLE public.ai_items DROP COLUMN summary CASCADE',
      '"summary"',
    ],
    [
      'column-changed',
      'with another key type',
      'ALTER TABLE public.ai_items ALTER id TYPE text',
      'was bigint',
    ],
    [
      'column-changed',
      'with another version type',
      'ALTER TABLE public.ai_items ALTER updated_at TYPE timestamp',
      'was timestamp with time zone',
    ],
    [
      'column-changed',
      'with an array that is none any more',
      `ALTER TABLE public.ai_items ALTER tags TYPE text USING ''`,
      'was an array',
    ],
  ])('says %s of a table %s', async (code, _what, statement, detail) => {
    const fault = await faultAfter(statement);

    expect(fault).toMatchObject({ code, message: expect.stringContaining(detail) });
    expect(fault?.message).toContain('Source "ai_items"');
  });

  it('says that the table was swapped', async () => {
    const fault = await faultAfter(
      'ALTER TABLE public.ai_items RENAME TO old_items',
      'CREATE TABLE public.ai_items (LIKE public.old_items)',
    );

    expect(fault).toMatchObject({ code: 'source-swapped', message: expect.stringContaining('OID') });
  });

  it('says which GRANT is missing', async () => {
    const items = await openSpace(db);
    const role = `reader_${randomUUID().slice(0, 8)}`;
    await items.run(`CREATE ROLE ${role}`);
    await items.run(`GRANT SELECT (id, title, updated_at, tags) ON public.ai_items TO ${role}`);

    const fault = await db.kysely.transaction().execute(async transaction => {
      await sql.raw(`SET LOCAL ROLE ${role}`).execute(transaction);
      return createDetectionStore({ ...db, kysely: transaction }).findSourceFault(items.space);
    });
    await items.run(`DROP OWNED BY ${role}`);
    await items.run(`DROP ROLE ${role}`);

    expect(fault?.code).toBe('permission');
    expect(fault?.message).toContain(`may not read "summary"`);
    expect(fault?.message).toContain(`GRANT SELECT ON "public"."ai_items" TO "${role}";`);
  });
});

describe('removeOrphans', () => {
  /** Ends passes so that marks made before are older than a whole pass and an hour. */
  async function letAnHourAndAPassGoBy(items: OpenedSpace): Promise<void> {
    await items.run(
      `UPDATE freshet.${items.space.vectorTable} SET missing_since = missing_since - interval '61 minutes'`,
    );
    await items.detection.writeReconcileCursor(items.space, null, true);
    await items.detection.writeReconcileCursor(items.space, null, true);
  }
  const missing = async (items: OpenedSpace) =>
    (await items.stored()).filter(row => row.missing).map(row => row.id);

  it('marks rows that are gone, and deletes them an hour and a pass later', async () => {
    const items = await openEmbedded(3);
    await items.run('DELETE FROM public.ai_items WHERE id = 2');

    const first = await items.detection.removeOrphans(items.space, WHOLE);
    const again = await items.detection.removeOrphans(items.space, WHOLE);
    const marked = await missing(items);
    await letAnHourAndAPassGoBy(items);
    const last = await items.detection.removeOrphans(items.space, WHOLE);

    expect(first).toEqual({ marked: 1, deleted: 0, stopped: null });
    expect(again).toEqual({ marked: 0, deleted: 0, stopped: null });
    expect(marked).toEqual(['2']);
    expect(last).toEqual({ marked: 0, deleted: 1, stopped: null });
    expect((await items.stored()).map(row => row.id)).toEqual(['1', '3']);
  });

  it('waits for the hour after a pass, and for the pass after the hour', async () => {
    const items = await openEmbedded(2);
    await items.run('DELETE FROM public.ai_items WHERE id = 2');
    await items.detection.removeOrphans(items.space, WHOLE);

    await items.detection.writeReconcileCursor(items.space, null, true);
    await items.detection.writeReconcileCursor(items.space, null, true);
    const early = await items.detection.removeOrphans(items.space, WHOLE);
    await items.run('UPDATE freshet.positions SET last_pass_started_at = NULL');
    await items.run(
      `UPDATE freshet.${items.space.vectorTable} SET missing_since = now() - interval '2 hours' WHERE item_id = 2`,
    );
    const unpassed = await items.detection.removeOrphans(items.space, WHOLE);

    expect([early.deleted, unpassed.deleted]).toEqual([0, 0]);
  });

  it('takes the mark from a row that came back', async () => {
    const items = await openEmbedded(2);
    await items.run('CREATE TABLE public.aside AS SELECT * FROM public.ai_items WHERE id = 2');
    await items.run('DELETE FROM public.ai_items WHERE id = 2');
    await items.detection.removeOrphans(items.space, WHOLE);
    await items.run('INSERT INTO public.ai_items SELECT * FROM public.aside');
    await letAnHourAndAPassGoBy(items);

    const report = await items.detection.removeOrphans(items.space, WHOLE);

    expect(report).toEqual({ marked: 0, deleted: 0, stopped: null });
    expect(await missing(items)).toEqual([]);
  });

  it('looks at its slice alone', async () => {
    const items = await openEmbedded(6);
    await items.run('DELETE FROM public.ai_items WHERE id IN (1, 3, 4, 6)');

    await items.detection.removeOrphans(items.space, { after: '1', through: '4' });

    expect(await missing(items)).toEqual(['3', '4']);
  });

  it('keeps everything when a table is emptied, and when it is filled again', async () => {
    const items = await openEmbedded(50);
    await items.run('CREATE TABLE public.aside AS SELECT * FROM public.ai_items');
    await items.run('DELETE FROM public.ai_items');

    const emptied = await items.detection.removeOrphans(items.space, WHOLE);
    await letAnHourAndAPassGoBy(items);
    const later = await items.detection.removeOrphans(items.space, WHOLE);
    await items.run('INSERT INTO public.ai_items SELECT * FROM public.aside');
    const filled = await items.detection.removeOrphans(items.space, WHOLE);

    expect([emptied, later]).toEqual([
      { marked: 0, deleted: 0, stopped: 'too-many' },
      { marked: 0, deleted: 0, stopped: 'too-many' },
    ]);
    expect(filled).toEqual({ marked: 0, deleted: 0, stopped: null });
    expect(await items.stored()).toHaveLength(50);
  });

  it('stops when a table is emptied step by step', async () => {
    const items = await openEmbedded(60);
    await items.run('DELETE FROM public.ai_items WHERE id <= 15');
    const first = await items.detection.removeOrphans(items.space, WHOLE);
    await items.run('DELETE FROM public.ai_items WHERE id <= 30');
    await letAnHourAndAPassGoBy(items);

    const second = await items.detection.removeOrphans(items.space, WHOLE);

    expect(first).toEqual({ marked: 15, deleted: 0, stopped: null });
    expect(second).toEqual({ marked: 0, deleted: 0, stopped: 'too-many' });
  });

  it('goes on when an operator confirmed', async () => {
    const items = await openEmbedded(50);
    await items.run('DELETE FROM public.ai_items');
    await items.run(
      `INSERT INTO freshet.control (scope, reason) VALUES ('source:ai_items', 'orphans:confirmed')`,
    );

    const marked = await items.detection.removeOrphans(items.space, WHOLE);
    await letAnHourAndAPassGoBy(items);
    const deleted = await items.detection.removeOrphans(items.space, WHOLE);

    expect([marked.marked, deleted.deleted]).toEqual([50, 50]);
    expect(await items.stored()).toEqual([]);
  });

  it('touches nothing while row-level security may hide rows', async () => {
    const items = await openEmbedded(3);
    const role = `reader_${randomUUID().slice(0, 8)}`;
    await items.run(`CREATE ROLE ${role}`);
    await items.run(`GRANT USAGE ON SCHEMA freshet TO ${role}`);
    await items.run(`GRANT ALL ON ALL TABLES IN SCHEMA freshet TO ${role}`);
    await items.run(`GRANT SELECT ON public.ai_items TO ${role}`);
    await items.run('ALTER TABLE public.ai_items ENABLE ROW LEVEL SECURITY');

    const report = await db.kysely.transaction().execute(async transaction => {
      await sql.raw(`SET LOCAL ROLE ${role}`).execute(transaction);
      return createDetectionStore({ ...db, kysely: transaction }).removeOrphans(items.space, WHOLE);
    });
    await items.run(`DROP OWNED BY ${role}`);
    await items.run(`DROP ROLE ${role}`);

    expect(report).toEqual({ marked: 0, deleted: 0, stopped: 'row-security' });
    expect(await missing(items)).toEqual([]);
  });
});
