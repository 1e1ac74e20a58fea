import { expect, test } from 'vitest';
import { countOverlappingRuns } from '../../../lib/core/config/stages.ts';

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
