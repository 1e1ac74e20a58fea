import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresEndpoint } from '../../lib/adapters/postgres/login.ts';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { AUTHORITY_PEM } from '../doubles/tls-postgres-server.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';
import { listReleases, type Pooler, type PoolerOptions, startPooler } from './start-pooler.ts';

const ROWS = 300;

let pipeline: Pipeline;
let database: string;
beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    latencyMs: 20,
    limits: { batchSize: 25 },
  });
  const [row] = await pipeline.query<{ name: string }>('SELECT current_database() AS name');
  database = row!.name;
  await pipeline.query('CREATE SCHEMA app');
  await pipeline.query('CREATE TABLE app.orders AS SELECT 1 AS id');
  // What the application relies on in each of its sessions.
  await pipeline.query(`ALTER DATABASE ${database} SET search_path = app, public`);
  await pipeline.query(`ALTER DATABASE ${database} SET timezone = 'Asia/Tokyo'`);
});
afterAll(() => pipeline.close());

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function startPoolerHere(options: PoolerOptions): Promise<Pooler> {
  const pooler = await startPooler(options);
  closings.push(() => pooler.close());
  return pooler;
}

/** The URL of the pipeline's database through the pooler. */
function urlOf(pooler: Pooler): string {
  return pooler.through(
    Object.assign(new URL(process.env.DATABASE_URL ?? ''), { pathname: `/${database}` }).href,
  );
}

/** Another application behind the same pooler. */
async function openNeighbour(pooler: Pooler): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: urlOf(pooler) });
  client.on('error', () => {});
  await client.connect();
  closings.push(() => client.end());
  return client;
}

/** What the neighbour's statements depend on, read through each session that the pool has. */
async function readSessions(neighbours: readonly pg.Client[]): Promise<unknown[]> {
  const answers = await Promise.all(
    neighbours.map(neighbour =>
      neighbour.query(`SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone,
        (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
        (SELECT count(*)::int FROM pg_locks JOIN pg_database d ON d.oid = database
          WHERE locktype = 'advisory' AND datname = current_database()) AS locks,
        (SELECT count(*)::int FROM orders) AS orders, pg_sleep(0.1)::text`),
    ),
  );
  return answers.map(({ rows }) => rows[0]);
}

/** The pooler as a deployed function knows it. */
const endpointOf = (pooler: Pooler): PostgresEndpoint => ({
  host: 'localhost',
  port: pooler.port,
  database,
  readLogin: async () => ({ user: 'postgres', password: 'any' }),
  certificateAuthority: { pem: AUTHORITY_PEM },
});

const UNTOUCHED = { path: 'app, public', zone: 'Asia/Tokyo', prepared: 0, locks: 0, orders: 1, pg_sleep: '' };

async function open(connectionString: string): Promise<SqlDatabase> {
  const db = await openPostgres({ connectionString, maxConnections: 4 });
  closings.push(() => db.close());
  return db;
}

const refusalOf = (opening: Promise<SqlDatabase>) =>
  opening.then(
    () => expect.fail('the pooler was not refused'),
    error => ({ name: error.name, message: error.message, remedy: error.remedy }),
  );

const refused = (port: number) => ({
  name: 'UsageError',
  message: expect.stringContaining(
    `PostgreSQL at 127.0.0.1:${port} is a pooler in transaction or statement mode`,
  ),
  remedy: expect.stringMatching(/own host and port \(mostly 5432\).*pool in session mode/),
});

describe.each(listReleases())("PgBouncer of Debian's %s (%s)", release => {
  it.each([
    ['transaction', 'one session', { default_pool_size: 1 }, 1],
    ['transaction', 'several sessions', {}, 3],
    ['transaction', 'several sessions in turn', { server_round_robin: 1 }, 3],
    ['transaction', 'two sessions in turn', { server_round_robin: 1 }, 2],
    ['statement', 'one session', { default_pool_size: 1 }, 1],
    ['statement', 'several sessions in turn', { server_round_robin: 1 }, 4],
    ...(release === 'stable'
      ? ([['transaction', 'prepared statements of its own', { max_prepared_statements: 200 }, 2]] as const)
      : []),
  ] as const)(
    'is refused in %s mode with %s, and nothing is set',
    async (pool_mode, _, settings, sessions) => {
      const pooler = await startPoolerHere({ release, settings: { pool_mode, ...settings } });
      const neighbours = await Promise.all(Array.from({ length: sessions }, () => openNeighbour(pooler)));
      expect(await readSessions(neighbours)).toEqual(neighbours.map(() => UNTOUCHED));

      expect(await refusalOf(open(urlOf(pooler)))).toEqual(refused(pooler.port));

      expect(await readSessions(neighbours)).toEqual(neighbours.map(() => UNTOUCHED));
    },
  );

  it('is refused by each command with exit code 2, and nothing is set', async () => {
    const pooler = await startPoolerHere({
      release,
      settings: { pool_mode: 'transaction', default_pool_size: 1 },
    });
    const neighbour = await openNeighbour(pooler);
    await readSessions([neighbour]);
    for (const command of ['doctor', 'run', 'stop', 'status', 'migrate']) {
      const ended = await pipeline.start(command, '--database-url', urlOf(pooler)).ended;

      expect(ended, command).toMatchObject({ code: 2 });
      expect(ended.errors).toContain(`127.0.0.1:${pooler.port} is a pooler in transaction or statement mode`);
      expect(await readSessions([neighbour]), command).toEqual([UNTOUCHED]);
    }
  });

  it('is refused by a deployed function before anything is set', async () => {
    const pooler = await startPoolerHere({
      release,
      settings: { pool_mode: 'transaction', default_pool_size: 1 },
    });
    const neighbour = await openNeighbour(pooler);
    const refusal = await refusalOf(openPostgres({ endpoint: endpointOf(pooler), maxConnections: 1 }));

    expect(refusal.message).toContain(`PostgreSQL at localhost:${pooler.port} is a pooler in transaction`);
    expect(await readSessions([neighbour])).toEqual([UNTOUCHED]);
  });

  it('is given no time limit of ours in session mode, where a function is deployed behind it', async () => {
    const pooler = await startPoolerHere({ release, settings: { pool_mode: 'session' } });

    const db = await openPostgres({ endpoint: endpointOf(pooler), maxConnections: 1 });
    closings.push(() => db.close());

    const { rows } = await sql`
      SELECT current_setting('idle_session_timeout') AS idle, current_setting('TimeZone') AS zone,
             current_setting('idle_in_transaction_session_timeout') AS "inTransaction"`.execute(db.kysely);
    expect(rows).toEqual([{ idle: '0', inTransaction: '0', zone: 'UTC' }]);
  });

  it('serves in session mode for a run that is killed and the run after it', async () => {
    const pooler = await startPoolerHere({ release, settings: { pool_mode: 'session' } });
    await pipeline.query("UPDATE ai_items SET summary = summary || ' again', updated_at = now()");
    const through = ['--database-url', urlOf(pooler)];
    const { child, ended } = pipeline.start('run', ...through);
    pipeline.afterCalls(1, () => child.kill('SIGKILL'));
    await ended;
    expect(child.signalCode).toBe('SIGKILL');

    const result = await pipeline.run(...through);

    expect(result.code, result.errors).toBe(0);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });
});

describe('a pooler', () => {
  it('is refused in transaction mode each time while other clients keep its sessions busy', async () => {
    const pooler = await startPoolerHere({ settings: { pool_mode: 'transaction' } });
    const stop = await keepBusy(pooler);
    for (let times = 0; times < 10; times += 1)
      expect(await refusalOf(open(urlOf(pooler)))).toEqual(refused(pooler.port));
    await stop();
  });

  it('serves in session mode each time while other clients keep its sessions busy', async () => {
    const pooler = await startPoolerHere({ settings: { pool_mode: 'session', server_round_robin: 1 } });
    const stop = await keepBusy(pooler);
    for (let times = 0; times < 10; times += 1) await (await open(urlOf(pooler))).close();
    await stop();
  });

  it('is refused in transaction mode where several processes share its port', async () => {
    const pooler = await startPoolerHere({ settings: { pool_mode: 'transaction' }, processes: 3 });
    for (let times = 0; times < 10; times += 1)
      expect(await refusalOf(open(urlOf(pooler)))).toEqual(refused(pooler.port));
  });

  it('in session mode with one session says that the pool is too small, at once', async () => {
    const pooler = await startPoolerHere({ settings: { pool_mode: 'session', default_pool_size: 1 } });

    expect(await refusalOf(open(urlOf(pooler)))).toEqual({
      name: 'UsageError',
      message: expect.stringContaining(`127.0.0.1:${pooler.port} is a pooler in session mode whose sessions`),
      remedy: expect.stringContaining('default_pool_size'),
    });
  });

  it('is refused in transaction mode with one session that somebody holds for a while', async () => {
    const pooler = await startPoolerHere({ settings: { pool_mode: 'transaction', default_pool_size: 1 } });
    const neighbour = await openNeighbour(pooler);
    const held = neighbour.query('SELECT pg_sleep(3)');

    expect(await refusalOf(open(urlOf(pooler)))).toEqual(refused(pooler.port));
    await held;
  });
});

/** Has several clients send statements through the pooler until the returned function is called. */
async function keepBusy(pooler: Pooler): Promise<() => Promise<void>> {
  const neighbours = await Promise.all(Array.from({ length: 4 }, () => openNeighbour(pooler)));
  let busy = true;
  const loops = neighbours.map(async (neighbour, place) => {
    while (busy) await neighbour.query('SELECT pg_sleep($1)', [0.002 * (place + 1)]);
  });
  return async () => {
    busy = false;
    await Promise.all(loops);
  };
}
