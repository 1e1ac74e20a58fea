import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { resolveSource } from '../../lib/adapters/sql/resolve-source.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildResult, notEmbedded } from '../factories/result-object.ts';
import { embedStaleRows } from './embed-stale-rows.ts';
import { request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
const WHOLE = { after: null, through: null };
const run = (statement: string) => sql.raw(statement).execute(db.kysely);
const source = buildSourceConfig({ table: 'loose', key: 'id', text: { columns: ['title', 'tags'] } });
const config = buildConfig([source]);

beforeEach(async () => {
  db = await openTestDatabase();
  await run(`CREATE TABLE public.base (id bigint, title text, tags text[], updated_at timestamptz)`);
  await run(
    `INSERT INTO public.base SELECT n, 'title ' || n, '{}', '2026-01-01Z' FROM generate_series(1, 3) AS n`,
  );
});
afterEach(() => db.close());

async function open() {
  const [space] = await ensureSpaces(db, config);
  if (space === undefined) throw new Error('No space was made.');
  const detection = createDetectionStore(db);
  const embedding = createEmbeddingStore(db);
  const embedAll = () => embedStaleRows(db, space);
  return { space, detection, embedding, embedAll };
}

const leaseCount = async () =>
  (await sql<{ n: number }>`SELECT count(*)::int AS n FROM freshet.leases`.execute(db.kysely)).rows[0]?.n;

describe('a view', () => {
  beforeEach(() => run('CREATE VIEW public.loose AS SELECT * FROM public.base').then(() => undefined));

  it('is embedded, and an edit that did not bump the version is found by the hash of the texts', async () => {
    const { embedAll } = await open();

    expect(await embedAll()).toEqual(['1', '2', '3']);
    expect([await embedAll(), await leaseCount()]).toEqual([[], 0]);
    await run(`UPDATE public.base SET tags = '{new}' WHERE id = 2`);
    await run('UPDATE public.base SET id = id WHERE id = 3');
    expect(await embedAll()).toEqual(['2']);
    expect([await embedAll(), await leaseCount()]).toEqual([[], 0]);
  });

  it('has a watermark, because its rows are committed like those of the tables behind it', async () => {
    const { detection, space, embedAll } = await open();
    await embedAll();
    await run(`UPDATE public.base SET title = 'new', updated_at = '2026-03-01Z' WHERE id = 3`);

    expect(await detection.readHorizon(space)).toMatch(/^20/);
    const changed = await detection.leaseChangedRows(space, {
      ...request({}, 'fresh'),
      watermark: '2026-02-01Z',
    });
    expect(changed.rows.map(({ id }) => id)).toEqual(['3']);
  });

  it('loses no vector before somebody confirms it', async () => {
    const { detection, space, embedAll } = await open();
    await embedAll();
    await run('DELETE FROM public.base WHERE id = 3');
    const remove = () => detection.removeOrphans(space, WHOLE);
    const doctor = async () => (await inspectDatabase(db, config)).find(({ check }) => check === 'orphans');

    expect(await remove()).toEqual({ marked: 0, deleted: 0, stopped: 'unconfirmed' });
    const finding = await doctor();
    expect(finding).toMatchObject({ ok: false, message: expect.stringContaining('The source is no table') });
    await run(finding?.statement ?? '');
    expect(await remove()).toEqual({ marked: 1, deleted: 0, stopped: null });
    expect(await doctor()).toMatchObject({ ok: true });
  });

  it('leaves out rows without a key, and doctor says so', async () => {
    await run(`INSERT INTO public.base VALUES (NULL, 'no key', '{}', now()), (1, 'again', '{}', now())`);
    const { space } = await open();

    expect(await createReportStore(db).readCoverage(space)).toMatchObject({ eligible: 4 });
    const findings = await inspectDatabase(db, config);
    expect(findings.find(({ check }) => check === 'key')).toMatchObject({
      ok: false,
      message: expect.stringContaining('1 rows lack a part of key ("id") and are left out'),
    });
    expect(findings.find(({ check }) => check === 'duplicate-keys')).toMatchObject({
      ok: false,
      message: expect.stringContaining('1 keys stand in several rows of "public"."loose": 1. None'),
    });
    expect(findings.filter(({ check }) => check === 'updated-at-index')).toEqual([]);
  });

  it('whose key stands twice has one outcome for it, until the key stands in one row', async () => {
    const { space, detection, embedding, embedAll } = await open();
    await embedAll();
    await run(`INSERT INTO public.base VALUES (2, 'again', '{}', '2026-01-02Z')`);
    const dispatchId = randomUUID();
    const leased = await detection.leaseStaleSlice(space, { ...request({ dispatchId }), ...WHOLE });
    expect(leased.rows.map(({ id }) => id)).toEqual(['2']);
    expect(await embedding.findDoubledKeys(space, ['1', '2', '3'])).toEqual(['2']);
    const readings = await embedding.readRows(space, ['2'], 1000);
    expect(readings).toHaveLength(2);
    const outcomes = [notEmbedded(readings[0]!, 'refused:duplicate-key', null)];
    await createOutcomeStore(db).writeResult(space, buildResult(space, dispatchId, { outcomes }));

    expect([await embedAll(), await leaseCount()]).toEqual([[], 0]);
    expect(await createReportStore(db).readFailures(space, 5)).toMatchObject([
      { code: 'duplicate-key', rows: 2, exampleIds: ['2'] },
    ]);
    await run(`DELETE FROM public.base WHERE title = 'again'`);
    expect(await embedAll()).toEqual(['2']);
    expect(await createReportStore(db).readCoverage(space)).toMatchObject({ fresh: 3, failed: 0 });
  });

  it('needs a key that is named', async () => {
    await expect(resolveSource(db, { ...source, key: undefined })).rejects.toThrow(
      /view "public"\."loose" has no primary key. Name the columns/,
    );
  });

  it('does not become a table under the same vectors', async () => {
    await open();
    await run('DROP VIEW public.loose');
    await run('CREATE TABLE public.loose AS SELECT * FROM public.base');
    await run('ALTER TABLE public.loose ADD PRIMARY KEY (id)');

    await expect(ensureSpaces(db, config, { adopt: true })).rejects.toThrow(
      /the stored vectors are those of a view or a foreign table, the source now is a table/,
    );
  });
});
