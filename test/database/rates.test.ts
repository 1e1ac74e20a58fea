import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createPaceStore } from '../../lib/adapters/sql/pace-store.ts';
import { type RateLimits, UNLIMITED } from '../../lib/core/rate.ts';
import type { PaceStore, RateAsk } from '../../lib/ports/pace-store.ts';
import { openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';
import { stopClock } from './stop-clock.ts';

let db: SqlDatabase;
let store: PaceStore;
let run: (statement: string) => Promise<{ rows: unknown[] }>;

beforeEach(async () => {
  db = await openTestDatabase();
  await openSpace(db);
  return () => db.close();
});

function open(opened: SqlDatabase): void {
  store = createPaceStore(opened);
  run = statement => sql.raw(statement).execute(opened.kysely);
}

/** 6,000 tokens a minute are 100 a second, of which 97 are used: the burst has 145.5. */
const ask = (changes: Partial<RateAsk> = {}): RateAsk => ({
  ...{ lane: 'bulk', tokens: 100, largestTokens: 1_000, hidesAboveMs: null },
  ...{ limits: { requestsPerMinute: null, tokensPerMinute: 6_000 } },
  ...changes,
});
const take = (changes: Partial<RateAsk> = {}) => store.takeRate('small', ask(changes));
/** Lets time pass, for the row: what it has of time moves into the past. */
const pass = (seconds: number) =>
  run(`UPDATE freshet.paces SET tokens_due = tokens_due - ${seconds}, requests_due = requests_due - ${seconds},
    throttled_at = throttled_at - ${seconds}, waits_until = waits_until - ${seconds},
    fresh_waits_until = fresh_waits_until - ${seconds}, granted_at = granted_at - ${seconds},
    answered_at = answered_at - ${seconds}`);
const readShare = async () => {
  const { rows } = await run('SELECT rate_share FROM freshet.paces');
  return (rows as { rate_share: number }[])[0]?.rate_share;
};
const between = (value: number, least: number, most: number) => {
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
};

describe('the rate of a model', () => {
  /** Only `pass` lets time go on, so that a slow machine is no reason to wait less. */
  beforeEach(async () => {
    const stopped = await stopClock(db);
    open(stopped.db);
    return stopped.end;
  });

  test('grants a burst, then as much as the limit allows, and says how long to wait', async () => {
    expect(await take()).toBe(0);
    between(await take(), 300, 570);
    await pass(1);
    expect(await take()).toBe(0);
  });

  test('counts requests beside tokens: the limit that is nearer holds', async () => {
    const limits = { requestsPerMinute: 60, tokensPerMinute: 1e9 };

    expect(await take({ limits, tokens: 1 })).toBe(0);
    between(await take({ limits, tokens: 1 }), 300, 570);
  });

  test('grants a call that is larger than the burst once nothing is owed, and owes all of it then', async () => {
    expect(await take({ tokens: 970 })).toBe(0);
    between(await take({ tokens: 970 }), 9_000, 10_000);
    await pass(10.1);
    expect(await take({ tokens: 970 })).toBe(0);
  });

  test('gives back what a call cost less, and owes what it cost more', async () => {
    const { limits } = ask();
    await take();
    await store.noteRate('small', { limits, excessTokens: -100, isAnswered: true });
    expect(await take()).toBe(0);

    await store.noteRate('small', { limits, excessTokens: 970, isAnswered: true });
    between(await take(), 9_000, 11_000);
  });

  test('gives each refused message a moment of its own to come back at, and edits their own', async () => {
    await take();
    const waits = [
      await take({ hidesAboveMs: 0 }),
      await take({ hidesAboveMs: 0 }),
      await take({ hidesAboveMs: 0 }),
    ];

    between((waits[1] ?? 0) - (waits[0] ?? 0), 400, 560);
    between((waits[2] ?? 0) - (waits[1] ?? 0), 400, 560);
    between(await take({ hidesAboveMs: 0, lane: 'fresh' }), 1, 600);
  });

  test('lets an edit that had to wait go before bulk work, for two seconds', async () => {
    await take();
    await take();
    expect(await take({ lane: 'fresh' })).toBeGreaterThan(0);
    await pass(1.2);

    between(await take({ tokens: 1 }), 1, 800);
    expect(await take({ lane: 'fresh' })).toBe(0);
    await pass(1);
    expect(await take({ tokens: 1 })).toBe(0);
  });

  test('is lowered by a refusal for every worker, once for refusals of one moment, and grows again', async () => {
    const { limits } = ask();
    await take();
    await store.noteRate('small', {
      limits,
      excessTokens: -100,
      isAnswered: false,
      throttled: { retryAfterMs: undefined, lowersRate: true },
    });
    await store.noteRate('small', {
      limits,
      excessTokens: 0,
      isAnswered: false,
      throttled: { retryAfterMs: undefined, lowersRate: true },
    });
    expect(await readShare()).toBeCloseTo(0.7, 5);

    await pass(29);
    await store.noteRate('small', {
      limits,
      excessTokens: 0,
      isAnswered: false,
      throttled: { retryAfterMs: undefined, lowersRate: true },
    });
    expect(await readShare()).toBeCloseTo(0.7, 5);
    await pass(2);
    await store.noteRate('small', {
      limits,
      excessTokens: 0,
      isAnswered: false,
      throttled: { retryAfterMs: undefined, lowersRate: true },
    });
    expect(await readShare()).toBeGreaterThan(0.48);
    expect(await readShare()).toBeLessThan(0.51);
    await pass(3600);
    expect(await take({ tokens: 140 })).toBe(0);
  });

  test('is lowered once by refusals of one moment, also where a call was answered between them', async () => {
    const { limits } = ask();
    const refused = { retryAfterMs: undefined, lowersRate: true };
    await take();
    await store.noteRate('small', { limits, excessTokens: 0, isAnswered: false, throttled: refused });
    await pass(0.5);
    await store.noteRate('small', { limits, excessTokens: 0, isAnswered: true });
    await store.noteRate('small', { limits, excessTokens: 0, isAnswered: false, throttled: refused });

    expect(await readShare()).toBeCloseTo(0.7, 3);
  });

  test('waits for as long as the provider asks, for ten minutes at the most', async () => {
    const { limits } = ask();
    await take({ tokens: 1 });
    await store.noteRate('small', {
      limits,
      excessTokens: 0,
      isAnswered: false,
      throttled: { retryAfterMs: 3_600_000, lowersRate: true },
    });

    between(await take({ tokens: 1 }), 590_000, 600_000);
    await pass(601);
    expect(await take({ tokens: 1 })).toBe(0);
  });

  test('leaves nothing of the burst after a refusal, and saves none while the provider asks to wait', async () => {
    const requests = { requestsPerMinute: 60, tokensPerMinute: null };
    for (const { limits, second } of [
      { limits: ask().limits, second: 97 },
      { limits: requests, second: 1 },
    ]) {
      await take({ limits, tokens: 1 });
      await store.noteRate('small', {
        ...{ limits, excessTokens: -1, isAnswered: false },
        throttled: { retryAfterMs: 5_000, lowersRate: false },
      });
      await pass(5);

      between(await take({ limits, tokens: second }), 900, 1_040);
      await pass(60);
    }
  });

  test('takes over the limits that an answer names, below those of the configuration', async () => {
    await take({ tokens: 1 });
    const learned = { requestsPerMinute: null, tokensPerMinute: 600 };
    await store.noteRate('small', { limits: UNLIMITED, learned, excessTokens: 0, isAnswered: true });

    expect(await store.readRateLimits('small')).toEqual(learned);
    await pass(10);
    expect(await take({ tokens: 90 })).toBe(0);
    between(await take({ tokens: 10 }), 7_000, 10_000);
  });

  test.each([
    ['stands still', 0],
    ['steps back', -5],
    ['steps forward', 5],
  ])('grants what the limit allows but for a burst where the clock %s (%i s)', async (_, stepSeconds) => {
    const [rate, burst] = [97, 145.5];
    let granted = 0;
    for (let turn = 0; turn < 80; turn += 1) {
      while ((await take({ tokens: 20, largestTokens: 1_000_000 })) === 0) granted += 20;
      // The clock goes on by a quarter of a second, and once by a step besides.
      await pass(turn === 40 ? 0.25 + stepSeconds : 0.25);
    }
    const allowed = rate * 20;

    between(granted, allowed - burst, allowed + 2 * burst);
  });

  test('is as much as a limit that an answer names higher, at once', async () => {
    const named = (tokensPerMinute: number) => ({ requestsPerMinute: null, tokensPerMinute });
    const note = { limits: UNLIMITED, excessTokens: 0, isAnswered: true };
    await take({ limits: UNLIMITED, tokens: 1 });
    await store.noteRate('small', { ...note, learned: named(600) });
    expect(await take({ limits: UNLIMITED, tokens: 97 })).toBe(0);
    between(await take({ limits: UNLIMITED, tokens: 97 }), 9_000, 10_100);
    await pass(10.1);

    await store.noteRate('small', { ...note, learned: named(6_000) });

    expect(await take({ limits: UNLIMITED, tokens: 970 })).toBe(0);
    between(await take({ limits: UNLIMITED, tokens: 970 }), 9_000, 10_100);
  });

  test('of one model takes nothing of that of another', async () => {
    expect(await take({ tokens: 970 })).toBe(0);
    await store.noteRate('small', {
      ...{ limits: ask().limits, excessTokens: 0, isAnswered: false },
      throttled: { retryAfterMs: 60_000, lowersRate: true },
    });

    expect(await store.takeRate('large', ask({ tokens: 970 }))).toBe(0);
    expect(await take()).toBeGreaterThan(50_000);
  });

  test('is lowered once until the next right answer where answers name the limit', async () => {
    await take({ tokens: 1 });
    const learned = { requestsPerMinute: null, tokensPerMinute: 6_000 };
    const note = (isAnswered: boolean) =>
      store.noteRate('small', {
        ...{ limits: UNLIMITED, learned, excessTokens: 0, isAnswered },
        ...(!isAnswered && { throttled: { retryAfterMs: undefined, lowersRate: true } }),
      });
    const refuse = async () => {
      await pass(3);
      await note(false);
      return readShare();
    };
    await note(true);
    await pass(65);
    await note(true);

    expect(await refuse()).toBeCloseTo(0.7, 2);
    expect(await refuse()).toBeCloseTo(0.7, 2);
    await pass(3);
    await note(true);
    expect(await refuse()).toBeLessThan(0.5);
  });

  test('is the whole of a first limit that an answer names, through the window of those who knew none', async () => {
    await take({ tokens: 1 });
    const learned = { requestsPerMinute: null, tokensPerMinute: 6_000 };
    const note = (isThrottled: boolean) =>
      store.noteRate('small', {
        ...{ limits: UNLIMITED, learned, excessTokens: 0, isAnswered: !isThrottled },
        ...(isThrottled && { throttled: { retryAfterMs: undefined, lowersRate: true } }),
      });
    await note(false);
    for (let refusal = 0; refusal < 5; refusal += 1) {
      await pass(5);
      await note(true);
      await pass(5);
      await note(false);
    }
    expect(await readShare()).toBe(1);

    await pass(20);
    await note(false);
    await note(true);
    expect(await readShare()).toBeCloseTo(0.7, 5);
  });

  test('is the whole of a lower limit that an answer names, whatever was refused before', async () => {
    await take({ tokens: 1 });
    const named = (tokensPerMinute: number) => ({ requestsPerMinute: null, tokensPerMinute });
    const note = (learned: RateLimits | undefined, isThrottled: boolean) =>
      store.noteRate('small', {
        ...{ limits: UNLIMITED, learned, excessTokens: 0, isAnswered: !isThrottled },
        ...(isThrottled && { throttled: { retryAfterMs: undefined, lowersRate: true } }),
      });
    await note(named(6_000), false);
    await pass(65);
    await note(named(6_000), false);
    await note(undefined, true);
    expect(await readShare()).toBeCloseTo(0.7, 5);
    await note(named(6_000), false);
    expect(await readShare()).toBeCloseTo(0.7, 5);

    await note(named(3_000), false);

    expect(await readShare()).toBe(1);
  });

  test('is the whole of a lower limit through the window in which it was lowered, and no longer', async () => {
    await take({ tokens: 1 });
    const named = (tokensPerMinute: number) => ({ requestsPerMinute: null, tokensPerMinute });
    const note = (learned: RateLimits, isThrottled: boolean) =>
      store.noteRate('small', {
        ...{ limits: UNLIMITED, learned, excessTokens: 0, isAnswered: !isThrottled },
        ...(isThrottled && { throttled: { retryAfterMs: undefined, lowersRate: true } }),
      });
    await note(named(6_000), false);
    await note(named(3_000), false);
    for (let refusal = 0; refusal < 5; refusal += 1) {
      await pass(5);
      await note(named(3_000), false);
      await pass(5);
      await note(named(3_000), true);
    }
    expect(await readShare()).toBe(1);

    await pass(20);
    await note(named(3_000), false);
    await note(named(3_000), true);
    expect(await readShare()).toBeCloseTo(0.7, 5);
  });

  test('is lowered by refusals again where the clock stepped back below the window of a lower limit', async () => {
    await take({ tokens: 1 });
    const learned = (tokensPerMinute: number) => ({ requestsPerMinute: null, tokensPerMinute });
    const note = { limits: UNLIMITED, excessTokens: 0 };
    await store.noteRate('small', { ...note, learned: learned(6_000), isAnswered: true });
    await store.noteRate('small', { ...note, learned: learned(3_000), isAnswered: true });
    await pass(-3_600);
    const throttled = { retryAfterMs: undefined, lowersRate: true };
    await store.noteRate('small', { ...note, learned: learned(3_000), isAnswered: false, throttled });

    expect(await readShare()).toBeCloseTo(0.7, 5);
  });

  test('is stopped by no clock that stepped back, and unlimited by no row that was lost', async () => {
    await run(`INSERT INTO freshet.paces (model_alias, tokens_due, waits_until, fresh_waits_until)
      SELECT 'small', t, t, t FROM (SELECT extract(epoch FROM now()) + 86400 AS t) AS later`);
    between(await take(), 11_000, 600_000);
    await run('DELETE FROM freshet.paces');

    expect(await take()).toBe(0);
    expect(await take()).toBeGreaterThan(0);
  });
});

describe('the rate of a model, for several workers', () => {
  beforeEach(() => open(db));

  test('is rebuilt from the configuration where its row is lost, for all of them at once', async () => {
    await take();
    await run('DELETE FROM freshet.paces');
    // Each owes ten seconds, which no slow machine lets pass meanwhile.
    const answers = await Promise.all(Array.from({ length: 8 }, () => take({ tokens: 970 })));

    expect(answers.filter(waitMs => waitMs === 0)).toHaveLength(1);
  });
});
