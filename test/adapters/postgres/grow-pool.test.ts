import { describe, expect, test } from 'vitest';
import { growPatiently } from '../../../lib/adapters/postgres/grow-pool.ts';
import { createVirtualClock } from '../../doubles/virtual-clock.ts';

/** A pool as `pg` has it: it gives a free connection in a later turn, or opens another at once. */
function createPool(max: number) {
  const listeners: (() => void)[] = [];
  const pending: ((id: number) => void)[] = [];
  const idle: number[] = [];
  const pool = {
    options: { max },
    idleCount: 0,
    totalCount: 0,
    on: (_: 'release', listener: () => void) => listeners.push(listener),
  };
  const count = () => {
    pool.idleCount = idle.length;
  };
  const serve = () => {
    while (pending.length > 0 && (idle.length > 0 || pool.totalCount < max)) {
      const next = pending.shift();
      if (idle.length === 0) pool.totalCount += 1;
      const id = idle.pop() ?? pool.totalCount;
      count();
      next?.(id);
    }
  };
  const open = () =>
    new Promise<number>(resolve => {
      pending.push(resolve);
      process.nextTick(serve);
    });
  const release = (id: number) => {
    for (const listener of listeners) listener();
    idle.push(id);
    count();
    process.nextTick(serve);
  };
  return { pool, open, release };
}

/** A pool in which each statement takes so long, and the connections that statements were given. */
function createStatements(max: number, milliseconds: number) {
  const clock = createVirtualClock();
  const { pool, open, release } = createPool(max);
  const connect = growPatiently(pool, clock, open);
  const run = async () => {
    const id = await connect();
    await clock.sleep(milliseconds);
    release(id);
    return id;
  };
  const runAll = (statements: number) => Promise.all(Array.from({ length: statements }, run));
  return { pool, clock, connect, release, runAll };
}

describe('a pool that grows patiently', () => {
  test('opens its first connection at once', async () => {
    const { pool, clock, connect } = createStatements(6, 1);
    const begunAtMs = clock.now();
    await connect();
    expect([pool.totalCount, clock.now() - begunAtMs]).toEqual([1, 0]);
  });

  test('serves short statements one after the other by one connection', async () => {
    const { pool, runAll, connect, release } = createStatements(6, 2);
    release(await connect());
    expect(await runAll(10)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(pool.totalCount).toBe(1);
  });

  test('grows to its limit where statements take long', async () => {
    const { pool, clock, runAll, connect, release } = createStatements(3, 500);
    release(await connect());
    const begunAtMs = clock.now();
    const given = await runAll(5);
    expect(new Set(given)).toEqual(new Set([1, 2, 3]));
    expect([pool.totalCount, clock.now() - begunAtMs]).toEqual([3, 1_025]);
  });

  test('has as many connections as statements that hold them', async () => {
    const { pool, connect } = createStatements(6, 1);
    const held = await Promise.all(Array.from({ length: 6 }, connect));
    expect(new Set(held).size).toBe(6);
    expect(pool.totalCount).toBe(6);
  });

  test('gives connections that come back together to as many as wait', async () => {
    const { pool, connect, release } = createStatements(4, 1);
    const held = await Promise.all([connect(), connect()]);
    const size = pool.totalCount;
    const next = Promise.all([connect(), connect()]);
    await Promise.resolve();
    for (const id of held) release(id);
    expect(new Set(await next)).toEqual(new Set(held));
    expect(pool.totalCount).toBe(size);
  });
});
