import { connect, createServer, type Socket } from 'node:net';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createSourceTable } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildConfig } from '../factories/pipeline-config.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

async function terminateOthers(): Promise<void> {
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(db.kysely);
}

/** Stands before the server of the tests and counts who connects and who is still connected. */
async function countConnections() {
  const target = new URL(process.env.DATABASE_URL ?? '');
  const sockets = new Set<Socket>();
  let made = 0;
  const proxy = createServer(socket => {
    made += 1;
    sockets.add(socket);
    const behind = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const url = new URL(target.href);
  url.hostname = '127.0.0.1';
  url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
  url.pathname = (await sql<{ name: string }>`SELECT current_database() AS name`.execute(db.kysely))
    .rows[0]!.name;
  return {
    url: url.href,
    made: () => made,
    open: () => sockets.size,
    close: () => new Promise(resolve => proxy.close(resolve)),
  };
}

describe('openPostgres', () => {
  it('works on the connection on which it checked the server', async () => {
    const counted = await countConnections();
    const opened = await openPostgres({ connectionString: counted.url, maxConnections: 4 });

    const { rows } = await sql<{ zone: string }>`SELECT current_setting('TimeZone') AS zone`.execute(
      opened.kysely,
    );
    const made = counted.made();
    await opened.close();
    await counted.close();

    expect(rows).toEqual([{ zone: 'UTC' }]);
    expect(made).toBe(1);
  });

  it('leaves no connection behind where nothing was asked of it', async () => {
    const counted = await countConnections();
    const opened = await openPostgres({ connectionString: counted.url, maxConnections: 4 });

    await opened.close();
    await counted.close();

    expect({ made: counted.made(), open: counted.open() }).toEqual({ made: 1, open: 0 });
  });

  it('tells a run that its lock is lost when the server ends the connection', async () => {
    const run = await db.beginRun();

    await terminateOthers();

    await run.lost;
  });

  it('does not report the lock of a run that ended as lost', async () => {
    const run = await db.beginRun();
    const lost = run.lost.then(() => 'lost');

    await run.end();

    expect(await Promise.race([lost, Promise.resolve('ended')])).toBe('ended');
  });

  it('goes on with new connections when the server ended idle ones', async () => {
    await Promise.all([1, 2, 3].map(() => sql`SELECT pg_sleep(0.05)`.execute(db.kysely)));

    await terminateOthers();

    const answers = await Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => sql`SELECT 1`.execute(db.kysely)));
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ failureClass: 'transient' });
    }
    await sql`SELECT 1`.execute(db.kysely);
  });

  it('classifies a statement whose connection the server ends as transient', async () => {
    const failure = db.kysely.transaction().execute(async transaction => {
      const me = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(transaction);
      await sql`SELECT pg_terminate_backend(${me.rows[0]?.pid}::int)`.execute(db.kysely);
      await sql`SELECT 1`.execute(transaction);
    });

    await expect(failure).rejects.toMatchObject({ name: 'FreshetError', failureClass: 'transient' });
  });

  it('makes each space once when several processes start at the same time', async () => {
    await createSourceTable(db);

    const made = await Promise.all([1, 2, 3].map(() => ensureSpaces(db, buildConfig())));

    expect(new Set(made.map(spaces => spaces[0]?.spaceId)).size).toBe(1);
  });
});
