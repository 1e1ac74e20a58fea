import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import type { TickLock } from '../../lib/ports/detection-store.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

let db: SqlDatabase;
let lock: TickLock;
beforeEach(async () => {
  db = await openTestDatabase();
  lock = db.tickLock!;
});
afterEach(() => db.close());

const done = async () => ({ done: true });
const count = async (statement: string) =>
  (await sql<{ n: number }>`SELECT count(*)::int AS n FROM ${sql.raw(statement)}`.execute(db.kysely)).rows[0]
    ?.n;
const ADVISORY =
  "pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

describe('ticks that overlap', () => {
  it('keep a second one of the same name out, and no other', async () => {
    const outcomes = await lock.tryAlone('detect:reconcile', 60_000, async () => ({
      same: await lock.tryAlone('detect:reconcile', 60_000, done),
      other: await lock.tryAlone('detect:incremental', 60_000, done),
    }));

    expect(outcomes).toEqual({ same: undefined, other: { done: true } });
  });

  it('leave neither a lock nor a connection behind, also where the work throws', async () => {
    const failing = lock.tryAlone('detect:reconcile', 60_000, async () => {
      throw new Error('broken');
    });

    await expect(failing).rejects.toThrow('broken');
    await expect.poll(() => count(ADVISORY)).toBe(0);
    expect(await lock.tryAlone('detect:reconcile', 60_000, done)).toEqual({ done: true });
  });

  it('do their work to its end when the session of their lock is ended, and may overlap then', async () => {
    const outcomes = await lock.tryAlone('detect:reconcile', 60_000, async () => {
      await sql`SELECT pg_terminate_backend(pid) FROM ${sql.raw(ADVISORY)}`.execute(db.kysely);
      await expect.poll(() => count(ADVISORY)).toBe(0);
      return { second: await lock.tryAlone('detect:reconcile', 60_000, done) };
    });

    expect(outcomes).toEqual({ second: { done: true } });
  });

  it('are kept out no longer than the first one may take, though it never says a word again', async () => {
    let wake = () => {};
    const frozen = lock.tryAlone(
      'detect:reconcile',
      -4_500,
      () =>
        new Promise<object>(resolve => {
          wake = () => resolve({});
        }),
    );
    await expect.poll(() => count(ADVISORY)).toBe(1);

    await expect
      .poll(() => lock.tryAlone('detect:reconcile', 60_000, done), { timeout: 30_000 })
      .toEqual({ done: true });
    wake();
    await frozen;
  });

  it('let statements of the pool go on while they hold their lock', async () => {
    const seen = await lock.tryAlone('detect:reconcile', 60_000, async () => ({
      idle: await count(
        "pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()",
      ),
    }));

    expect(seen).toEqual({ idle: 1 });
  });
});
