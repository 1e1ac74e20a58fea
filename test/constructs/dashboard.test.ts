import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { wrapProse } from '../../bench/apparatus/wrap-prose.ts';
import { ENDPOINT_METRICS, type EndpointMetricName } from '../../lib/core/gpu-endpoint.ts';
import { servedModel } from '../factories/gpu-endpoint-stack.ts';
import { createObservedStack } from '../factories/observed-stack.ts';
import { configInput, createStack } from '../factories/pipeline-stack.ts';
import { printDashboardPage } from '../pages/print-dashboard-page.ts';
import { metricsOfDashboard, widgetsOf } from '../templates/shown-metrics.ts';

const PAGE = path.join(import.meta.dirname, '../../docs/dashboard.md');
const { stack, template } = createObservedStack({ gpu: true, api: true });
const widgets = widgetsOf(template);
const titled = (title: string) => widgets.find(({ properties }) => properties.title === title)!;

describe('the dashboard', () => {
  test('has six rows, each under its name, and no widget beside the other’s edge', () => {
    const headings = widgets.filter(({ type }) => type === 'text');

    expect(headings.map(({ properties }) => properties.markdown)).toEqual([
      '## Promise',
      '## Flow',
      '## Provider',
      '## Functions',
      '## Database',
      '## Service',
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

  test('shows what a day cost against its cap, and the fullest of all caps, where there are any', () => {
    const { annotations, metrics } = titled('Budget').properties;

    expect(annotations?.horizontal?.map(({ value }) => value)).toEqual([20]);
    for (const name of ['SpentTodayUsd', 'CapPercent', 'CapPauses'])
      expect(JSON.stringify(metrics)).toContain(`"${name}"`);
    const monthly = createStack(configInput({ budget: { usdPerMonth: 300 } }));
    const budget = widgetsOf(Template.fromStack(monthly)).find(
      ({ properties }) => properties.title === 'Budget',
    )!;
    expect(budget.properties.annotations?.horizontal?.map(({ value }) => value)).toEqual([80]);
    expect(JSON.stringify(budget.properties.metrics)).not.toContain('SpentTodayUsd');
    const bare = widgetsOf(Template.fromStack(createStack()));
    expect(bare.map(({ properties }) => properties.title)).not.toContain('Budget');
  });

  test('sums what the calls cost over every component that pays, and divides by what was bought', () => {
    const money = JSON.stringify(titled('Money').properties.metrics);

    expect(money).toContain('FILL(costUsdOfembed, 0) + FILL(costUsdOfguard, 0) + FILL(costUsdOfapi, 0)');
    expect(money).toContain('1000000 * (FILL(embedCost, 0) + FILL(guardCost, 0)) / bought');
    expect(money).toContain('EmbeddedRows');
  });

  test('shows calls, latency, GPU, copies and calls in flight of a GPU endpoint, where there is one', () => {
    const titles = (from: typeof widgets) =>
      from.flatMap(({ properties: { title } }) => (title?.startsWith('Endpoint: ') ? [title] : []));
    const ofEndpoint = metricsOfDashboard(template).filter(({ namespace }) => /sagemaker/i.test(namespace));

    expect(titles(widgets)).toEqual([
      'Endpoint: calls',
      'Endpoint: latency',
      'Endpoint: GPU',
      'Endpoint: copies and calls in flight',
    ]);
    expect(titles(widgetsOf(createObservedStack().template))).toEqual([]);
    expect([...new Set(ofEndpoint.map(({ name }) => name))].sort()).toEqual(
      Object.keys(ENDPOINT_METRICS).sort(),
    );
    for (const { name, namespace, dimensions } of ofEndpoint) {
      expect(namespace, name).toBe(ENDPOINT_METRICS[name as EndpointMetricName].namespace);
      expect(dimensions, name).toEqual({ InferenceComponentName: servedModel.inferenceComponentName });
    }
  });

  test('counts copies by what each tells in a minute, over whatever period is shown', () => {
    const copies = JSON.stringify(titled('Endpoint: copies and calls in flight').properties.metrics);

    expect(copies).toContain('samples / (PERIOD(samples) / 60)');
    expect(copies).toContain('"stat":"SampleCount"');
  });

  test('shows what clients get of an API, where there is one', () => {
    const titles = (from: typeof widgets) =>
      from.flatMap(({ properties: { title } }) => (title?.startsWith('Service: ') ? [title] : []));

    expect(titles(widgets)).toEqual([
      ...['Service: requests', 'Service: latency', 'Service: environments', 'Service: calls'],
    ]);
    expect(titles(widgetsOf(createObservedStack().template))).toEqual([]);
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
  const page = wrapProse(printDashboardPage(stack, template));
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page);
  const written = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';

  expect(written, 'the page is out of date: npm run docs:dashboard writes it anew').toBe(page);
});
