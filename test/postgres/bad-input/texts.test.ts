import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
});
afterEach(() => bench.close());

const sentTexts = () => bench.server.calls.flatMap(call => call.texts);

describe('empty, whitespace-only or NULL text', () => {
  const blank = [null, '', '   ', '\n\t\r\n', '\u00a0\u2003\u3000\ufeff'];

  it('is excluded:empty without a call, and not looked at again until edited', async () => {
    await createItems(bench, [...blank, CANARY]);
    bench.configure({});

    const first = await bench.run();
    const rows = await bench.query('SELECT *, xmin FROM freshet.vectors_1 ORDER BY 1');
    const second = await bench.run();

    expect(first).toMatchObject({ code: 0, excluded: 5, embedded: 1, providerCalls: 1 });
    expect(first.spaces[0]).toMatchObject({ eligible: 6, fresh: 1, excluded: 5, coveragePercent: 100 });
    expect(sentTexts()).toEqual([CANARY]);
    expect(second).toMatchObject({ code: 0, excluded: 0, touched: 0, providerCalls: 0 });
    expect(await bench.query('SELECT *, xmin FROM freshet.vectors_1 ORDER BY 1')).toEqual(rows);

    await bench.query(`UPDATE items SET body = $1, updated_at = now() WHERE id = 2`, [`${CANARY} at last`]);
    await bench.query(`UPDATE items SET body = NULL, updated_at = now() WHERE id = 6`);
    const third = await bench.run();

    expect(third).toMatchObject({ code: 0, embedded: 1, excluded: 1 });
    expect(await bench.stored()).toEqual([
      withoutVector(1, 'excluded:empty'),
      embedded(2, `${CANARY} at last`),
      ...[3, 4, 5, 6].map(id => withoutVector(id, 'excluded:empty')),
    ]);
  });

  it('makes no call at all for a table of them, nor for an empty table', async () => {
    await createItems(bench, blank);
    await createItems(bench, [], { table: 'nothing' });
    bench.configure({ sources: [itemsSource(), itemsSource({ name: 'nothing', table: 'nothing' })] });

    expect(await bench.run()).toMatchObject({ code: 0, excluded: 5, providerCalls: 0 });
    expect(await bench.run()).toMatchObject({ code: 0, excluded: 0 });
    expect(bench.server.callCount).toBe(0);
  });
});

describe('NUL, lone surrogates, 1 MB text, emoji, right-to-left, CJK', () => {
  const texts = [
    `${CANARY} 👩‍👩‍👧‍👦 🏳️‍🌈 ☺️ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢`,
    `${CANARY} مرحبا بالعالم ‏שלום‏ עולם`,
    `${CANARY} 漢字かな交じり文 한국어 繁體中文 𠮷野家`,
    `${CANARY} e\u0301 \u202eoverride\u202c \u0001\u001b[31m \\x00 "quoted" 'single' {a,b} NULL \ufffd`,
  ];
  const long = `${CANARY} ${'lorem ipsum '.repeat(90_000)}`.trimEnd();

  it('are embedded as they are, the longest up to 256 KB of a column', async () => {
    const kept = [...texts, long.slice(0, 262_144).trimEnd()];
    await createItems(bench, [...texts, long]);
    bench.configure({});

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 5, failed: 0 });
    expect(await bench.stored()).toEqual(kept.map((text, place) => embedded(place + 1, text)));
    expect(sentTexts().toSorted()).toEqual(kept.toSorted());
    expect(await bench.query('SELECT text_length FROM freshet.vectors_1 WHERE item_id = 5')).toEqual([
      { text_length: long.length },
    ]);
  });

  it('are sent without the NUL and the lone surrogates that a template brings', async () => {
    await expect(bench.query(`SELECT chr(0)`)).rejects.toThrow();
    await createItems(bench, texts);
    bench.configure({
      sources: [itemsSource({ text: { columns: ['body'], template: '\ud800\u0000{body}\udc00' } })],
    });

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 4 });
    expect(await bench.stored()).toEqual(
      texts.map((text, place) => embedded(place + 1, `\ufffd${text}\ufffd`)),
    );
  });

  it('are not cut in the middle of a pair', async () => {
    await createItems(bench, [`${CANARY}👩👩👩`]);
    bench.configure({ limits: { maxCharacters: CANARY.length + 3 } });

    expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    expect(await bench.stored()).toEqual([embedded(1, `${CANARY}👩`)]);
  });

  it.each([
    [413, {}, 'too-long'],
    [400, { error: { code: 'context_length_exceeded', message: CANARY } }, 'refused:context_length_exceeded'],
    [422, { detail: CANARY }, 'refused:http_422'],
  ])('are refused alone where the provider answers %i', async (status, body, outcome) => {
    await createItems(bench, [...texts, long]);
    bench.server.setBehaviour(call =>
      call.texts.some(text => text.length > 1000) ? { kind: 'status', status, body } : { kind: 'embed' },
    );
    bench.configure({});

    const run = await bench.run();
    const calls = bench.server.callCount;

    expect(run).toMatchObject({ embedded: 4 });
    expect(await bench.stored()).toEqual([
      ...texts.map((text, place) => embedded(place + 1, text)),
      withoutVector(5, outcome),
    ]);
    await bench.run();
    expect(bench.server.callCount).toBe(calls);
  });
});
