import { describe, expect, test } from 'vitest';
import { bundleHandler } from '../../lib/constructs/bundling.ts';
import { LAMBDA_CONNECTIONS } from '../../lib/core/config/deployment-settings.ts';
import { METRICS, type MetricComponent, type MetricName } from '../../lib/core/metrics.ts';
import { createObservedStack } from '../factories/observed-stack.ts';
import { metricsOfAlarms, metricsOfDashboard, widgetsOf } from '../templates/shown-metrics.ts';

/** Metrics that no widget shows, and why. */
const ONLY_IN_THE_LOG: Partial<Record<MetricName, string>> = {
  UnfamiliarModelNames:
    'a hint for whoever reads the log; an answer of another model is refused before it is stored',
};

const METRIC_NAMES = Object.keys(METRICS) as MetricName[];
const COMPONENTS = [...Object.keys(LAMBDA_CONNECTIONS), 'api'] as MetricComponent[];
const CALL = /\.(?:count|duration)\("(\w+)"/g;

/** Names of the metrics that the bundle of each function counts anywhere; unused code is not in it. */
const emittedBy: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  COMPONENTS.map(component => {
    const names = bundleHandler(component).files.flatMap(({ path, contents }) =>
      path.endsWith('.mjs')
        ? [...Buffer.from(contents).toString().matchAll(CALL)].map(([, name]) => name!)
        : [],
    );
    return [component, [...new Set(names)].filter(name => METRIC_NAMES.includes(name as MetricName)).sort()];
  }),
);

const declaredOf = (component: MetricComponent) =>
  METRIC_NAMES.filter(name => (METRICS[name].from as readonly string[]).includes(component)).sort();

describe('the list of metrics', () => {
  test.each(COMPONENTS)('says exactly what the code of %s counts', component => {
    expect(emittedBy[component]).toEqual(declaredOf(component));
  });

  test('says each in a sentence and a unit', () => {
    for (const name of METRIC_NAMES) {
      const { unit, meaning, from } = METRICS[name];
      expect(meaning.length, name).toBeGreaterThan(15);
      expect(from.length, name).toBeGreaterThan(0);
      if (name.endsWith('Seconds')) expect(unit, name).toBe('Seconds');
      if (name.endsWith('Percent')) expect(unit, name).toBe('Percent');
    }
  });

  test('names the stage and the provider as the functions do', async () => {
    const { template } = createObservedStack({ models: ['openai', 'hash'], api: true });

    const ours = [...metricsOfAlarms(template), ...metricsOfDashboard(template)].filter(
      ({ namespace }) => namespace === 'Freshet',
    );
    expect(ours.length).toBeGreaterThan(40);
    for (const { name, dimensions } of ours) {
      expect(Object.keys(dimensions).sort(), name).toEqual(['component', 'provider', 'stage']);
      expect(dimensions, name).toMatchObject({ stage: 'test', provider: 'hash+openai' });
    }
  });
});

describe('dashboard and alarms', () => {
  const { template } = createObservedStack();
  const shown = [...metricsOfDashboard(template), ...metricsOfAlarms(template)];
  const ours = shown.filter(({ namespace }) => namespace === 'Freshet');

  test('name only series that the code emits', () => {
    const strays = ours.filter(
      ({ name, dimensions }) =>
        !METRIC_NAMES.includes(name as MetricName) ||
        !emittedBy[String(dimensions.component)]?.includes(name),
    );

    expect(strays).toEqual([]);
  });

  test('take a statistic that says something of what the code samples', () => {
    const { template: watched } = createObservedStack({ gpu: true, api: true });
    const all = [...metricsOfDashboard(watched), ...metricsOfAlarms(watched)];
    const strange = all.filter(({ namespace, name, statistic }) => {
      if (namespace !== 'Freshet') return false;
      const metric: { readonly unit: string; readonly isState?: boolean } = METRICS[name as MetricName];
      // Looks come as often as schedules and nudges ask for them: their samples are no events.
      if (metric.isState) return !['Minimum', 'Maximum', 'SampleCount'].includes(statistic);
      if (metric.unit === 'Milliseconds') return !['p50', 'p99', 'Sum'].includes(statistic);
      // `guard` looks once a minute, and says 1 or 0 each time.
      if (name === 'DatabaseUnreachable' || name === 'UnknownSchema') return false;
      return statistic !== 'Sum' && !(name === 'TextsSent' && statistic === 'Average');
    });

    expect(strange).toEqual([]);
  });

  test('draw each of our metrics on an axis of its unit', () => {
    const axes = widgetsOf(template).flatMap(({ properties: { yAxis, metrics = [] } }) =>
      metrics.flatMap(metric => {
        const [namespace, name] = metric;
        const { yAxis: side } = (metric.find(part => typeof part === 'object') ?? {}) as { yAxis?: string };
        return namespace === 'Freshet' && side !== 'right' && yAxis?.left?.label !== undefined
          ? [[METRICS[name as MetricName].unit, yAxis.left.label] as const]
          : [];
      }),
    );

    expect(axes.length).toBeGreaterThan(30);
    const ownAxes = ['Seconds', 'Milliseconds', 'Percent', 'US dollars'];
    for (const [unit, label] of axes)
      if (ownAxes.includes(unit)) expect(label).toBe(unit === 'US dollars' ? unit : unit.toLowerCase());
      else expect(ownAxes.map(own => own.toLowerCase())).not.toContain(label);
  });

  test('name every metric that the code emits, but those that are listed here with a reason', () => {
    const missing = METRIC_NAMES.filter(name => ours.every(metric => metric.name !== name));

    expect(missing.sort()).toEqual(Object.keys(ONLY_IN_THE_LOG).sort());
  });

  test('show on the dashboard whatever an alarm watches, of a GPU endpoint and of an API too', () => {
    const { template: watched } = createObservedStack({ gpu: true, api: true });
    const onDashboard = new Set(
      metricsOfDashboard(watched).map(({ namespace, name }) => `${namespace} ${name}`),
    );

    const names = metricsOfAlarms(watched).map(({ namespace, name }) => `${namespace} ${name}`);
    expect(names.filter(name => !onDashboard.has(name))).toEqual([]);
    expect(names).toContain('AWS/ApiGateway Latency');
  });

  test('take from AWS only metrics of Lambda and SQS, where there is neither a GPU endpoint nor an API', () => {
    expect([...new Set(shown.map(({ namespace }) => namespace))].sort()).toEqual([
      'AWS/Lambda',
      'AWS/SQS',
      'Freshet',
    ]);
  });
});
