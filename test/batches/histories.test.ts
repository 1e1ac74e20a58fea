import { expect, test } from 'vitest';
import { runHistory } from './run-history.ts';

/** Histories of this suite; `FRESHET_BATCH_HISTORIES` sets another number, `FRESHET_BATCH_SEED` the first. */
const HISTORIES = Number(process.env.FRESHET_BATCH_HISTORIES ?? 60);
const FIRST_SEED = Number(process.env.FRESHET_BATCH_SEED ?? 1);

test(`${HISTORIES} histories of expired, cancelled, partial, late, doubled and orphaned batches end whole`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const faults = await runHistory(seed);

    expect(faults, `history ${seed}`).toEqual([]);
  }
});
