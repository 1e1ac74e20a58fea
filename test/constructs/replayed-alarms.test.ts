import { describe, expect, test } from 'vitest';
import { ALARM_KINDS, type AlarmKindName, groupOf, PAGE_GROUPS } from '../../lib/core/alarms.ts';
import { createObservedStack } from '../factories/observed-stack.ts';
import { type AlarmState, evaluateAlarm, replayAlarm } from '../templates/evaluate-alarm.ts';
import { resourcesOf } from '../templates/resources-of.ts';
import type { AlarmProperties } from '../templates/shown-metrics.ts';

const { template } = createObservedStack();
const alarms = resourcesOf<AlarmProperties>(template, 'AWS::CloudWatch::Alarm');
const ofKind = (kind: AlarmKindName) =>
  alarms.find(({ properties }) => properties.AlarmDescription.endsWith(`#${kind}`))!;
const composites = resourcesOf<{ AlarmName: string; AlarmRule: unknown; AlarmActions: unknown[] }>(
  template,
  'AWS::CloudWatch::CompositeAlarm',
);

describe('the evaluator', () => {
  const rule = (TreatMissingData: string) => ({
    Threshold: 0,
    ComparisonOperator: 'GreaterThanThreshold',
    EvaluationPeriods: 3,
    DatapointsToAlarm: 3,
    TreatMissingData,
  });
  const pointsOf = (row: string) =>
    row.split(' ').map(point => (point === '-' ? undefined : point === 'X' ? 1 : 0));

  // The rows of "How alarm state is evaluated when data is missing" in CloudWatch's user guide.
  test.each([
    ['0 - X - X', 'OK', 'OK', 'OK', 'OK'],
    ['- - - - 0', 'OK', 'OK', 'OK', 'OK'],
    ['- - - - -', 'INSUFFICIENT_DATA', 'before', 'ALARM', 'OK'],
    ['0 X X - X', 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
    ['- - X - -', 'ALARM', 'before', 'ALARM', 'OK'],
  ])('says of %s what CloudWatch documents', (row, ...documented) => {
    const treatments = ['missing', 'ignore', 'breaching', 'notBreaching'];
    for (const before of ['OK', 'ALARM'] as const)
      expect(treatments.map(treatment => evaluateAlarm(rule(treatment), pointsOf(row), before))).toEqual(
        documented.map(state => (state === 'before' ? before : state)),
      );
  });
});

/** Calls of embed by the minute; undefined: no call, and so no datapoint. */
interface Minute {
  readonly calls: number;
  readonly failures: number;
  readonly throttles: number;
}

/** A stage of few edits: a tick every five minutes, and calls in the two or three minutes after it. */
const quietStage = (minutes: number, minute: Minute): (Minute | undefined)[] =>
  Array.from({ length: minutes }, (_, at) => (at % 5 < 2 + (Math.floor(at / 5) % 2) ? minute : undefined));

/** Failed or throttled calls in percent of each period of the alarm, as its expression has it. */
function percentOf(
  kind: 'provider-errors' | 'provider-throttles',
  minutes: readonly (Minute | undefined)[],
  periodSeconds: number,
): (number | undefined)[] {
  const length = periodSeconds / 60;
  return Array.from({ length: Math.ceil(minutes.length / length) }, (_, period) => {
    const known = minutes
      .slice(period * length, (period + 1) * length)
      .filter(minute => minute !== undefined);
    if (known.length === 0) return undefined;
    const sum = (name: keyof Minute) => known.reduce((total, minute) => total + minute[name], 0);
    const bad = kind === 'provider-errors' ? sum('failures') - sum('throttles') : sum('throttles');
    return (100 * bad) / sum('calls');
  });
}

function replayCalls(
  kind: 'provider-errors' | 'provider-throttles',
  minutes: readonly (Minute | undefined)[],
): AlarmState[] {
  const { properties } = ofKind(kind);
  const expression = properties.Metrics!.find(({ Expression }) => Expression !== undefined)!.Expression;
  expect(expression).toBe(
    kind === 'provider-errors'
      ? '100 * (FILL(failures, 0) - FILL(throttles, 0)) / calls'
      : '100 * FILL(throttles, 0) / calls',
  );
  const periods = properties.Metrics!.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Period] : []));
  expect(new Set(periods).size).toBe(1);
  return replayAlarm(properties, percentOf(kind, minutes, periods[0]!));
}

const well: Minute = { calls: 3, failures: 0, throttles: 0 };

describe('the alarms on the provider', () => {
  test.each([
    ['provider-errors', { calls: 2, failures: 2, throttles: 0 }],
    ['provider-throttles', { calls: 2, failures: 2, throttles: 2 }],
  ] as const)(
    '%s wakes in a total outage of a quiet stage within two ticks, and ends after it',
    (kind, broken) => {
      const states = replayCalls(kind, [
        ...quietStage(20, well),
        ...quietStage(20, broken),
        ...quietStage(20, well),
      ]);

      expect(states.slice(0, 4)).not.toContain('ALARM');
      expect(states.slice(5, 8)).toEqual(['ALARM', 'ALARM', 'ALARM']);
      expect(states.at(-1)).toBe('OK');
    },
  );

  test('say nothing of one bad tick, and nothing of a stage without calls', () => {
    const hiccup = { calls: 2, failures: 2, throttles: 0 };
    const states = replayCalls('provider-errors', [
      ...quietStage(20, well),
      ...quietStage(5, hiccup),
      ...quietStage(30, well),
    ]);

    expect(states).not.toContain('ALARM');
    expect(replayCalls('provider-errors', Array(60).fill(undefined))).not.toContain('ALARM');
  });
});

describe('the alarms on ticks', () => {
  test('tell a schedule that is off even while a row waits, and do not say that the row no longer does', () => {
    const age = [60, 1_000, 1_100, 1_200, 1_300, ...Array<undefined>(5).fill(undefined)];
    const samples = age.map(point => (point === undefined ? undefined : 2));

    expect(replayAlarm(ofKind('freshness').properties, age).slice(3)).toEqual(Array(7).fill('ALARM'));
    expect(replayAlarm(ofKind('detect-silent').properties, samples).at(4)).toBe('OK');
    expect(replayAlarm(ofKind('detect-silent').properties, samples).at(-1)).toBe('ALARM');
  });
});

describe('the alarms on caps of the budget', () => {
  /** Percent of the fullest cap at each tick of two days; midnight comes before the ninth. */
  const spent = [0, 40, 79.9, 80, 95, 99.7, 99.7, 99.7, 0, 3];

  test('tell a cap that is nearly reached until its period ends, also where ticks stop meanwhile', () => {
    expect(replayAlarm(ofKind('cap-near').properties, spent)).toEqual([
      ...Array(3).fill('OK'),
      ...Array(5).fill('ALARM'),
      ...Array(2).fill('OK'),
    ]);
    const silent = [...spent.slice(0, 5), undefined, undefined, undefined, 81, 2];
    expect(replayAlarm(ofKind('cap-near').properties, silent).slice(3)).toEqual([
      ...Array(6).fill('ALARM'),
      'OK',
    ]);
  });

  test('tell a cap that is reached by its pause, within minutes: its spending stays below 100 percent', () => {
    const paused = [0, 0, 1, 1, 1, 1, 0, 0, 0];

    expect(Math.max(...spent)).toBeLessThan(100);
    expect(replayAlarm(ofKind('cap-reached').properties, paused)).toEqual([
      ...['OK', 'OK', 'OK', 'OK', 'ALARM', 'ALARM', 'OK', 'OK', 'OK'],
    ]);
  });
});

/** The composite alarms that a sequence of states sets off, step by step. */
function pagesOf(steps: readonly Partial<Record<AlarmKindName, boolean>>[]): string[][] {
  const red = new Set<AlarmKindName>();
  let before = new Set<string>();
  return steps.map(step => {
    for (const [kind, isRed] of Object.entries(step) as [AlarmKindName, boolean][])
      if (isRed) red.add(kind);
      else red.delete(kind);
    const now = new Set(
      composites
        .filter(({ properties }) => {
          const rule = JSON.stringify(properties.AlarmRule);
          expect(rule).not.toMatch(/AND|NOT/);
          return [...red].some(kind => rule.includes(`"${ofKind(kind).id}"`));
        })
        .map(({ properties }) => properties.AlarmName),
    );
    const spoke = [...now].filter(name => !before.has(name));
    before = now;
    return spoke.map(name => name.replace('freshet-test-page-', ''));
  });
}

describe('the pages', () => {
  test('are one for each group, over every alarm that wakes somebody', () => {
    expect(
      composites.map(({ properties }) => properties.AlarmName.replace('freshet-test-page-', '')).sort(),
    ).toEqual(Object.keys(PAGE_GROUPS).sort());
    for (const kind of Object.keys(ALARM_KINDS) as AlarmKindName[])
      expect(groupOf(kind) !== undefined, kind).toBe(ALARM_KINDS[kind].severity === 'page');
  });

  test('a dead letter of yesterday does not hide the database that is gone today', () => {
    expect(
      pagesOf([
        { 'dead-letters': true },
        {},
        { 'database-unreachable': true },
        { 'database-unreachable': false },
      ]),
    ).toEqual([['dead-letters'], [], ['database'], []]);
  });

  test.each([
    ['sources-paused', 'database-unreachable', 'database'],
    ['models-paused', 'dead-letters', 'dead-letters'],
    ['freshness', 'detect-silent', 'schedule'],
    ['detect-silent', 'unknown-schema', 'database'],
    ['dead-letters', 'freshness', 'work'],
    ['cap-reached', 'database-unreachable', 'database'],
    ['dead-letters', 'cap-reached', 'work'],
  ] as const)('while %s lasts, %s still wakes somebody', (lasting, later, page) => {
    expect(pagesOf([{ [lasting]: true }, {}, { [later]: true }])[2]).toEqual([page]);
  });

  test('one outage speaks once, however many alarms see it', () => {
    expect(pagesOf([{ 'models-paused': true }, { freshness: true }, { 'models-paused': false }])).toEqual([
      ['work'],
      [],
      [],
    ]);
  });

  test('and the notices say when they are over, under a name of their own', () => {
    const notices = alarms.filter(({ properties }) => (properties.AlarmActions ?? []).length > 0);

    expect(notices.length).toBeGreaterThan(10);
    for (const { properties } of notices as { properties: AlarmProperties & { OKActions?: unknown } }[])
      expect(properties.OKActions).toEqual(properties.AlarmActions);
    const names = alarms.map(({ properties }) => (properties as unknown as { AlarmName: string }).AlarmName);
    expect(new Set(names).size).toBe(alarms.length);
    for (const name of names) expect(name).toMatch(/^freshet-test-[a-z0-9-]+$/);
  });
});
