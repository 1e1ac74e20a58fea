import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createObservedStack } from '../factories/observed-stack.ts';
import { printDashboardPage } from '../support/print-dashboard-page.ts';
import { metricsOfDashboard, widgetsOf } from '../support/shown-metrics.ts';

const PAGE = path.join(import.meta.dirname, '../../docs/dashboard.md');
const { stack, template } = createObservedStack();
const widgets = widgetsOf(template);
const titled = (title: string) => widgets.find(({ properties }) => properties.title === title)!;

describe('the dashboard', () => {
  test('has five rows, each under its name, and no widget beside the other’s edge', () => {
    const headings = widgets.filter(({ type }) => type === 'text');

    expect(headings.map(({ properties }) => properties.markdown)).toEqual([
      '## Promise',
      '## Flow',
      '## Provider',
      '## Functions',
      '## Database',
    ]);
    for (const row of new Set(widgets.map(({ y }) => y))) {
      const inRow = widgets.filter(({ y }) => y === row);
      expect(inRow.reduce((sum, { width }) => sum + width, 0)).toBe(24);
    }
  });

  test('draws the promise where the oldest stale row is', () => {
    expect(titled('Oldest stale row').properties.annotations?.horizontal?.map(({ value }) => value)).toEqual([
      15 * 60,
    ]);
  });

  test('sums what the calls cost over every component that pays, and divides by what was bought', () => {
    const money = JSON.stringify(titled('Money').properties.metrics);

    expect(money).toContain('FILL(costUsdOfembed, 0) + FILL(costUsdOfguard, 0)');
    expect(money).toContain('1000000 * (FILL(embedCost, 0) + FILL(guardCost, 0)) / bought');
    expect(money).toContain('EmbeddedRows');
  });

  test('shows every queue with its dead letters', () => {
    const queues = new Set(
      metricsOfDashboard(template)
        .filter(({ namespace }) => namespace === 'AWS/SQS')
        .map(({ dimensions }) => dimensions.QueueName),
    );

    expect(queues.size).toBe(2 * 3 + 1);
  });
});

test('docs/dashboard.md is what the construct and the list of metrics say', () => {
  const page = printDashboardPage(stack, template);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page);
  const written = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';

  expect(written, 'the page is out of date: npm run docs:dashboard writes it anew').toBe(page);
});
