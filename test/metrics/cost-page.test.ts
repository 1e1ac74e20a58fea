import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PLUMBING_CEILING_USD } from '../../bench/cost/cost-page.ts';
import { ASSUMPTIONS, COST_PAGE, composePageOf } from '../../bench/cost/counted-page.ts';
import { describeStage } from '../../bench/cost/describe-stage.ts';
import { pricePlumbing, totalOf } from '../../lib/core/aws-cost.ts';
import { KEPT_COUNT } from '../../lib/core/counted-run.ts';
import { createObservedStack } from '../factories/observed-stack.ts';
import { countSecrets } from '../templates/rights.ts';
import { countWatching, metricsOfAlarms } from '../templates/shown-metrics.ts';

const described = describeStage();

describe('what a stage pays for whether rows change or not', () => {
  const { template } = createObservedStack();

  test('counts each metric of an alarm that computes, and the key of the topic', () => {
    const { alarms, alarmMetrics, keys, highResolutionAlarmMetrics } = countWatching(template);

    expect(alarmMetrics).toBe(metricsOfAlarms(template).length);
    expect(alarmMetrics).toBeGreaterThan(alarms);
    expect(keys).toBe(1);
    expect(highResolutionAlarmMetrics).toBe(0);
  });

  test('counts the secrets that its functions may read: the database’s, a key, and with a webhook its address', () => {
    expect(described.stage.secrets).toBe(2);
    expect(countSecrets(template)).toBe(3);
  });

  test('has four alarms of a GPU endpoint, and the one that wakes it', () => {
    expect(described.endpoint).toMatchObject({ alarms: 5, alarmMetrics: 5, compositeAlarms: 0, keys: 0 });
  });
});

describe('docs/cost.md', () => {
  const count = KEPT_COUNT;

  test('is what the last count costs at the prices of now', () => {
    const page = composePageOf(count, described);
    if (process.env.UPDATE_DOCS === '1') writeFileSync(COST_PAGE, page);

    expect(readFileSync(COST_PAGE, 'utf8'), 'the page is out of date: npm run docs:cost writes it anew').toBe(
      page,
    );
  });

  test('keeps to the ceiling', () => {
    const total = totalOf(pricePlumbing(count.run, { ...ASSUMPTIONS, providerMs: count.providerMs }));

    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThanOrEqual(PLUMBING_CEILING_USD);
  });
});
