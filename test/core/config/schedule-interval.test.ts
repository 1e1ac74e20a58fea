import { expect, test } from 'vitest';
import {
  countOverlappingRuns,
  findSlowSchedule,
  scheduleIntervalSeconds,
} from '../../../lib/core/config/stages.ts';

test.each([
  ['rate(5 minutes)', 1],
  ['rate(4 minutes)', 1],
  ['rate(1 minute)', 4],
  ['rate(1 day)', 1],
  ['cron(0 3 * * ? *)', 1],
  ['cron(0/10 * * * ? *)', 4],
  ['cron(* * * * ? *)', 4],
])('of runs that take four minutes each, %s has at most %i going', (expression, runs) => {
  expect(countOverlappingRuns(expression, 240)).toBe(runs);
});

test.each([
  ['rate(5 minutes)', 5],
  ['rate(2 hours)', 120],
  ['cron(* * * * ? *)', 1],
  ['cron(0/10 * * * ? *)', 10],
  ['cron(*/15 * * * ? *)', 15],
  ['cron(0,10,40 * * * ? *)', 30],
  ['cron(0 * * * ? *)', 60],
  ['cron(0-20/10 * ? * * *)', 40],
  ['cron(0/5 8-17 * * ? *)', 14 * 60 + 5],
  ['cron(0 3 * * ? *)', 24 * 60],
  ['cron(0/5 * ? * MON-FRI *)', 24 * 60],
  ['cron(X * * * ? *)', 24 * 60],
  ['cron(70 * * * ? *)', 24 * 60],
])('two ticks of %s are %i minutes apart at worst', (expression, minutes) => {
  expect(scheduleIntervalSeconds(expression)).toBe(minutes * 60);
});

test.each([
  ['rate(5 minutes)', 5],
  ['cron(0/5 * * * ? *)', 5],
  ['rate(1 hour)', 60],
])('%s keeps a promise of %i minutes', (expression, sloMinutes) => {
  expect(findSlowSchedule(expression, sloMinutes)).toBeUndefined();
  expect(findSlowSchedule(expression, sloMinutes - 1)).toContain(`sloMinutes ${sloMinutes} or more`);
});
