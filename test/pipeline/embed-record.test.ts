import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { parseAnnounceMessage } from '../../lib/core/messages.ts';
import { decodeResult } from '../../lib/core/result-codec.ts';
import type { ResultObject } from '../../lib/core/result-object.ts';
import { fingerprintText } from '../../lib/core/text.ts';
import { createRunTally } from '../../lib/local/run-tally.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import type { EmbedRequest } from '../../lib/ports/provider.ts';
import { createScriptedProvider, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { DISPATCH, leaseRow, putRow, storeOutcome } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { sourceOf, spaceOf } from '../twin/twin-database.ts';

/** What is remembered of a text that the provider refused. */
const VERDICT = { failureClass: 'item', code: 'http_400', attempts: 1 };

/** Rows with live leases and the message that detect would have sent for them. */
function dispatch(
  texts: readonly (string | null)[],
  changes: { space?: Partial<Parameters<typeof makeSpace>[0]> } = {},
) {
  const space = makeSpace(changes.space);
  const world = makeWorld([space]);
  const ids = texts.map((_, index) => `row-${String(index).padStart(3, '0')}`);
  for (const [index, id] of ids.entries()) {
    putRow(world.twin, space, id, texts[index] ?? null);
    leaseRow(world.twin, space, id);
  }
  return { world, space, ids, table: spaceOf(world.twin, space) };
}

async function embed(
  { world, ids, space }: ReturnType<typeof dispatch>,
  changes: { attempts?: number; receiveCount?: number; remainingMs?: number } = {},
) {
  const { attempts = 0, receiveCount = 1, remainingMs = 600_000 } = changes;
  const body = JSON.stringify({
    ...{ v: 1, kind: 'dispatch', spaceId: space.spaceId, lane: 'fresh', dispatchId: DISPATCH, attempts, ids },
  });
  const endsAtMs = world.clock.now() + remainingMs;
  const record = { messageId: 'message', receiptHandle: 'message#1', body, receiveCount };
  return embedRecord(world.embedPorts, record, () => endsAtMs - world.clock.now());
}

async function readResults(world: World): Promise<ResultObject[]> {
  const messages = world.results.remainingBodies().map(parseAnnounceMessage);
  const bodies = await Promise.all(messages.map(({ key }) => world.objects.get(key)));
  return bodies.map(body => decodeResult(body ?? Buffer.alloc(0)));
}

async function readResult(world: World): Promise<ResultObject> {
  const [result, ...others] = await readResults(world);
  if (!result || others.length > 0) throw new Error(`${others.length + 1} results`);
  return result;
}

const outcomesOf = (result: ResultObject) => result.outcomes.map(({ outcome }) => outcome);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);
const codesIn = (request: EmbedRequest, word: string) => request.texts.some(text => text.includes(word));

describe('a message of stale rows', () => {
  test('is granted, bought, stored, announced and marked, in that order', async () => {
    const batch = dispatch(numbered(3));

    const answer = await embed(batch);

    expect(answer).toBe('done');
    expect(batch.world.calls.events).toEqual([
      'reasons',
      'beginEmbedding',
      'readRows 10000',
      'lookUpHashes',
      'readPace',
      'readRateLimits',
      'takeTurn small',
      'grantCall',
      'storePace small',
      'put',
      'announce',
      'markAnnounced',
    ]);
    expect(outcomesOf(await readResult(batch.world))).toEqual(['embedded', 'embedded', 'embedded']);
  });

  test('of several batches reads its rows once, and settles each batch before it buys the next', async () => {
    const batch = dispatch(numbered(250));

    expect(await embed(batch)).toBe('done');

    const read = ['reasons', 'beginEmbedding', 'readRows 10000', 'lookUpHashes'];
    const taken = ['readPace', 'readRateLimits', 'takeTurn small', 'grantCall', 'storePace small'];
    const first = [...taken, 'put', 'announce'];
    const settled = ['grantCall', 'put', 'announce'];
    expect(batch.world.calls.events).toEqual([...read, ...first, ...settled, ...settled, 'markAnnounced']);
    const results = await readResults(batch.world);
    expect(results.map(({ outcomes }) => outcomes.length)).toEqual([100, 100, 50]);
    expect([...batch.table.leases.values()].map(({ stage }) => stage)).toEqual(Array(250).fill('announced'));
  });

  test('of several batches keeps and marks what was settled when a later call ends it', async () => {
    const batch = dispatch(numbered(250));
    batch.world.provider.script = async request =>
      codesIn(request, 'text 100') ? failWith('throttled', 'http_429', 300_000) : embedAll(request);

    expect(await embed(batch)).toBe('returned');

    expect((await readResult(batch.world)).outcomes).toHaveLength(100);
    const stages = [...batch.table.leases.values()].map(({ stage }) => stage);
    expect([stages.filter(stage => stage === 'announced').length, stages.length]).toEqual([100, 250]);
    expect(stages.filter(stage => stage === 'queued')).toHaveLength(150);
  });

  describe('from a queue that never delivers again what was done', () => {
    const deliveredOnce = (texts: readonly string[]) => {
      const batch = dispatch(texts);
      return {
        ...batch,
        world: { ...batch.world, embedPorts: { ...batch.world.embedPorts, redelivers: false as const } },
      };
    };
    const stagesOf = ({ table }: ReturnType<typeof dispatch>) =>
      [...table.leases.values()].map(({ stage }) => stage);

    test('leaves its leases as embedding took them once it is done', async () => {
      const batch = deliveredOnce(numbered(3));

      expect(await embed(batch)).toBe('done');

      expect(batch.world.calls.events).not.toContain('markAnnounced');
      expect(stagesOf(batch)).toEqual(['embedding', 'embedding', 'embedding']);
      expect(await readResult(batch.world)).toMatchObject({ outcomes: { length: 3 } });
    });

    test('marks what was settled when a later call ends it', async () => {
      const batch = deliveredOnce(numbered(101));
      batch.world.provider.script = async request =>
        codesIn(request, 'text 100') ? failWith('throttled', 'http_429', 300_000) : embedAll(request);

      expect(await embed(batch)).toBe('returned');

      expect(stagesOf(batch)).toEqual([...Array(100).fill('announced'), 'queued']);
    });

    test('marks what was settled when it ends so late that it may count as failed', async () => {
      const batch = deliveredOnce(numbered(3));
      batch.world.provider.script = async request => {
        await batch.world.clock.sleep(16_000);
        return embedAll(request);
      };

      expect(await embed(batch, { remainingMs: 20_000 })).toBe('done');

      expect(stagesOf(batch)).toEqual(['announced', 'announced', 'announced']);
    });
  });

  test('of several batches marks what was settled when the store fails in the middle', async () => {
    const batch = dispatch(numbered(250));
    let puts = 0;
    batch.world.calls.before = event => {
      if (event !== 'put') return;
      puts += 1;
      if (puts > 1) throw new FreshetError('refused', { failureClass: 'stop', code: 'refused' });
    };

    await expect(embed(batch)).rejects.toMatchObject({ code: 'refused' });

    const stages = [...batch.table.leases.values()].map(({ stage }) => stage);
    expect(stages.filter(stage => stage === 'announced')).toHaveLength(100);
  });

  test('of several batches waits for room before each but the first', async () => {
    const batch = dispatch(numbered(250));
    const bought: number[] = [];
    const waitForRoom = async () => void bought.push(batch.world.provider.requests.length);
    const world = { ...batch.world, embedPorts: { ...batch.world.embedPorts, waitForRoom } };

    await embed({ ...batch, world });

    expect(bought).toEqual([1, 2]);
  });

  test('leaves no text in the object, its key, the announcement or the log', async () => {
    const batch = dispatch(['CANARY one', 'CANARY two', '']);
    batch.world.provider.script = request =>
      codesIn(request, 'one') && request.texts.length > 1 ? failWith('item', 'http_400') : embedAll(request);

    await embed(batch);

    const [body = ''] = batch.world.results.remainingBodies();
    const object = await batch.world.objects.get(parseAnnounceMessage(body).key);
    const traces = body + object?.toString('latin1') + JSON.stringify(batch.world.logger.lines);
    expect(traces).not.toContain('CANARY');
  });

  test('skips rows that another dispatch took over', async () => {
    const batch = dispatch(numbered(3));
    const taken = batch.table.leases.get('row-001');
    if (taken) taken.dispatchId = 'another';

    await embed(batch);

    expect((await readResult(batch.world)).outcomes.map(({ id }) => id)).toEqual(['row-000', 'row-002']);
  });

  test('is acknowledged without a call when nothing of it is left', async () => {
    const batch = dispatch(numbered(2));
    batch.table.leases.clear();

    expect(await embed(batch)).toBe('done');
    expect(batch.world.provider.requests).toEqual([]);
  });

  test('drops the leases of rows that are gone or fresh already', async () => {
    const batch = dispatch(numbered(3));
    const { rows } = sourceOf(batch.world.twin, batch.space);
    const { version = null, xid = null } = rows.get('row-001') ?? {};
    rows.delete('row-000');
    storeOutcome(batch.world.twin, batch.space, 'row-001', {
      ...{ outcome: 'embedded', contentHash: 'x', version, xid },
    });

    await embed(batch);

    expect([...batch.table.leases.keys()]).toEqual(['row-002']);
    expect((await readResult(batch.world)).outcomes).toHaveLength(1);
  });

  test('is dropped with a reason when its space is retired', async () => {
    const batch = dispatch(numbered(1), { space: { status: 'retired' } });

    expect(await embed(batch)).toBe('done');
    expect(batch.world.logger.lines).toMatchObject([
      { event: 'message-dropped', fields: { cause: 'space-unknown-or-retired' } },
    ]);
  });

  test('gets the outcome undelivered without text or call after too many attempts', async () => {
    const batch = dispatch(numbered(2));

    await embed(batch, { attempts: 5 });

    expect(batch.world.calls.events).toContain('readRows 0');
    expect(batch.world.provider.requests).toEqual([]);
    expect((await readResult(batch.world)).outcomes).toMatchObject([
      { outcome: 'undelivered', contentHash: null },
      { outcome: 'undelivered', contentHash: null },
    ]);
  });
});

describe('texts', () => {
  test('that are empty or blank are excluded without a call', async () => {
    const batch = dispatch(['', '  \n', null]);

    await embed(batch);

    expect(outcomesOf(await readResult(batch.world))).toEqual(Array(3).fill('excluded:empty'));
    expect(batch.world.provider.requests).toEqual([]);
  });

  describe('of which the model knows no word', () => {
    const isForeign = (text: string) => text.startsWith('foreign');
    const excludeForeign = ({ texts }: EmbedRequest) => {
      const reply = embedAll({ texts, deadlineMs: 1000 });
      return {
        ...reply,
        items: reply.items.filter(({ index }) => !isForeign(texts[index] ?? '')),
        excluded: texts.flatMap((text, index) =>
          isForeign(text) ? [{ index, reason: 'unknown-words' as const }] : [],
        ),
      };
    };

    test('are excluded in the same one call, beside the vectors of the others', async () => {
      const texts = Array.from({ length: 100 }, (_, index) =>
        index % 4 ? `foreign ${index}` : `text ${index}`,
      );
      const batch = dispatch(texts);
      batch.world.provider.script = excludeForeign;

      await embed(batch);

      const result = await readResult(batch.world);
      expect(batch.world.provider.requests).toHaveLength(1);
      expect(outcomesOf(result)).toEqual(
        texts.map(text => (isForeign(text) ? 'excluded:unknown-words' : 'embedded')),
      );
      expect(result.verdicts).toEqual([]);
    });

    test('are excluded where a batch holds nothing else, without a probe and without a pause', async () => {
      const batch = dispatch(['foreign 1', 'foreign 2', 'foreign 3']);
      batch.world.provider.script = excludeForeign;

      expect(await embed(batch)).toBe('done');

      expect(batch.world.provider.requests).toHaveLength(1);
      expect(outcomesOf(await readResult(batch.world))).toEqual(Array(3).fill('excluded:unknown-words'));
      expect(batch.world.twin.pauses).toEqual([]);
    });

    test('leave unusable vectors of the same call to be judged on their own', async () => {
      const batch = dispatch(['foreign 1', 'spoiled', 'text']);
      batch.world.provider.script = request => {
        const reply = excludeForeign(request);
        const spoil = (index: number) => request.texts[index] === 'spoiled';
        return {
          ...reply,
          items: reply.items.map(item => (spoil(item.index) ? { ...item, bytes: Buffer.alloc(16) } : item)),
        };
      };

      await embed(batch);

      expect(outcomesOf(await readResult(batch.world))).toEqual([
        'excluded:unknown-words',
        'refused:invalid_vector',
        'embedded',
      ]);
    });

    test('are touched, without another call, when their row changes and their text does not', async () => {
      const batch = dispatch(['foreign 1']);
      storeOutcome(batch.world.twin, batch.space, 'row-000', {
        ...{ outcome: 'excluded:unknown-words', contentHash: fingerprintText('foreign 1') },
      });

      await embed(batch);

      expect(batch.world.provider.requests).toEqual([]);
      expect((await readResult(batch.world)).touches).toMatchObject([{ id: 'row-000' }]);
    });
  });

  test('carry the prefix to the provider and not into their fingerprint', async () => {
    const batch = dispatch(['apple'], { space: { model: { documentPrefix: 'passage: ' } } });

    await embed(batch);

    expect(batch.world.provider.requests[0]?.texts).toEqual(['passage: apple']);
    expect((await readResult(batch.world)).outcomes[0]?.contentHash).toBe(fingerprintText('apple'));
  });

  test('that are equal within a message are bought once and stored for every row', async () => {
    const batch = dispatch(['same', 'other', 'same']);

    await embed(batch);

    expect(batch.world.provider.requests[0]?.texts).toEqual(['same', 'other']);
    const result = await readResult(batch.world);
    expect(outcomesOf(result)).toEqual(Array(3).fill('embedded'));
    expect(result.calls).toMatchObject([{ items: 3, uniqueTexts: 2, tokens: 20, outcome: 'ok' }]);
  });

  test('that did not change since they were embedded are touched', async () => {
    const batch = dispatch(['same']);
    storeOutcome(batch.world.twin, batch.space, 'row-000', {
      ...{ outcome: 'embedded', contentHash: fingerprintText('same') },
    });

    await embed(batch);

    const result = await readResult(batch.world);
    expect(result).toMatchObject({
      outcomes: [],
      touches: [{ id: 'row-000', contentHash: fingerprintText('same') }],
    });
    expect(batch.world.provider.requests).toEqual([]);
  });

  test('that another row paid for are copied by their hash', async () => {
    const batch = dispatch(['same']);
    storeOutcome(batch.world.twin, batch.space, 'elsewhere', {
      ...{ outcome: 'embedded', contentHash: fingerprintText('same') },
    });

    await embed(batch);

    expect((await readResult(batch.world)).copies).toMatchObject([{ contentHash: fingerprintText('same') }]);
    expect(batch.world.provider.requests).toEqual([]);
  });

  test('that were refused before are refused from memory, on however many rows', async () => {
    const batch = dispatch(['bad', 'bad', 'good']);
    batch.table.failures.set(fingerprintText('bad'), VERDICT);

    await embed(batch);

    expect(batch.world.provider.requests.map(({ texts }) => texts)).toEqual([['good']]);
    expect(outcomesOf(await readResult(batch.world)).sort()).toEqual([
      'embedded',
      'refused:http_400',
      'refused:http_400',
    ]);
  });

  test('whose refusal stands are touched, and bought again once the verdict was removed', async () => {
    const batch = dispatch(['bad']);
    const contentHash = fingerprintText('bad');
    storeOutcome(batch.world.twin, batch.space, 'row-000', { outcome: 'refused:http_400', contentHash });
    batch.table.failures.set(contentHash, VERDICT);
    await embed(batch);
    batch.table.failures.clear();
    leaseRow(batch.world.twin, batch.space, 'row-000');
    await embed(batch);

    const results = await readResults(batch.world);

    expect(results[0]?.touches).toHaveLength(1);
    expect(outcomesOf(results[1] as ResultObject)).toEqual(['embedded']);
  });

  test('within the limit in bytes never ask the tokenizer', async () => {
    const batch = dispatch(['12345678'], { space: { model: { maxTokensPerText: 8 } } });

    await embed(batch);

    expect(batch.world.tokenizer.asked).toBe(0);
  });

  test('over the limit are cut by tokens, with both lengths kept', async () => {
    const batch = dispatch(['123456789'], { space: { model: { maxTokensPerText: 8 } } });

    await embed(batch);

    expect(batch.world.provider.requests[0]?.texts).toEqual(['12345678']);
    expect((await readResult(batch.world)).outcomes).toMatchObject([
      { textLength: 9, keptLength: 8, contentHash: fingerprintText('12345678') },
    ]);
  });

  test('over the limit are skipped where the source says so', async () => {
    const batch = dispatch(['123456789', 'short'], {
      space: { model: { maxTokensPerText: 8 }, source: { overLimit: 'skip' } },
    });
    const failed: string[] = [];
    batch.world.embedPorts = {
      ...batch.world.embedPorts,
      observer: createRunTally(batch.world.clock, row => failed.push(row.outcome)),
    };

    await embed(batch);

    expect(outcomesOf(await readResult(batch.world)).sort()).toEqual(['embedded', 'too-long']);
    expect(failed).toEqual([]);
  });

  test('over the limit are left to a server that tokenizes itself', async () => {
    const batch = dispatch(['123456789'], { space: { model: { maxTokensPerText: 8 } } });
    const provider = createScriptedProvider(embedAll, { tokenization: 'server' });

    await embed({
      ...batch,
      world: { ...batch.world, embedPorts: { ...batch.world.embedPorts, providers: () => provider } },
    });

    expect(provider.requests[0]?.texts).toEqual(['123456789']);
    expect(batch.world.tokenizer.asked).toBe(0);
  });

  test('are cut by characters on a code point', async () => {
    const batch = dispatch(['abc😀def'], { space: { source: { maxCharacters: 4 } } });

    await embed(batch);

    expect(batch.world.provider.requests[0]?.texts).toEqual(['abc']);
  });
});

describe('a poison text', () => {
  test.each([0, 1, 37, 50, 99])(
    'at %i of 100 costs at most 15 extra calls; the other 99 are embedded in the same run',
    async at => {
      const texts = numbered(100);
      texts[at] = 'POISON';
      const batch = dispatch(texts);
      batch.world.provider.script = request =>
        codesIn(request, 'POISON') ? failWith('item', 'http_400') : embedAll(request);

      const answer = await embed(batch);

      const result = await readResult(batch.world);
      expect(answer).toBe('done');
      expect(batch.world.provider.requests.length - 1).toBeLessThanOrEqual(15);
      expect(outcomesOf(result).filter(outcome => outcome === 'embedded')).toHaveLength(99);
      expect(result.verdicts).toEqual([
        { contentHash: fingerprintText('POISON'), failureClass: 'item', code: 'http_400' },
      ]);
      expect(result.outcomes.find(({ id }) => id === batch.ids[at])?.outcome).toBe('refused:http_400');
    },
  );

  test('alone in its message is told from a wrong configuration by one probe', async () => {
    const batch = dispatch(['POISON']);
    batch.world.provider.script = request =>
      codesIn(request, 'POISON') ? failWith('item', 'http_400') : embedAll(request);

    await embed(batch);

    expect(outcomesOf(await readResult(batch.world))).toEqual(['refused:http_400']);
    expect(batch.world.twin.pauses).toEqual([]);
  });

  test('is no verdict when every text is refused alike: the model is paused and nothing lost', async () => {
    const batch = dispatch(numbered(100));
    batch.world.provider.script = () => failWith('item', 'http_400');

    const answer = await embed(batch);

    expect(answer).toBe('returned');
    expect(batch.world.twin.pauses).toMatchObject([{ scope: 'model:small', reason: 'provider:http_400' }]);
    expect(batch.world.provider.requests.length).toBeLessThanOrEqual(10);
    expect(batch.world.results.remainingBodies()).toEqual([]);
    expect([...batch.table.leases.values()].map(({ stage }) => stage)).toEqual(Array(100).fill('queued'));
  });

  test('times many uses up the call budget; what was bought is kept and the rest comes back', async () => {
    const texts = numbered(100).map((text, index) => (index % 9 === 4 ? `POISON ${index}` : text));
    const batch = dispatch(texts);
    batch.world.provider.script = request =>
      codesIn(request, 'POISON') ? failWith('item', 'http_400') : embedAll(request);

    let answer = await embed(batch);
    const calls = batch.world.provider.requests.length;
    for (let receive = 0; receive < 30 && answer === 'returned'; receive += 1) answer = await embed(batch);

    expect(calls).toBeLessThanOrEqual(16);
    expect(answer).toBe('done');
    const outcomes = (await readResults(batch.world)).flatMap(outcomesOf);
    expect(outcomes).toHaveLength(100);
    expect(outcomes.filter(outcome => outcome === 'refused:http_400')).toHaveLength(11);
  });
});

describe('a reply', () => {
  test('with an unusable vector has that text tried once more, then refused', async () => {
    const batch = dispatch(['good', 'NAN', 'fine']);
    batch.world.provider.script = request => {
      const reply = embedAll(request);
      const items = reply.items.map(item =>
        request.texts[item.index] === 'NAN' ? { ...item, bytes: Buffer.alloc(16) } : item,
      );
      return { ...reply, items };
    };

    await embed(batch);

    expect(batch.world.provider.requests.map(({ texts }) => texts)).toEqual([
      ['good', 'NAN', 'fine'],
      ['NAN'],
    ]);
    const result = await readResult(batch.world);
    expect(result.outcomes.find(({ id }) => id === 'row-001')?.outcome).toBe('refused:invalid_vector');
    expect(result.verdicts).toMatchObject([{ code: 'invalid_vector' }]);
  });

  test('with too few vectors is repeated, then taken apart; nothing wrong is stored', async () => {
    const batch = dispatch(['one', 'DROPPED', 'three']);
    batch.world.provider.script = request => {
      const reply = embedAll(request);
      return { ...reply, items: reply.items.filter(({ index }) => request.texts[index] !== 'DROPPED') };
    };

    await embed(batch);

    const result = await readResult(batch.world);
    expect(result.outcomes.find(({ id }) => id === 'row-001')?.outcome).toBe('refused:invalid_reply_count');
    expect(outcomesOf(result).filter(outcome => outcome === 'embedded')).toHaveLength(2);
    expect(result.calls.some(({ outcome, tokens }) => outcome.includes('invalid_reply') && tokens > 0)).toBe(
      true,
    );
  });

  test('with its vectors out of order gives every row its own', async () => {
    const batch = dispatch(['one', 'two', 'three']);
    batch.world.provider.script = request => {
      const reply = embedAll(request);
      return { ...reply, items: [...reply.items].reverse() };
    };
    const straight = dispatch(['one', 'two', 'three']);

    await embed(batch);
    await embed(straight);

    const reversed = await readResult(batch.world);
    expect(reversed.vectors.equals((await readResult(straight.world)).vectors)).toBe(true);
  });

  test('that a call is too large has it split in halves', async () => {
    const batch = dispatch(numbered(8));
    batch.world.provider.script = request =>
      request.texts.length > 2 ? failWith('too-large', 'max_tokens_per_request') : embedAll(request);

    await embed(batch);

    expect(outcomesOf(await readResult(batch.world))).toEqual(Array(8).fill('embedded'));
    expect(batch.world.provider.requests.map(({ texts }) => texts.length)).toEqual([8, 4, 2, 2, 4, 2, 2]);
  });
});

describe('a failing provider', () => {
  test.each([0, 1, 4])('is tried as often as its model says: %i more times', async maxRetries => {
    const batch = dispatch(numbered(2), { space: { model: { maxRetries } } });
    batch.world.provider.script = () => failWith('transient', 'http_503');

    await embed(batch);

    expect(batch.world.provider.requests).toHaveLength(maxRetries + 1);
  });

  test('has the time that its model says, and no more than the invocation has left', async () => {
    const slow = dispatch(numbered(1), { space: { model: { timeoutSeconds: 120 } } });
    const late = dispatch(numbered(1), { space: { model: { timeoutSeconds: 120 } } });

    await embed(slow);
    await embed(late, { remainingMs: 60_000 });

    expect(slow.world.provider.requests[0]?.deadlineMs).toBe(120_000);
    expect(late.world.provider.requests[0]?.deadlineMs).toBe(55_000);
  });

  test('whose backend breaks under a batch gets its texts in smaller ones', async () => {
    const batch = dispatch(numbered(4));
    batch.world.provider.script = request =>
      request.texts.length > 2 ? failWith('transient', 'tei_backend') : embedAll(request);

    expect(await embed(batch)).toBe('done');

    expect(outcomesOf(await readResult(batch.world))).toEqual(Array(4).fill('embedded'));
    expect(batch.world.provider.requests.map(({ texts }) => texts.length)).toEqual([4, 4, 2, 2]);
  });

  test('that finds everything too large is paused; no text is blamed', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('too-large', 'http_413');

    await embed(batch);

    expect(batch.world.results.remainingBodies()).toEqual([]);
    expect(batch.world.twin.pauses).toHaveLength(1);
  });

  test('that finds one text too large leaves it out and embeds the others', async () => {
    const batch = dispatch(['LONG', ...numbered(2)]);
    batch.world.provider.script = request =>
      codesIn(request, 'LONG') ? failWith('too-large', 'http_413') : embedAll(request);

    await embed(batch);

    expect(outcomesOf(await readResult(batch.world)).sort()).toEqual(['embedded', 'embedded', 'too-long']);
  });

  test('whose reply names a model that nobody knows is counted', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = request => ({ ...embedAll(request), model: 'someones-deployment' });

    expect(await embed(batch)).toBe('done');

    expect(batch.world.metrics.sums.get('UnfamiliarModelNames')).toBe(1);
  });

  test('whose reply names another known model is paused, and what it counted stays in the ledger', async () => {
    const batch = dispatch(numbered(2), { space: { model: { modelId: 'text-embedding-3-small' } } });
    batch.world.provider.script = request => ({ ...embedAll(request), model: 'text-embedding-ada-002' });

    await embed(batch);

    expect(batch.world.twin.pauses).toMatchObject([{ reason: 'provider:wrong_model' }]);
    const { calls, outcomes } = await readResult(batch.world);
    expect(outcomes).toEqual([]);
    expect(calls).toMatchObject([
      { outcome: 'stop:wrong_model', tokens: 20, costUsd: 0.02, requestId: 'request' },
    ]);
  });

  test('is tried three times on a transient failure, then the message waits and no attempt counts', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('transient', 'http_503');

    const answer = await embed(batch);

    expect(answer).toBe('returned');
    expect(batch.world.provider.requests).toHaveLength(3);
    expect([...batch.table.leases.values()].map(({ stage }) => stage)).toEqual(['queued', 'queued']);
    expect(batch.world.twin.grants.size).toBe(0);
    expect(batch.world.results.remainingBodies()).toEqual([]);
  });

  test('that recovers within the tries costs nothing but time', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = (request, call) =>
      call < 3 ? failWith('transient', 'http_503') : embedAll(request);

    expect(await embed(batch)).toBe('done');
    expect((await readResult(batch.world)).calls.map(({ outcome, costUsd }) => [outcome, costUsd])).toEqual([
      ['transient:http_503', 0],
      ['transient:http_503', 0],
      ['ok', 0.02],
    ]);
  });

  test('whose call timed out leaves its estimate in the ledger, for it may have been billed', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('transient', 'timeout');

    await embed(batch);

    const result = await readResult(batch.world);
    expect(result.outcomes).toEqual([]);
    expect(result.calls.map(({ outcome, tokens }) => [outcome, tokens > 0])).toEqual(
      Array(3).fill(['transient:timeout', true]),
    );
  });

  test('that throttles for a short time is waited for', async () => {
    const batch = dispatch(numbered(2));
    const startedMs = batch.world.clock.now();
    batch.world.provider.script = (request, call) =>
      call === 1 ? failWith('throttled', 'rate_limit', 7_000) : embedAll(request);

    expect(await embed(batch)).toBe('done');
    expect(batch.world.clock.now() - startedMs).toBe(7_000);
  });

  test('that throttles for longer has the message hidden for as long as it asked', async () => {
    const batch = dispatch(numbered(2));
    const queue = batch.world.dispatch[0]?.queue;
    const hidden: number[] = [];
    if (queue) queue.changeVisibility = async (_receipt, seconds) => void hidden.push(seconds);
    batch.world.provider.script = () => failWith('throttled', 'rate_limit', 90_000);

    expect(await embed(batch)).toBe('returned');
    expect(hidden).toEqual([90]);
    expect(batch.world.calls.events).toContain('postponeLeases 150');
    expect(batch.world.provider.requests).toHaveLength(1);
  });

  test('that throttles on the next-to-last receive has the message acknowledged and its leases expire at the hint', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('throttled', 'rate_limit', 90_000);

    expect(await embed(batch, { receiveCount: 4 })).toBe('done');
    expect(batch.world.calls.events).toContain('postponeLeases 90');
  });

  test('that says stop pauses the model with the reason and loses nothing', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('stop', 'unauthorized');

    expect(await embed(batch)).toBe('returned');
    expect(batch.world.twin.pauses).toMatchObject([
      { scope: 'model:small', reason: 'provider:unauthorized' },
    ]);
    expect(batch.world.tally.stopReason()?.code).toBe('unauthorized');
    expect(batch.table.leases.size).toBe(2);
  });

  test('is not called while a pause reason exists', async () => {
    const batch = dispatch(numbered(2));
    await batch.world.control.pause('model:small', 'budget', '');

    expect(await embed(batch)).toBe('returned');
    expect(batch.world.provider.requests).toEqual([]);
    expect(batch.world.calls.events).not.toContain('beginEmbedding');
  });

  test('is not called any more once a pause is set between two calls, and keeps what was bought', async () => {
    const batch = dispatch(['one', 'two']);
    batch.world.provider = createScriptedProvider(undefined, { maxTextsPerCall: 1 });
    batch.world.embedPorts = { ...batch.world.embedPorts, providers: () => batch.world.provider };
    batch.world.provider.script = request => {
      batch.world.twin.pauses.push({ scope: 'pipeline', reason: 'operator', detail: '', since: 0 });
      return embedAll(request);
    };

    expect(await embed(batch)).toBe('returned');
    expect(batch.world.provider.requests).toHaveLength(1);
    expect((await readResult(batch.world)).outcomes).toHaveLength(1);
    expect(batch.world.twin.grants.size).toBe(1);
    expect(batch.world.calls.events).toContain('postponeLeases 120');
  });

  test('that fails for no known reason has the message neither acknowledged nor postponed, and alarmed', async () => {
    const batch = dispatch(numbered(2));
    batch.world.provider.script = () => failWith('unknown', 'unclassified');

    expect(await embed(batch, { receiveCount: 4 })).toBe('returned');
    expect(batch.world.logger.lines.some(({ level }) => level === 'error')).toBe(true);
    expect([...batch.table.leases.values()].map(({ stage }) => stage)).toEqual(['embedding', 'embedding']);
  });

  test('keeps what it sold before it failed', async () => {
    const batch = dispatch(numbered(4));
    const provider = createScriptedProvider(
      (request, call) => (call === 1 ? embedAll(request) : failWith('stop', 'insufficient_quota')),
      { maxTextsPerCall: 2 },
    );
    const embedPorts = { ...batch.world.embedPorts, providers: () => provider };

    const answer = await embed({ ...batch, world: { ...batch.world, embedPorts } });

    expect(answer).toBe('returned');
    expect((await readResult(batch.world)).outcomes.map(({ id }) => id)).toEqual(['row-000', 'row-001']);
    expect([...batch.table.leases.values()].map(({ stage }) => stage)).toEqual([
      'announced',
      'announced',
      'queued',
      'queued',
    ]);
  });

  test('is not called when there is no time left to keep what it would sell', async () => {
    const batch = dispatch(numbered(2));

    expect(await embed(batch, { remainingMs: 5_500 })).toBe('returned');
    expect(batch.world.provider.requests).toEqual([]);
    expect(batch.world.calls.events).toContain('postponeLeases 60');
  });

  test('has a deadline within the time that is left', async () => {
    const batch = dispatch(numbered(2));

    await embed(batch, { remainingMs: 20_000 });

    expect(batch.world.provider.requests[0]?.deadlineMs).toBe(15_000);
  });
});

describe('a failing announcement', () => {
  test('is repeated, and then fails the message before anything is marked', async () => {
    const batch = dispatch(numbered(2));
    let tries = 0;
    batch.world.calls.before = event => {
      if (event !== 'announce') return;
      tries += 1;
      throw new FreshetError('gone', { failureClass: 'transient', code: 'queue_down' });
    };

    await expect(embed(batch)).rejects.toMatchObject({ code: 'queue_down' });
    expect(tries).toBe(3);
    expect(batch.world.calls.events).not.toContain('markAnnounced');
  });
});
