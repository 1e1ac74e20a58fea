import { expect, test } from 'vitest';
import { isEdited } from '../../lib/core/batches.ts';
import { openBatchWorld } from '../batches/batch-world.ts';
import { spaceOf } from '../twin/twin-database.ts';

const HOUR_MS = 3_600_000;

type BatchWorld = Awaited<ReturnType<typeof openBatchWorld>>;

/** Runs a reconcile pass after what `prepare` did: the rows that then wait, and the texts bought by calls. */
async function reconcileAfter(prepare: (world: BatchWorld) => void | Promise<void>) {
  const world = await openBatchWorld(1, () => ({ polls: 0, end: 'completed' }));
  try {
    await prepare(world);
    await world.detect('reconcile');
    await world.embed();
    await world.write();
    return { waiting: world.staleRows().map(({ id }) => id), bought: new Map(world.live) };
  } finally {
    await world.close();
  }
}

/** Stores row 1 with the text "as it was". */
async function storeRow(world: BatchWorld): Promise<void> {
  world.put('1', 'as it was');
  await world.work();
}

test('an edit that the reconcile pass sees first is bought by a call, and old rows wait for a batch', async () => {
  const { waiting, bought } = await reconcileAfter(world => {
    world.put('1', 'edited a moment ago');
    world.put('2', 'there for long', 2 * HOUR_MS);
  });

  expect(waiting).toEqual(['2']);
  expect(bought).toEqual(new Map([['edited a moment ago', 1]]));
});

test('a row whose text is another than the one that was embedded waits for no batch, however old its version', async () => {
  const { waiting, bought } = await reconcileAfter(async world => {
    await storeRow(world);
    // A transaction that began ten minutes before it ended: the version is of its beginning.
    world.put('1', 'as a long transaction left it', HOUR_MS / 6);
    world.put('2', 'a load of a long transaction', HOUR_MS / 6);
  });

  expect(waiting).toEqual(['2']);
  expect(bought.get('as a long transaction left it')).toBe(1);
});

test('a row whose text changed without its version waits for a batch: the walk found it, and nobody else will', async () => {
  const { waiting, bought } = await reconcileAfter(async world => {
    await storeRow(world);
    world.advance(HOUR_MS);
    world.put('1', 'as a mass change left it', HOUR_MS);
  });

  expect(waiting).toEqual(['1']);
  expect(bought).toEqual(new Map([['as it was', 1]]));
});

test('a row that was reset waits for a batch: its text is no edit', async () => {
  const { waiting, bought } = await reconcileAfter(async world => {
    await storeRow(world);
    const { outcomes } = spaceOf(world.twin, world.space);
    outcomes.set('1', { ...outcomes.get('1')!, version: null, xid: null, contentHash: null });
    world.advance(HOUR_MS);
  });

  expect(waiting).toEqual(['1']);
  expect(bought).toEqual(new Map([['as it was', 1]]));
});

test('a version is of an edit for five minutes, by any clock', () => {
  const nowMs = Date.UTC(2026, 0, 1, 12);

  expect(isEdited('2026-01-01 11:56:00.123456+00', nowMs)).toBe(true);
  expect(isEdited('2026-01-01 11:54:00+00', nowMs)).toBe(false);
  expect(isEdited('2026-01-01 12:04:00', nowMs)).toBe(true);
  expect(isEdited('2026-01-01 17:27:00+05:30', nowMs)).toBe(true);
  expect(isEdited('2026-02-01 12:00:00+00', nowMs)).toBe(false);
  expect(isEdited('infinity', nowMs)).toBe(false);
  expect(isEdited(null, nowMs)).toBe(false);
});
