import { describe, expect, test } from 'vitest';
import { formatQuote } from '../../bin/terminal/format-quote.ts';
import { type CountedRows, composeQuote, countParts, type QuoteBasis } from '../../lib/core/quote.ts';
import { UNLIMITED } from '../../lib/core/rate.ts';

const counted: CountedRows = {
  ...{ rows: 1_000, texts: 600, duplicates: 200, copied: 100, touched: 50, estimatedTokens: 10_000 },
};
const unmeasured = { tokens: 0, latencyMs: 0, comparedTokens: 0, estimatedTokens: 0, ratios: [] };
const basis: QuoteBasis = {
  ...{ usdPerMillionTokens: 20, textsPerCall: 100, tokensPerCall: 300_000, callsAtOnce: 4 },
  limits: UNLIMITED,
  measured: unmeasured,
};
const place = { source: 'items', model: 'small', staleRows: 1_000 };

describe('a quote', () => {
  test('adds up: every stale row is bought, shares a text, is embedded already, unchanged or left out', () => {
    const { rows, texts, duplicates, copied, touched, excluded } = composeQuote(place, counted, 1, basis);

    expect(texts + duplicates + copied + touched + excluded).toBe(rows);
  });

  test('corrects estimates by what was billed, and widens its range where bills vary', () => {
    const measured = { ...unmeasured, comparedTokens: 800, estimatedTokens: 1_000 };
    const steady = composeQuote(place, counted, 1, {
      ...basis,
      measured: { ...measured, ratios: [0.8, 0.8, 0.8] },
    });
    const wild = composeQuote(place, counted, 1, {
      ...basis,
      measured: { ...measured, ratios: [0.4, 0.8, 1.2] },
    });

    expect(steady).toMatchObject({ tokens: 8_000, leastTokens: 7_760, mostTokens: 8_240, costUsd: 0.16 });
    expect(wild.tokens).toBe(8_000);
    expect(wild.mostTokens).toBeGreaterThan(11_000);
  });

  test('counts a sample for all parts, and never more rows than there are', () => {
    const parts = countParts(1_000_000);
    const quote = composeQuote({ ...place, staleRows: 5_000 }, counted, parts, basis);

    expect(parts).toBe(5);
    expect(quote).toMatchObject({ rows: 5_000, texts: 3_000, sampledShare: 0.2 });
    expect(quote.mostTokens).toBeGreaterThan(2 * quote.tokens);
  });

  test('takes as long as the calls that were measured, as many at once as are allowed', () => {
    const measured = { ...unmeasured, tokens: 1_000, latencyMs: 2_000 };

    expect(composeQuote(place, counted, 1, { ...basis, measured }).seconds).toBe(5);
    expect(composeQuote(place, counted, 1, basis).seconds).toBeNull();
    expect(
      composeQuote({ ...place, staleRows: 0 }, { ...counted, rows: 0, texts: 0 }, 1, basis).seconds,
    ).toBe(0);
  });

  test('takes at the least as long as what the provider allows a minute, of which 97 percent are used', () => {
    const limits = { requestsPerMinute: 6, tokensPerMinute: 2_000 };
    const measured = { ...unmeasured, tokens: 1_000, latencyMs: 2_000 };
    const seconds = (changes: Partial<QuoteBasis>) =>
      composeQuote(place, counted, 1, { ...basis, ...changes }).seconds;

    expect(seconds({ limits })).toBeCloseTo((60 * 10_000) / (0.97 * 2_000), 6);
    expect(seconds({ limits: { ...limits, tokensPerMinute: null } })).toBeCloseTo((60 * 6) / (0.97 * 6), 6);
    expect(seconds({ limits: { ...limits, tokensPerMinute: 1e9, requestsPerMinute: 1e9 }, measured })).toBe(
      5,
    );
  });

  test('names the price by batch beside that by calls, and how many batches follow each other', () => {
    const batch = { deadlineSeconds: 93_600, maxEnqueuedTokens: 4_000, maxTexts: 1, usdPerMillionTokens: 10 };
    const quote = composeQuote(place, counted, 1, { ...basis, batch });

    expect(quote).toMatchObject({ costUsd: 0.2, batch: { costUsd: 0.1, rounds: 3 } });
    expect(formatQuote(quote)[2]).toBe(
      '  by batch $0.1000 ($0.0500 to $0.2000), at most 26 h 0 min for each of 3 in turn; edits are bought by calls',
    );
    expect(composeQuote(place, counted, 1, basis).batch).toBeNull();
  });

  test('is printed in a second currency beside dollars, without the decimals that it does not have', () => {
    const [, line] = formatQuote(composeQuote(place, counted, 1, basis), { code: 'KRW', rate: 1300 });

    expect(line).toContain('$0.2000 ($0.1000 to $0.4000), KRW 260 (KRW 130 to KRW 520), time not known yet');
  });
});
