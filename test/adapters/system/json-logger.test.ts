import { expect, test } from 'vitest';
import { createJsonLogger } from '../../../lib/adapters/system.ts';

test('a line has the level and the timestamp by which Lambda filters', () => {
  const lines: string[] = [];
  const clock = { now: () => Date.UTC(2026, 10, 21), sleep: async () => undefined };

  createJsonLogger(line => lines.push(line), clock, { component: 'embed' }).warn('rows-postponed', {
    rows: 3,
  });

  expect(lines.map(line => JSON.parse(line))).toEqual([
    {
      timestamp: '2026-11-21T00:00:00.000Z',
      level: 'WARN',
      component: 'embed',
      event: 'rows-postponed',
      rows: 3,
    },
  ]);
});
