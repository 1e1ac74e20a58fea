import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import type { Space } from '../../lib/core/model.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildHash, buildResult, embedded } from '../factories/result-object.ts';
import { request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
const WHOLE = { after: null, through: null };
const run = (statement: string) => sql.raw(statement).execute(db.kysely);

beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

/** Creates `events` with the partitions, embeds every row, and opens the stores. */
async function openEvents(partitionedBy: string, partitions: Readonly<Record<string, string>>, rows: string) {
  await run(`CREATE TABLE public.events (id bigint, made_at timestamptz, title text, updated_at timestamptz
    DEFAULT now(), PRIMARY KEY (id, made_at)) PARTITION BY ${partitionedBy}`);
  for (const [name, bounds] of Object.entries(partitions))
    await run(`CREATE TABLE public.${name} PARTITION OF public.events ${bounds}`);
  await run(`INSERT INTO public.events (id, made_at, title) ${rows}`);
  const config = buildConfig([buildSourceConfig({ table: 'events', text: { columns: ['title'] } })]);
  const [space] = await ensureSpaces(db, config);
  if (space === undefined) throw new Error('No space was made.');
  const detection = createDetectionStore(db);
  await embedAll(space);
  expect(await detection.removeOrphans(space, WHOLE)).toEqual({ marked: 0, deleted: 0, stopped: null });
  const doctor = async () => (await inspectDatabase(db, config)).find(({ check }) => check === 'orphans');
  return { space, detection, doctor, remove: () => detection.removeOrphans(space, WHOLE) };
}

async function embedAll(space: Space): Promise<void> {
  const dispatchId = randomUUID();
  const leased = await createDetectionStore(db).leaseStaleSlice(space, {
    ...request({ dispatchId, limit: 1000 }),
    ...WHOLE,
  });
  const ids = leased.rows.map(({ id }) => id);
  const embedding = createEmbeddingStore(db);
  await embedding.beginEmbedding(space, dispatchId, ids);
  const readings = await embedding.readRows(space, ids, 1000);
  const outcomes = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(1)));
  const report = await createOutcomeStore(db).writeResult(
    space,
    buildResult(space, dispatchId, { outcomes }),
  );
  expect(report.embedded).toBe(ids.length);
}

const MONTHS = {
  may: `FOR VALUES FROM ('2026-05-01Z') TO ('2026-06-01Z')`,
  june: `FOR VALUES FROM ('2026-06-01Z') TO ('2026-07-01Z')`,
};
/** 60 rows in May and 30 in June. */
const SPREAD = `SELECT n, timestamptz '2026-05-01Z' + interval '12 hours' * (n - 1), 'title ' || n
  FROM generate_series(1, 92) AS n`;

describe('rows of a partition that is gone', () => {
  it('are removed without a question, however many they are', async () => {
    const { remove, doctor } = await openEvents('RANGE (made_at)', MONTHS, SPREAD);
    await run('DROP TABLE public.may');

    expect(await remove()).toEqual({ marked: 62, deleted: 0, stopped: null });
    expect(await doctor()).toMatchObject({ ok: true });
    // They are remembered: the next pass does not ask either.
    expect(await remove()).toEqual({ marked: 0, deleted: 0, stopped: null });
  });

  it('are those of a detached partition and of one of a list or a hash too', async () => {
    const list = await openEvents(
      'LIST (id)',
      { even: 'FOR VALUES IN (2, 4)', odd: 'FOR VALUES IN (1, 3)' },
      `SELECT 1 + n % 4, timestamptz '2026-05-01Z' + interval '1 hour' * n, 'title' FROM generate_series(1, 80) AS n`,
    );
    await run('ALTER TABLE public.events DETACH PARTITION public.even');
    expect(await list.remove()).toEqual({ marked: 40, deleted: 0, stopped: null });

    await db.close();
    db = await openTestDatabase();
    const hash = await openEvents(
      'HASH (id)',
      { h0: 'FOR VALUES WITH (MODULUS 2, REMAINDER 0)', h1: 'FOR VALUES WITH (MODULUS 2, REMAINDER 1)' },
      SPREAD,
    );
    const { rows } = await sql<{ lost: number }>`SELECT count(*)::int AS lost FROM public.h1`.execute(
      db.kysely,
    );
    await run('DROP TABLE public.h1');
    expect(await hash.remove()).toEqual({ marked: rows[0]?.lost, deleted: 0, stopped: null });
  });

  it('do not hide that too many rows of the partitions that stay are missing', async () => {
    const { remove } = await openEvents('RANGE (made_at)', MONTHS, SPREAD);
    await run('DROP TABLE public.may');
    await run(`DELETE FROM public.events WHERE made_at < '2026-06-12Z'`);

    // Marked are those of May alone. 22 of the 30 rows of June are missing.
    expect(await remove()).toEqual({ marked: 62, deleted: 0, stopped: 'too-many' });
  });

  it('count as missing where a partition with the same bounds took its place', async () => {
    const { remove } = await openEvents('RANGE (made_at)', MONTHS, SPREAD);
    await run('DROP TABLE public.may');
    await run(`CREATE TABLE public.may PARTITION OF public.events ${MONTHS.may}`);

    expect(await remove()).toEqual({ marked: 0, deleted: 0, stopped: 'too-many' });
  });

  it('count as missing where a wider partition took its place', async () => {
    const { remove } = await openEvents('RANGE (made_at)', MONTHS, SPREAD);
    await run('DROP TABLE public.may');
    await run(`CREATE TABLE public.spring PARTITION OF public.events FOR VALUES FROM ('2026-03-01Z')
      TO ('2026-06-01Z')`);

    expect(await remove()).toEqual({ marked: 0, deleted: 0, stopped: 'too-many' });
  });

  it('are forgotten a week after the partition went', async () => {
    const { remove, detection, space } = await openEvents('RANGE (made_at)', MONTHS, SPREAD);
    await run('DROP TABLE public.may');
    await remove();
    const past = `UPDATE freshet.positions SET partitions =
      (SELECT jsonb_agg(CASE WHEN p -> 'goneAt' = 'null' THEN p
                             ELSE jsonb_set(p, '{goneAt}', to_jsonb(now() - interval '8 days')) END)
         FROM jsonb_array_elements(partitions) AS p)`;
    await run(past);

    expect(await detection.removeOrphans(space, WHOLE)).toMatchObject({ stopped: 'too-many' });
  });
});
