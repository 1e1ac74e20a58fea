import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANARY, createItems, embedded, openWorkbench, type Workbench } from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
  bench.configure({});
});
afterEach(() => bench.close());

const ROWS = 50;
const texts = Array.from({ length: ROWS }, (_, place) => `${CANARY} ${place + 1}`);
const whole = texts.map((text, place) => embedded(place + 1, text));

/** What is marked as missing was so for two hours and a whole pass. */
async function letTimePass(): Promise<void> {
  await bench.query(`UPDATE freshet.vectors_1 SET missing_since = missing_since - interval '2 hours'`);
  await bench.query(`UPDATE freshet.positions SET pass_started_at = pass_started_at - interval '1 hour',
    last_pass_started_at = last_pass_started_at - interval '1 hour'`);
}

async function readFinding(url = bench.url) {
  const result = await bench.start(['doctor', '--json'], { DATABASE_URL: url }).ended;
  const { findings } = JSON.parse(result.output) as {
    findings: { check: string; ok: boolean; message: string; statement?: string }[];
  };
  return findings.find(finding => finding.check === 'orphans');
}

describe('the role loses sight of rows (row-level security), or the table is emptied and refilled', () => {
  it('deletes no vector of rows that a policy hides, and says why', async () => {
    await createItems(bench, texts);
    await bench.run();
    const { role, url } = await bench.createRole();
    await bench.query(`GRANT SELECT ON items TO ${role}`);
    await bench.query(`GRANT USAGE ON SCHEMA freshet TO ${role}`);
    await bench.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet TO ${role}`);
    await bench.query('ALTER TABLE items ENABLE ROW LEVEL SECURITY');
    await bench.query(`CREATE POLICY visible ON items FOR SELECT USING (id <= 3)`);

    for (let pass = 0; pass < 3; pass += 1) {
      const run = await bench.start(['run'], { DATABASE_URL: url }).ended;
      expect(run.code).toBe(0);
      expect(run.errors).toMatch(
        /Source "items": vectors whose rows this role does not see are kept.* doctor/,
      );
      await letTimePass();
    }

    expect(await bench.stored()).toEqual(whole);
    expect(bench.readTraces()).toMatch(/"cause":"row-security".*"orphan-removal-stopped"/);
    expect(bench.readTraces()).toMatch(/"OrphanRemovalStopped":1/);
    expect(await readFinding(url)).toMatchObject({
      ok: false,
      message:
        'Source "items": 47 of 50 vectors have no row that this role sees. None is removed while row-level security may hide them.',
      statement: 'ALTER ROLE CURRENT_USER BYPASSRLS;',
    });
    await bench.query(`ALTER ROLE ${role} BYPASSRLS`);
    const mended = await bench.start(['run'], { DATABASE_URL: url }).ended;
    expect(mended.errors).not.toContain('are kept');
    expect(await readFinding(url)).toMatchObject({ ok: true });
    await bench.query(`DROP OWNED BY ${role}`);
  });

  it.each([ROWS, 3])(
    'keeps the vectors of %i rows while their table is empty, and buys none again when it is refilled',
    async count => {
      await createItems(bench, texts.slice(0, count));
      await bench.run();
      const calls = bench.server.callCount;
      await bench.query('CREATE TABLE spare AS SELECT * FROM items');
      await bench.query('DELETE FROM items');

      for (let pass = 0; pass < 3; pass += 1) {
        const run = await bench.run();
        expect(run).toMatchObject({ code: 0, providerCalls: 0 });
        expect(run.errors).toMatch(/Source "items": too many rows are gone at once, or all of them/);
        await letTimePass();
      }
      expect(await bench.stored()).toEqual(whole.slice(0, count));
      expect(bench.readTraces()).toMatch(/"cause":"too-many".*"orphan-removal-stopped"/);
      expect(await readFinding()).toMatchObject({ ok: false });

      await bench.query('INSERT INTO items SELECT * FROM spare');
      const refilled = await bench.run();

      expect(refilled).toMatchObject({ code: 0, providerCalls: 0, touched: count });
      expect(refilled.errors).not.toContain('are kept');
      expect(bench.server.callCount).toBe(calls);
      expect(await bench.stored()).toEqual(whole.slice(0, count));
    },
  );

  it('TRUNCATE and a slow refill lose nothing either', async () => {
    await createItems(bench, texts);
    await bench.run();
    await bench.query('CREATE TABLE spare AS SELECT * FROM items');
    await bench.query('TRUNCATE items');
    for (const last of [10, 30, 50]) {
      await bench.query(
        `INSERT INTO items SELECT * FROM spare WHERE id > ${last - 20} AND id <= ${last} ON CONFLICT DO NOTHING`,
      );
      expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0 });
      await letTimePass();
    }

    expect(await bench.stored()).toEqual(whole);
  });

  it('goes on with the removal when an operator ran the statement that doctor shows', async () => {
    await createItems(bench, texts);
    await bench.run();
    await bench.query('DELETE FROM items WHERE id > 10');
    await bench.run();
    const finding = await readFinding();
    expect(finding?.statement).toMatch(/^INSERT INTO freshet\.control .*orphans:confirmed/);

    await bench.query(finding?.statement ?? '');
    const marked = await bench.run();
    await letTimePass();
    await bench.run();
    await bench.query(`INSERT INTO items (id, body) VALUES (60, '${CANARY} 60')`);
    const after = await bench.run();

    expect(marked).toMatchObject({ code: 0 });
    expect(marked.errors).not.toContain('are kept');
    expect(await bench.stored()).toEqual([...whole.slice(0, 10), embedded(60, `${CANARY} 60`)]);
    expect(after).toMatchObject({ code: 0, embedded: 1 });
    expect((await bench.cli('status')).output).not.toContain('paused');
  });

  it('takes a confirmation for a day, not for ever', async () => {
    await createItems(bench, texts);
    await bench.run();
    await bench.query(`INSERT INTO freshet.control (scope, reason, since)
      VALUES ('source:items', 'orphans:confirmed', now() - interval '25 hours')`);
    await bench.query('DELETE FROM items WHERE id > 10');

    for (let pass = 0; pass < 3; pass += 1) {
      expect((await bench.run()).errors).toContain('are kept');
      await letTimePass();
    }

    expect(await bench.stored()).toEqual(whole);
  });
});
