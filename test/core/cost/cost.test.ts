import { describe, expect, test } from 'vitest';
import { createMoney } from '../../../bench/cost/cost-lines.ts';
import { composeCostPage, describePrices, listPrices } from '../../../bench/cost/cost-page.ts';
import { ASSUMPTIONS } from '../../../bench/cost/counted-page.ts';
import {
  breakEvenTokensPerMonth,
  breakEvenTokensPerWake,
  findProviderMs,
  mostTokensPerMonth,
  priceMonth,
  priceNetwork,
  priceOneWake,
  priceWatching,
} from '../../../bench/cost/price-month.ts';
import { GPU_PLANS } from '../../../bench/cost/prices.ts';
import { pricePlumbing, priceQuotedRows, totalOf } from '../../../lib/core/aws-cost.ts';
import { makeCountedRun } from '../../factories/counted-run.ts';

const assumptions = {
  providerMs: 400,
  tracedShare: 0.05,
  claimRetentionDays: 15,
  claimHours: 1,
  platformLogBytes: 1000,
  bulkEnvironments: 8,
};
const watched = {
  alarms: 14,
  alarmMetrics: 17,
  highResolutionAlarmMetrics: 0,
  compositeAlarms: 1,
  dashboards: 1,
  keys: 1,
};
const endpoint = { ...watched, alarms: 5, alarmMetrics: 5, compositeAlarms: 0, dashboards: 0, keys: 0 };
const stage = {
  ...watched,
  secrets: 2,
  eventSources: 3,
  ticks: { detect: 10_000, guard: 43_800 },
  memoryMb: { detect: 512, guard: 512 },
};
const run = makeCountedRun();
const usdOf = (lines: readonly { service: string; usd: number }[], service: string) =>
  lines.find(line => line.service === service)?.usd;

describe('the plumbing of quoted rows', () => {
  const quoted = { rows: 1_000_000, calls: 10_000, batchSize: 100, callMs: 400, bulkEnvironments: 8 };
  const priced = (changes: Partial<typeof quoted> = {}) => priceQuotedRows(run, { ...quoted, ...changes });

  test('is that of docs/cost.md where messages, calls and waits are the same', () => {
    expect(priced()).toBeCloseTo(totalOf(pricePlumbing(run, { ...ASSUMPTIONS, providerMs: 400 })), 9);
  });

  test('grows with messages, calls and waits, and is nothing for nothing', () => {
    expect(priced({ batchSize: 50, calls: 20_000 })).toBeGreaterThan(1.9 * priced());
    expect(priced({ calls: 20_000 })).toBeGreaterThan(priced());
    expect(priced({ callMs: 800 }) - priced()).toBeCloseTo(
      // A gigabyte of embed waits for each call, and half of one of detect for an eighth of them.
      10_000 * 0.4 * (1 + 0.5 / 8) * 0.0000133334,
      9,
    );
    expect(priced({ rows: 0, calls: 0 })).toBe(0);
  });

  test('of a few rows pays no more starts than it has messages', () => {
    const few = priced({ rows: 100, calls: 1 });

    expect(few).toBeLessThan(priced({ rows: 1_000, calls: 10 }));
    expect(few).toBeGreaterThan(0);
  });
});

describe('the plumbing of a million rows', () => {
  const lines = pricePlumbing(run, assumptions);

  test('pays embed for its work, for the wait of its calls, and for the start of each environment', () => {
    const gbSeconds = 10_000 * 0.5 + 10 * 1;

    expect(usdOf(lines, 'Lambda embed')).toBeCloseTo(gbSeconds * 0.0000133334 + 10_000 * 0.2e-6, 9);
  });

  test('pays detect for half a gigabyte, and no wait', () => {
    expect(usdOf(lines, 'Lambda detect')).toBeCloseTo((100 + 0.5) * 0.5 * 0.0000133334 + 1000 * 0.2e-6, 9);
  });

  test('pays queues by pieces of 64 KB, not by requests', () => {
    expect(usdOf(lines, 'SQS')).toBeCloseTo(30_000 * 0.4e-6, 9);
  });

  test('pays results for half a month', () => {
    const [written, kept] = [5.4 * (1 / 24), 0.6 * 15];
    expect(usdOf(lines, 'S3 storage')).toBeCloseTo(((written + kept) / 30) * 0.023, 9);
    expect(usdOf(lines, 'S3 requests')).toBeCloseTo(10_000 * (0.005 + 0.0004) * 1e-3, 9);
  });

  test('pays logs of the functions and of Lambda itself, and traces', () => {
    expect(usdOf(lines, 'CloudWatch Logs')).toBeCloseTo((0.01 + 0.012) * 0.5, 9);
    expect(usdOf(lines, 'X-Ray')).toBeCloseTo(12_000 * 0.05 * 5e-6, 9);
  });

  test('reaches a sum at a wait that can be told', () => {
    const providerMs = findProviderMs(run, assumptions, 0.3) ?? 0;

    expect(totalOf(pricePlumbing(run, { ...assumptions, providerMs }))).toBeCloseTo(0.3, 9);
    expect(findProviderMs(run, assumptions, 0.01)).toBeUndefined();
  });
});

test('the network is paid by the way that the bytes take', () => {
  expect(priceNetwork(run).map(({ usd }) => Number(usd.toFixed(6)))).toEqual([
    0.405, 0.09, 0.045, 0.54, 0.14,
  ]);
});

test('a quiet month is metrics, what watches them, secrets, polls and ticks', () => {
  const lines = priceMonth(stage, run);

  expect(usdOf(lines, 'metrics')).toBeCloseTo(6, 9);
  expect(usdOf(lines, 'alarms')).toBeCloseTo(1.7, 9);
  expect(usdOf(lines, 'composite alarms')).toBeCloseTo(0.5, 9);
  expect(usdOf(lines, 'keys')).toBeCloseTo(1, 9);
  expect(usdOf(lines, 'secrets')).toBeCloseTo(0.8, 9);
  expect(usdOf(lines, 'idle polling')).toBeCloseTo(3 * 5 * 180 * 730 * 0.4e-6, 9);
  expect(usdOf(lines, 'ticks of guard')).toBeCloseTo(
    43_800 * (1.2e-6 + 0.01 * 0.5 * 0.0000133334 + (500 / 1e9) * 0.5),
    9,
  );
});

test('an alarm is paid for each metric that it watches, and three times where it looks more often than once a minute', () => {
  const lines = priceWatching({ ...watched, alarmMetrics: 5, highResolutionAlarmMetrics: 2 }, 0, '');

  expect(usdOf(lines, 'alarms')).toBeCloseTo(0.5, 9);
  expect(usdOf(lines, 'quick alarms')).toBeCloseTo(0.6, 9);
  expect(usdOf(lines, 'metrics')).toBeUndefined();
});

describe('the prices', () => {
  test('come from memory exactly where no source is named', () => {
    for (const { what, origin, sources, usd } of listPrices()) {
      expect(sources.length === 0, what).toBe(origin === 'memory');
      expect(usd, what).toBeGreaterThan(0);
    }
  });

  test('have no date but that of a source, and the page says which of them have none', () => {
    for (const { what, sources } of listPrices())
      for (const { dated } of sources) expect(dated ?? 'January 2026', what).toMatch(/^[A-Z][a-z]+ 20\d\d$/);
    const text = describePrices();
    expect(text).toContain('cloudburn.io (March 2026), factualminds.com (June 2026)');
    expect(text).toContain('| memory | – |');
    expect(text).toContain('(undated)');
    expect(text).not.toMatch(/as of/);
  });
});

describe('a GPU', () => {
  const [slowG5, g5, g6] = GPU_PLANS;

  test('costs its work and a wake', () => {
    expect(priceOneWake(g6!, 200e6)).toBeCloseTo(1.127 * (200e6 / 62_000 / 3600 + 0.4), 9);
  });

  test.each([
    [slowG5!, 0.02, 68],
    [g5!, 0.02, 41],
    [g5!, 0.01, 153],
    [g6!, 0.13, 3.6],
  ])('breaks even with %j at $%d after a wake of %d million tokens', (plan, usd, million) => {
    const tokens = breakEvenTokensPerWake(plan, usd)!;

    expect(tokens / 1e6 / million).toBeCloseTo(1, 1);
    expect(priceOneWake(plan, tokens)).toBeCloseTo((tokens / 1e6) * usd, 9);
  });

  test('that is dearer while it is busy never breaks even', () => {
    expect(breakEvenTokensPerWake(slowG5!, 0.01)).toBeUndefined();
  });

  test('that always runs must sell 41 billion tokens a month against the small model', () => {
    expect(breakEvenTokensPerMonth(g6!, 0.02) / 1e9).toBeCloseTo(41.1, 1);
    expect(mostTokensPerMonth(g6!) / 1e9).toBeCloseTo(163, 0);
  });
});

describe('the page', () => {
  const page = (currency?: string, rate?: string) =>
    composeCostPage({
      ...{ run, stage, endpoint, assumptions, machine: 'a machine' },
      money: createMoney(currency, rate),
    });

  test('has every part, and says what was not measured where it stands', () => {
    const text = page();

    expect(text.match(/^## .+$/gm)).toEqual([
      '## What AWS takes for a million rows',
      '## What the network takes for a million rows',
      '## What the vectors of a million rows cost',
      '## From where on a GPU is cheaper',
      '## A month of a stage that nobody writes to',
      '## Prices',
    ]);
    expect(text).toContain('Durations are of that machine (a machine), not of Lambda.');
    expect(text).toContain('400 ms for the provider (assumed)');
    expect(text).not.toMatch(/NaN|undefined|Infinity(?!’)/);
  });

  test('says how it is written anew, and shows a second currency at a rate that it calls an example', () => {
    const text = page();
    const dollars = totalOf(pricePlumbing(run, assumptions));

    expect(text).toContain('`npm run cost -- --currency EUR --rate 0.92`');
    expect(text).toContain('only an example');
    expect(text).toContain(`$${dollars.toFixed(4)} (${(dollars * 0.92).toFixed(4)} EUR)`);
  });

  test('prices what watches a GPU endpoint, with the alarms that its scaling makes', () => {
    expect(page()).toContain('A GPU endpoint adds $1.10 for being watched: 5 metrics that 5 alarms watch');
  });

  test('shows a second currency at the rate that was given', () => {
    const text = page('EUR', '0.92');
    const [, dollars, euros] =
      /\*\*together\*\* \| {2}\| \*\*([\d.]+)\*\* \| \*\*([\d.]+)\*\*/.exec(text) ?? [];

    expect(Number(euros) / Number(dollars)).toBeCloseTo(0.92, 2);
    expect(text).toContain('EUR at 0.92 for a US dollar, as given.');
  });

  test.each([
    ['EUR', undefined],
    [undefined, '0.92'],
    ['euro', '0.92'],
    ['EUR', '0'],
    ['EUR', 'cheap'],
  ])('refuses %s at %s', (currency, rate) => {
    expect(() => createMoney(currency, rate)).toThrow('A second currency needs its three letters');
  });
});
