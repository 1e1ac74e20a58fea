import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createQueryRecorder } from '../../lib/pipeline/serve/record-queries.ts';
import type { QueryEntry } from '../../lib/ports/embedding-service.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';
import { createScriptedProvider, DIMENSIONS, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeModel } from '../factories/model-definition.ts';
import { openApi, settled } from './open-api.ts';

const model = 'small';
/** A dollar for each token. */
const models = [makeModel({ dimensions: DIMENSIONS, usdPerMillionTokens: 1e6 })];
const call = { modelAlias: model, texts: 1, tokens: 3, costUsd: 3 };

/** A database that is away, answers too late, or takes what it is given. */
function openLedger() {
  const rows = new Map<string, QueryEntry>();
  let state: 'well' | 'away' | 'deaf' = 'well';
  let tries = 0;
  const ledger = {
    async enter(entries: readonly QueryEntry[]) {
      tries += 1;
      if (state === 'away') failWith('transient', 'ECONNREFUSED');
      for (const entry of entries) rows.set(entry.entryId, rows.get(entry.entryId) ?? entry);
      if (state === 'deaf') failWith('transient', 'timeout');
    },
  };
  const turn = (next: typeof state) => {
    state = next;
  };
  return { ledger, turn, tries: () => tries, entries: () => [...rows.values()] };
}

function openRecorder() {
  const opened = openLedger();
  const logger = createRecordingLogger();
  const clock = createVirtualClock();
  const recorder = createQueryRecorder({
    ...{ ledger: opened.ledger, clock, logger },
    randomness: { identifier: randomUUID },
  });
  return { ...opened, recorder, clock, lines: logger.lines };
}

describe('what the vectors of clients cost', () => {
  test('is what the provider billed, of all calls of a model together', async () => {
    const { post, queries, entries, send } = openApi({ models });

    await post('/v1/embed', { model, texts: ['a', 'b'], input_type: 'query' });
    await post('/v1/embeddings', { model, input: 'c' });
    await post('/v1/embeddings', { model, input: 'c' });
    await queries.write();

    expect(entries).toMatchObject([{ modelAlias: model, calls: 2, texts: 3, tokens: 30, costUsd: 30 }]);
    expect((await send('/metrics')).text).toContain('embed_cost_usd_total{model="small"} 30');
  });

  test.each([
    ['a time-out, which may have been billed, by its estimate', 'transient', 'timeout', 2],
    ['a refusal, which is not', 'item', 'http_400', 1],
    ['an address where nobody listens', 'transient', 'network_econnrefused', 1],
  ] as const)('holds %s', async (_, failureClass, code, calls) => {
    const provider = createScriptedProvider();
    const { post, queries, entries } = openApi({ models, provider, clock: createVirtualClock() });
    provider.script = (request, number) => (number === 1 ? failWith(failureClass, code) : embedAll(request));

    await post('/v1/embed', { model, texts: ['a'] });
    await post('/v1/embed', { model, texts: ['a'] });
    await queries.write();

    expect(entries).toMatchObject([{ calls }]);
  });

  test('holds an answer that is of no use, because it is on the bill', async () => {
    const provider = createScriptedProvider(() => ({ items: [], tokens: 7, requestId: 'request' }));
    const { post, queries, entries } = openApi({ models, provider, clock: createVirtualClock() });

    const { status } = await post('/v1/embed', { model, texts: ['a'] });
    await queries.write();

    expect([status, entries]).toEqual([502, [expect.objectContaining({ calls: 3, tokens: 21 })]]);
  });

  test('is not entered where it is nothing', async () => {
    const { recorder, tries } = openRecorder();
    recorder.called({ ...call, costUsd: 0 });

    expect([await recorder.write(), tries()]).toEqual([true, 0]);
  });
});

describe('a recorder', () => {
  test('enters once what the database took without an answer', async () => {
    const { recorder, turn, entries } = openRecorder();
    turn('deaf');
    recorder.called(call);
    expect(await recorder.write()).toBe(false);
    turn('well');
    recorder.called(call);

    expect(await recorder.write()).toBe(true);

    expect(entries().map(({ costUsd }) => costUsd)).toEqual([3, 3]);
  });

  test('keeps one sum for each model while the database is away, and says so once', async () => {
    const { recorder, turn, entries, lines } = openRecorder();
    turn('away');
    for (let count = 0; count < 5; count += 1) {
      recorder.called(call);
      await recorder.write();
    }
    turn('well');
    await recorder.write();

    expect(entries().map(({ calls, costUsd }) => [calls, costUsd])).toEqual([
      [1, 3],
      [4, 12],
    ]);
    expect(lines.map(({ level, event, fields }) => [level, event, fields.code])).toEqual([
      ['warn', 'queries-not-recorded', 'ECONNREFUSED'],
    ]);
  });

  test('enters in turn what is asked for at the same time', async () => {
    const { recorder, entries } = openRecorder();
    recorder.called(call);

    await Promise.all([recorder.write(), recorder.write()]);

    expect(entries()).toHaveLength(1);
  });

  test('enters by itself every so often, until the service ends', async () => {
    const { recorder, clock, entries } = openRecorder();
    const ending = new AbortController();
    const writing = recorder.writeUntil(ending.signal, 5000);
    recorder.called(call);
    await clock.sleep(6000);
    expect(entries()).toHaveLength(1);

    ending.abort();
    recorder.called(call);
    await writing;
    expect(entries()).toHaveLength(1);
    await recorder.end(1000);

    expect(entries()).toHaveLength(2);
  });

  test('tells the log at its end what it could not enter in time', async () => {
    const { recorder, turn, lines } = openRecorder();
    turn('away');
    recorder.called(call);
    await recorder.write();
    recorder.called({ ...call, costUsd: 4 });

    await recorder.end(1000);

    expect(lines.at(-1)).toEqual({
      ...{ level: 'error', event: 'queries-lost' },
      fields: { calls: 2, costUsd: 7 },
    });
  });

  test('does not wait at its end for a database that never answers', async () => {
    const clock = createVirtualClock();
    const logger = createRecordingLogger();
    const ledger = { enter: () => new Promise<never>(() => undefined) };
    const recorder = createQueryRecorder({ ledger, clock, logger, randomness: { identifier: randomUUID } });
    recorder.called(call);

    await recorder.end(1000);
    await settled();

    expect(logger.lines).toMatchObject([{ event: 'queries-lost', fields: { calls: 1, costUsd: 3 } }]);
  });
});
