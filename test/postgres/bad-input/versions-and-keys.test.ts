import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CANARY,
  createItems,
  embedded,
  itemsSource,
  openWorkbench,
  type Workbench,
} from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
});
afterEach(() => bench.close());

const rows = async () => bench.query('SELECT *, xmin FROM freshet.vectors_1 ORDER BY 1');

describe('updated_at moving backwards, in the future, NULL, not bumped by the application, bumped on every update', () => {
  const moments = [
    `now() - interval '30 years'`,
    `now() + interval '30 years'`,
    'NULL',
    'updated_at',
    `'infinity'`,
    `'-infinity'`,
    `'0044-03-15 12:00:00.123456 BC'`,
    `'294276-12-31'`,
  ];

  it('each is found, and none is an endless loop', async () => {
    await createItems(
      bench,
      moments.map((_, place) => `${CANARY} ${place + 1}`),
    );
    bench.configure({ limits: { sliceRows: 3 } });
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 8 });
    for (const [place, moment] of moments.entries())
      await bench.query(
        `UPDATE items SET body = body || ' edited', updated_at = ${moment} WHERE id = ${place + 1}`,
      );

    const run = await bench.run();
    const before = await rows();
    const again = await bench.run();

    expect(run).toMatchObject({ code: 0, embedded: 8 });
    expect(await bench.stored()).toEqual(
      moments.map((_, place) => embedded(place + 1, `${CANARY} ${place + 1} edited`)),
    );
    expect(again).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    expect(await rows()).toEqual(before);
    // Once more with the moments as they stand: nothing but the text changes.
    await bench.query(`UPDATE items SET body = body || ' twice'`);
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 8 });
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
  });

  it('rows that are born with such a moment are embedded once', async () => {
    await createItems(bench, []);
    bench.configure({});
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 0 });
    for (const [place, moment] of moments.entries())
      await bench.query(
        `INSERT INTO items VALUES (${place + 1}, '${CANARY} ${place + 1}', ${moment.replace('updated_at', 'now()')})`,
      );

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 8 });
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
  });

  it('a trigger that bumps it on every update, of whatever column, costs touches and no calls', async () => {
    await createItems(bench, [`${CANARY} 1`, `${CANARY} 2`]);
    await bench.query(`ALTER TABLE items ADD COLUMN views bigint DEFAULT 0`);
    await bench.query(`CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$`);
    await bench.query('CREATE TRIGGER bump BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION bump()');
    bench.configure({});
    await bench.run();

    await bench.query('UPDATE items SET views = views + 1');
    const touched = await bench.run();

    expect(touched).toMatchObject({ code: 0, touched: 2, providerCalls: 0 });
    expect(await bench.run()).toMatchObject({ code: 0, touched: 0 });
  });

  it('an application that updates all the time does not keep a run from its end', async () => {
    await createItems(
      bench,
      Array.from({ length: 20 }, (_, place) => `${CANARY} ${place}`),
    );
    bench.configure({});
    let stopped = false;
    const busy = (async () => {
      while (!stopped) {
        await bench.query('UPDATE items SET updated_at = clock_timestamp() WHERE id = 1');
        await new Promise(resolve => setTimeout(resolve, 200));
      }
    })();

    const run = await bench.run();
    stopped = true;
    await busy;

    expect(run).toMatchObject({ code: 0, embedded: 20 });
    expect(run.providerCalls).toBeLessThanOrEqual(2);
  });
});

describe('keys and updated_at of every type', () => {
  const texts = [
    'z',
    'Z',
    'ä',
    'a,b',
    '{"x"}',
    `it's "q"`,
    'back\\slash',
    'NULL',
    ' lead',
    'null\n2',
    'é',
    '',
  ];
  const uuid = (place: number) => `0b0e7f6e-0000-4000-8000-00000000000${place}`;

  it.each([
    ['bigint', 'timestamptz', ['-9223372036854775808', '-1', '0', '9007199254740993', '9223372036854775807']],
    ['integer', 'timestamptz(0)', ['-2147483648', '0', '2147483647']],
    ['uuid', 'timestamp', [3, 1, 2].map(uuid)],
    ['text', 'timestamptz', texts],
    ['text COLLATE "C"', 'timestamp(0)', texts],
    ['text COLLATE "de-x-icu"', 'timestamptz', texts],
    ['text COLLATE loose', 'timestamptz', texts.filter(text => text !== 'Z')],
    ['varchar(12)', 'timestamp(0)', texts],
    ['varchar(12) COLLATE "sv-x-icu"', 'timestamptz', texts],
    ['smallint', 'date', ['-32768', '0', '32767']],
    ['numeric(6,2)', 'timestamptz', ['-1.50', '0.00', '1.00', '1.01']],
    // In a schema that is not on the search path of a session of ours by itself.
    ['shelf.citext', 'timestamptz', ['Abc', 'abD', 'Ähre']],
    ['name', 'timestamptz', texts.filter(text => text !== '')],
  ])('%s with %s: embedded, edited, removed, and idle after', async (keyType, versionType, keys) => {
    await bench.query(
      `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await bench.query('CREATE SCHEMA shelf');
    await bench.query('CREATE EXTENSION citext SCHEMA shelf');
    await createItems(bench, [], { key: keyType, updatedAt: versionType });
    await bench.query(
      'INSERT INTO items (id, body) SELECT id::text::' +
        keyType.split(' ')[0] +
        `, '${CANARY} ' || id FROM unnest($1::text[]) id`,
      [keys],
    );
    const timeZone = versionType.startsWith('timestamptz') ? {} : { timeZone: 'America/St_Johns' };
    bench.configure({ sources: [itemsSource(timeZone)], limits: { sliceRows: 2 } });

    const first = await bench.run();
    const second = await bench.run();
    await bench.query(`UPDATE items SET body = body || ' edited', updated_at = now()`);
    const third = await bench.run('--batch-size', '2');

    expect(first).toMatchObject({ code: 0, embedded: keys.length });
    expect(second).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    expect(third).toMatchObject({ code: 0, embedded: keys.length });
    const wanted = keys.map(key => embedded(key, `${CANARY} ${key} edited`.trim()));
    expect(await bench.stored()).toEqual(expect.arrayContaining(wanted));
    expect(await bench.stored()).toHaveLength(keys.length);
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    expect(await bench.query('SELECT FROM items JOIN embeddings.items USING (id)')).toHaveLength(keys.length);
  });

  it.each(['shelf.citext', 'text COLLATE loose'])('a key of another case is the same row: %s', async key => {
    await bench.query('CREATE SCHEMA shelf');
    await bench.query('CREATE EXTENSION citext SCHEMA shelf');
    await bench.query(
      `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await createItems(bench, [], { key });
    await bench.query(`INSERT INTO items (id, body) VALUES ('Abc', '${CANARY}')`);
    bench.configure({});
    await bench.run();

    await bench.query(`UPDATE items SET id = 'ABC', body = '${CANARY} again', updated_at = now()`);

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    const equal = key.startsWith('shelf') ? 'OPERATOR(shelf.=)' : '=';
    const joined = `SELECT FROM items i JOIN embeddings.items e ON i.id ${equal} e.id`;
    expect(await bench.query(joined)).toHaveLength(1);
  });

  it('a partitioned table with the key (id, created_at) is embedded, and loses a partition', async () => {
    await bench.query(`CREATE TABLE items (id bigint, created_at timestamptz, body text,
      updated_at timestamptz DEFAULT now(), PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)`);
    await bench.query(
      `CREATE TABLE may PARTITION OF items FOR VALUES FROM ('2026-05-01Z') TO ('2026-06-01Z')`,
    );
    await bench.query('CREATE TABLE later PARTITION OF items DEFAULT');
    await bench.query(`INSERT INTO items SELECT n % 40, timestamptz '2026-05-30Z' + n * interval '1 hour',
      '${CANARY} ' || n FROM generate_series(1, 80) AS n`);
    bench.configure({ limits: { sliceRows: 30 } });

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 80 });
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0, touched: 0 });
    await bench.query(`UPDATE items SET body = body || '!', updated_at = now() WHERE id = 7`);
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 2 });
    expect(await bench.query('SELECT FROM items JOIN embeddings.items USING (id, created_at)')).toHaveLength(
      80,
    );
    await bench.query('DROP TABLE may');
    const dropped = await bench.run();
    expect(dropped.errors).not.toContain('rows are gone');
    expect(dropped.code).toBe(0);
  });

  it('a timestamp without time zone asks for the zone that its values are in', async () => {
    await createItems(bench, [CANARY], { updatedAt: 'timestamp' });
    bench.configure({});

    const run = await bench.run();

    expect(run).toMatchObject({ code: 2, error: { message: expect.stringContaining(`timeZone: 'UTC'`) } });
  });
});
