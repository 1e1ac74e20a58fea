import { expect, test } from 'vitest';
import type { Outcome } from '../../lib/core/model.ts';
import { announceResult } from '../../lib/pipeline/claim-check.ts';
import { createWriteStep } from '../../lib/pipeline/write/write-step.ts';
import { DISPATCH } from '../factories/logged-twin.ts';
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

/** Writes two announced results in one transaction; `repeated` says that both were written before. */
async function write(repeated: boolean) {
  const world = makeWorld();
  const outcomes = OUTCOMES.map((outcome, index) =>
    notEmbedded({ id: String(index), version: 'v1', xid: '1', readAt: '2026-01-01' }, outcome),
  );
  for (const entries of [outcomes.slice(0, 2), outcomes.slice(2)]) {
    const result = buildResult(makeSpace(), DISPATCH, { outcomes: entries });
    await announceResult(world.embedPorts, { ...result, vectors: entries.map(() => null) }, () => 600_000);
  }
  const store = { ...world.writePorts.outcomes, writeResults: async () => ({ ...NOTHING, repeated }) };
  const { writeTogether } = createWriteStep({ ...world.writePorts, outcomes: store });
  const records = world.results.remainingBodies().map((body, index) => ({
    ...{ messageId: String(index), receiptHandle: '', body, receiveCount: 1 },
  }));
  expect(await writeTogether(records, () => 600_000)).toEqual(records);
  return (...names: string[]) => names.map(name => world.metrics.sums.get(name));
}

test('a transaction counts the rows of its results that failed by class', async () => {
  const sumsOf = await write(false);

  expect(sumsOf('FailedRows', 'RefusedRows', 'UndeliveredRows', 'TooLongRows')).toEqual([3, 1, 2, 2]);
  expect(sumsOf('RepeatedResults')).toEqual([undefined]);
});

test('a repeated one counts no row twice', async () => {
  const sumsOf = await write(true);

  expect(sumsOf('RefusedRows', 'RepeatedResults')).toEqual([undefined, 1]);
});
