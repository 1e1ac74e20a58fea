import { expect, test } from 'vitest';
import { KINDS, type Kind, runHistory } from './run-history.ts';

/** Histories of this suite; `FRESHET_BATCH_HISTORIES` sets another number, `FRESHET_BATCH_SEED` the first. */
const HISTORIES = Number(process.env.FRESHET_BATCH_HISTORIES ?? 60);
const FIRST_SEED = Number(process.env.FRESHET_BATCH_SEED ?? 1);
/** A history takes a fiftieth of it on a quiet machine. */
const MOST_MS_OF_ONE = 1_000;

test(`${HISTORIES} histories of expired, cancelled, partial, late, doubled and orphaned batches end whole`, {
  timeout: HISTORIES * MOST_MS_OF_ONE,
}, async () => {
  const met = new Map<Kind, number>(KINDS.map(kind => [kind, 0]));
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const kinds = new Set<Kind>();
    const faults = await runHistory(seed, undefined, kind => kinds.add(kind));
    for (const kind of kinds) met.set(kind, met.get(kind)! + 1);

    expect(faults, `history ${seed}`).toEqual([]);
  }
  const counts = [...met].map(([kind, times]) => `${kind} ${times}`).join(', ');
  process.stdout.write(`of ${HISTORIES} histories met: ${counts}\n`);
  if (HISTORIES < 60) return;

  expect([...met].filter(([, times]) => times === 0)).toEqual([]);
});
