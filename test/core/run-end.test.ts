import { describe, expect, test } from 'vitest';
import { decideRunEnd, describeHeld, type ObservedRun } from '../../lib/core/run-end.ts';

const nothing = { stale: 0, inFlight: 0, failed: 0 };

function seeRun(seen: Partial<ObservedRun> = {}): ObservedRun {
  return {
    ...{ lockLost: false, faults: [], deadLetters: 0, spaces: [nothing], unreadSources: [] },
    heldElsewhere: { byRuns: 0, byPipeline: 0 },
    ...seen,
  };
}

const missing = { source: 'items', code: 'source-missing', message: 'Source "items": its table is gone.' };
const unexpected = {
  source: 'items',
  code: 'unexpected',
  message: 'An unexpected TypeError was thrown at lib/x.ts:1:2.',
};
const paused = { source: 'items', code: 'operator', message: 'source:items is paused (operator): night.' };
const held = { spaces: [{ ...nothing, inFlight: 150 }], heldElsewhere: { byRuns: 150, byPipeline: 0 } };

describe('the end of a run', () => {
  test.each<[string, Partial<ObservedRun>, string, number, string]>([
    ['every row is fresh', {}, 'complete', 0, ''],
    ['there is no space', { spaces: [] }, 'complete', 0, ''],
    ['the allowance of rows was not needed', { maxItems: 5 }, 'complete', 0, ''],
    ['rows failed', { spaces: [{ ...nothing, failed: 1 }] }, 'failed-rows', 3, '1 row failed'],
    [
      'another run holds rows',
      held,
      'held-elsewhere',
      4,
      '150 rows are held by another run and not finished',
    ],
    [
      'the deployed pipeline holds a row',
      { spaces: [{ ...nothing, inFlight: 1 }], heldElsewhere: { byRuns: 0, byPipeline: 1 } },
      ...(['held-elsewhere', 4, '1 row is held by the deployed pipeline'] as const),
    ],
    [
      'another run holds rows whose version is embedded, but not their last edit',
      { heldElsewhere: { byRuns: 3, byPipeline: 0 } },
      ...(['held-elsewhere', 4, '3 rows are held by another run and not finished'] as const),
    ],
    [
      'whoever held rows let them go a moment later',
      { spaces: [{ ...nothing, inFlight: 2 }] },
      ...(['held-elsewhere', 4, '2 rows are held by somebody else'] as const),
    ],
    [
      'it may take up no more rows',
      { spaces: [{ ...nothing, stale: 1500 }], maxItems: 250 },
      ...(['rows-left', 5, '1,500 rows are stale: the run may take up 250 (--max-items)'] as const),
    ],
    [
      'rows are stale for no known reason',
      { spaces: [{ ...nothing, stale: 7 }] },
      'rows-left',
      5,
      '7 rows are',
    ],
    [
      'one of two spaces is stale',
      { spaces: [nothing, { ...nothing, stale: 7 }] },
      'rows-left',
      5,
      '7 rows are',
    ],
    [
      'rows are stale, held and failed',
      { spaces: [{ stale: 1, inFlight: 2, failed: 3 }] },
      'rows-left',
      5,
      '1 row',
    ],
    [
      'rows are held and failed',
      { spaces: [{ stale: 0, inFlight: 2, failed: 3 }] },
      'held-elsewhere',
      4,
      '3 rows',
    ],
    ['its table is gone', { faults: [missing] }, 'error', 2, 'Source "items": its table is gone.'],
    ['detection failed', { faults: [unexpected] }, 'error', 1, 'Source "items": An unexpected TypeError'],
    ['a table is gone and detection failed', { faults: [missing, unexpected] }, 'error', 1, 'TypeError'],
    ['an operator paused a source', { faults: [paused] }, 'error', 1, 'source:items is paused'],
    ['messages were given up', { deadLetters: 2 }, 'error', 1, '2 messages could not be worked on'],
    [
      'its lock was lost',
      { lockLost: true },
      'error',
      1,
      'The connection that held the run was lost, so the run ended. The next run goes on.',
    ],
    ['the provider said stop', { error: { code: 'unauthorized', message: 'No.' } }, 'error', 1, 'No.'],
    ['nothing moved', { error: { code: 'no_progress', message: 'Too long.' } }, 'error', 1, 'Too long.'],
    [
      'the model has other dimensions',
      { error: { code: 'wrong_dimensions', message: 'Line 3.' } },
      'error',
      2,
      '3',
    ],
    [
      'the coverage could not be read',
      { spaces: [], unreadSources: ['items'] },
      'error',
      1,
      '"items" could not',
    ],
    ['a signal came', { interruptedBy: 'signal', ...held }, 'stopped', 130, ''],
    ['freshet stop asked', { interruptedBy: 'operator', ...held }, 'stopped', 130, 'freshet stop'],
    [
      'a signal came after a fault',
      { interruptedBy: 'signal', faults: [unexpected] },
      'error',
      1,
      'TypeError',
    ],
  ])('where %s: %j', (_name, seen, kind, exitCode, words) => {
    const ending = decideRunEnd(seeRun(seen));

    expect(ending).toMatchObject({ kind, exitCode });
    expect(ending.sentences.join('\n')).toContain(words);
    expect(ending.error !== undefined).toBe(kind === 'error');
  });

  test('is complete, and has code 0, only where no space has a row that is stale, held or failed', () => {
    for (const stale of [0, 1]) {
      for (const inFlight of [0, 1]) {
        for (const failed of [0, 1]) {
          for (const maxItems of [undefined, 1]) {
            const ending = decideRunEnd(seeRun({ spaces: [nothing, { stale, inFlight, failed }], maxItems }));

            const isComplete = stale + inFlight + failed === 0;
            expect([ending.exitCode === 0, ending.kind === 'complete']).toEqual([isComplete, isComplete]);
            expect(ending.sentences.length > 0).toBe(!isComplete);
          }
        }
      }
    }
  });
});

test('what others hold is told by who they are', () => {
  expect(describeHeld(20, { byRuns: 15, byPipeline: 5 })).toBe(
    '20 rows are held by another run and the deployed pipeline',
  );
});
