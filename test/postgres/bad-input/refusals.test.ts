import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Behaviour, LoopbackCall, ReplyItem } from '../../doubles/loopback-openai-server.ts';
import {
  CANARY,
  createItems,
  embedded,
  itemsSource,
  openWorkbench,
  type Workbench,
  withoutVector,
} from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
  bench.configure({});
});
afterEach(() => bench.close());

const BAD = `${CANARY} that no provider takes`;
const numbered = (count: number) => Array.from({ length: count }, (_, place) => `${CANARY} ${place + 1}`);
const refuseBad = (call: LoopbackCall): Behaviour =>
  call.texts.includes(BAD) ? { kind: 'echo', status: 400 } : { kind: 'embed' };
const callsWithBad = () => bench.server.calls.filter(call => call.texts.includes(BAD)).length;

describe('a text refused with 400 in a batch of 100', () => {
  it('leaves the other 99 embedded in the same run, and one verdict', async () => {
    const texts = numbered(100).with(41, BAD);
    await createItems(bench, texts);
    bench.server.setBehaviour(refuseBad);

    const run = await bench.run();

    expect(run).toMatchObject({ code: 3, embedded: 99, failed: 1 });
    expect(run.spaces[0]).toMatchObject({ eligible: 100, fresh: 99, failed: 1, stale: 0, inFlight: 0 });
    expect(run.providerCalls).toBeLessThanOrEqual(16);
    expect(await bench.stored()).toEqual(
      texts.map((text, place) =>
        text === BAD ? withoutVector(42, 'refused:http_400') : embedded(place + 1, text),
      ),
    );
    expect(await bench.query('SELECT failure_class, code, attempts FROM freshet.failures')).toEqual([
      { failure_class: 'item', code: 'http_400', attempts: 1 },
    ]);
  });

  it('is never bought again, on 1,000 equal rows either', async () => {
    await createItems(bench, numbered(100).with(41, BAD));
    bench.server.setBehaviour(refuseBad);
    await bench.run();
    const calls = callsWithBad();

    expect(await bench.run()).toMatchObject({ code: 3, providerCalls: 0, failed: 0 });
    await bench.query(`UPDATE items SET updated_at = now() WHERE id = 42`);
    expect(await bench.run()).toMatchObject({ code: 3, providerCalls: 0 });
    await bench.query(`INSERT INTO items (id, body) SELECT 1000 + n, $1 FROM generate_series(1, 1000) n`, [
      BAD,
    ]);
    expect(await bench.run()).toMatchObject({ code: 3, providerCalls: 0, failed: 1000 });

    expect(callsWithBad()).toBe(calls);
    expect(await bench.query('SELECT attempts FROM freshet.failures')).toEqual([{ attempts: 1 }]);
    const failures = await bench.cli('failures');
    expect(failures.output).toMatch(/1,001 rows, item http_400/);
  });

  it('is bought only until its verdict is written, where 1,000 equal rows are the first', async () => {
    await createItems(bench, numbered(1100).fill(BAD, 100));
    bench.server.setBehaviour(refuseBad);

    expect(await bench.run('--concurrency', '2')).toMatchObject({ code: 3, embedded: 100, failed: 1000 });

    // Two workers, and what they took up before the writer was through: not the ten batches that there are.
    expect(callsWithBad()).toBeLessThanOrEqual(4);
  });

  it('is tried again when somebody asks for it, and when it was edited', async () => {
    await createItems(bench, [...numbered(2), BAD, BAD]);
    bench.server.setBehaviour(refuseBad);
    await bench.run();
    await bench.query(`UPDATE items SET body = $1, updated_at = now() WHERE id = 3`, [`${CANARY} mended`]);
    bench.server.setBehaviour(() => ({ kind: 'embed' }));

    expect(await bench.run()).toMatchObject({ code: 3, embedded: 1, providerCalls: 1 });
    expect((await bench.cli('retry', '--item', '4')).code).toBe(0);
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 1, providerCalls: 1 });
    expect((await bench.stored()).slice(2)).toEqual([embedded(3, `${CANARY} mended`), embedded(4, BAD)]);
  });
});

describe('a row to try again, named by its id', () => {
  it('is found behind a source whose keys are of a type that takes no such id', async () => {
    for (const [table, first, second] of [
      ['items', 'uuid', 'int'],
      ['words', 'text', 'text'],
    ])
      await bench.query(`CREATE TABLE ${table} (a ${first}, b ${second}, body text,
        updated_at timestamptz DEFAULT now(), PRIMARY KEY (a, b))`);
    await bench.query('INSERT INTO words VALUES ($1, $2, $3)', ['de', 'hello', BAD]);
    bench.configure({ sources: [itemsSource(), itemsSource({ name: 'words', table: 'words' })] });
    bench.server.setBehaviour(refuseBad);
    expect(await bench.run()).toMatchObject({ code: 3, failed: 1 });
    bench.server.setBehaviour(() => ({ kind: 'embed' }));

    const item = '["de","hello"]';
    expect(await bench.cli('retry', '--item', item)).toMatchObject({ code: 0 });
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    expect(await bench.cli('retry', '--item', item, '--source', 'items')).toMatchObject({
      code: 2,
      errors: expect.stringContaining('Source "items": '),
    });
  });
});

describe('fewer, reordered, NaN, zero or wrong-length vectors', () => {
  const texts = numbered(5);
  const right = texts.map((text, place) => embedded(place + 1, text));
  const alter = (data: (items: ReplyItem[]) => unknown): Behaviour => ({ kind: 'alter', data });
  const vectors = (change: (vector: Buffer) => Buffer): Behaviour => ({
    kind: 'vectors',
    vector: (text, _place, vector) => (text === texts[2] ? change(Buffer.from(vector)) : vector),
  });
  const withFloat = (value: number) =>
    vectors(vector => {
      vector.writeFloatLE(value, 4);
      return vector;
    });

  const wrong: readonly (readonly [string, Behaviour])[] = [
    ['fewer', alter(data => data.slice(1))],
    ['more', alter(data => [...data, { ...data[0], index: data.length }])],
    ['one index twice', alter(data => data.map(item => ({ ...item, index: 0 })))],
    ['NaN', withFloat(Number.NaN)],
    ['infinite', withFloat(Number.POSITIVE_INFINITY)],
    ['zero', vectors(vector => vector.fill(0))],
    ['wrong-length', vectors(vector => vector.subarray(4))],
    ['not of length 1', withFloat(7)],
    [
      'no base64',
      alter(data => data.map((item, place) => (place === 2 ? { ...item, embedding: '?' } : item))),
    ],
    ['null', alter(data => data.map((item, place) => (place === 2 ? { ...item, embedding: null } : item)))],
    ['not JSON', { kind: 'raw', body: `<html>${CANARY}</html>` }],
    ['truncated JSON', { kind: 'truncated-json' }],
  ];

  it.each(wrong)('are asked for again, and come right: %s', async (_name, behaviour) => {
    await createItems(bench, texts);
    bench.server.setBehaviour((_call, before) => (before === 0 ? behaviour : { kind: 'embed' }));

    const run = await bench.run();

    expect(run).toMatchObject({ code: 0, embedded: 5, failed: 0 });
    expect(await bench.stored()).toEqual(right);
  });

  it('reordered ones are put in order by their index', async () => {
    await createItems(bench, texts);
    bench.server.setBehaviour(() => alter(data => data.toReversed()));

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 5, providerCalls: 1 });
    expect(await bench.stored()).toEqual(right);
  });

  it.each([
    ['NaN', withFloat(Number.NaN)],
    ['zero', vectors(vector => vector.fill(0))],
    ['wrong-length', vectors(vector => vector.subarray(4))],
  ])('refuse the one text whose vector never comes right: %s', async (_name, behaviour) => {
    await createItems(bench, texts);
    bench.server.setBehaviour(() => behaviour);

    const run = await bench.run();
    const calls = bench.server.callCount;
    await bench.run();

    expect(run).toMatchObject({ code: 3, embedded: 4, failed: 1 });
    expect(await bench.stored()).toEqual(right.with(2, withoutVector(3, 'refused:invalid_vector')));
    expect(bench.server.callCount).toBe(calls);
  });

  it.each([
    ['fewer', alter(data => data.slice(1))],
    ['not JSON', { kind: 'raw', body: 'no' }],
    ['all zero', { kind: 'vectors', vector: (_text, _place, vector) => Buffer.alloc(vector.length) }],
  ] satisfies [string, Behaviour][])(
    'store nothing and leave no verdict where every reply is wrong: %s',
    async (_name, behaviour) => {
      await createItems(bench, texts);
      bench.server.setBehaviour(() => behaviour);

      const run = await bench.run('--max-wait', '3s');
      bench.server.setBehaviour(() => ({ kind: 'embed' }));

      expect(run).toMatchObject({ code: 1, embedded: 0, failed: 0 });
      expect(run.error?.message).toMatch(/provider/i);
      expect(await bench.query('SELECT FROM freshet.failures')).toEqual([]);
      expect(await bench.run()).toMatchObject({ code: 0, embedded: 5 });
      expect(await bench.stored()).toEqual(right);
    },
  );
});
