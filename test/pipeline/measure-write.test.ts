import { expect, test } from 'vitest';
import type { Outcome } from '../../lib/core/model.ts';
import { measureWrite } from '../../lib/pipeline/write/load-result.ts';
import { buildResult, notEmbedded } from '../factories/result-object.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const NOTHING = { repeated: false, embedded: 0, copied: 0, touched: 0, excluded: 3, failed: 3, overtaken: 0 };
const OUTCOMES: Outcome[] = [
  'refused:http_400',
  'undelivered',
  'undelivered:http_503',
  'too-long',
  'too-long',
  'excluded:empty',
];

function measure(repeated: boolean) {
  const world = makeWorld();
  const outcomes = OUTCOMES.map((outcome, index) =>
    notEmbedded({ id: String(index), version: 'v1', xid: '1', readAt: '2026-01-01' }, outcome),
  );
  const results = [outcomes.slice(0, 2), outcomes.slice(2)].map(entries =>
    buildResult(makeSpace(), '00000000-0000-4000-8000-000000000001', { outcomes: entries }),
  );
  measureWrite(world.writePorts, { ...NOTHING, repeated }, world.clock.now(), results);
  return (...names: string[]) => names.map(name => world.metrics.sums.get(name));
}

test('a transaction counts the rows of its results that failed by class', () => {
  const sumsOf = measure(false);

  expect(sumsOf('FailedRows', 'RefusedRows', 'UndeliveredRows', 'TooLongRows')).toEqual([3, 1, 2, 2]);
  expect(sumsOf('RepeatedResults')).toEqual([undefined]);
});

test('a repeated one counts no row twice', () => {
  const sumsOf = measure(true);

  expect(sumsOf('RefusedRows', 'RepeatedResults')).toEqual([undefined, 1]);
});
