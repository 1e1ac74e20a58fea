import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type * as Detect from '../functions/detect/handler.ts';
import type * as Embed from '../functions/embed/handler.ts';
import type * as Migrate from '../functions/migrate/handler.ts';
import type * as Write from '../functions/write/handler.ts';
import { openPostgres } from '../lib/adapters/postgres/open-postgres.ts';
import { CONSUMERS, FUNCTION_SETTINGS } from '../lib/constructs/function-settings.ts';
import { buildHandlers } from '../test/deployments/built-handlers.ts';
import { pollQueue } from '../test/deployments/lambda-poller.ts';
import { type Deployment, describeConfig, openDeployment } from '../test/deployments/open-deployment.ts';
import { makeContext } from '../test/factories/lambda-event.ts';
import { createBenchDatabase } from './apparatus/database.ts';

/** Few, as the bench asks how work reaches the workers, not what a vector costs them. */
const DIMENSIONS = 32;
const PROVIDER_MS = 50;
/** Environments of `embed` at once, as `maxConcurrency` has it, and of `write`. */
const WORKERS = 4;
const WRITERS = 2;
const POLLERS_PER_WORKER = 2;
const TICK_EVERY_MS = 300_000;
/** Between two receives of an empty queue, in place of a long poll. */
const EMPTY_WAIT_MS = 20;

interface StageBenchOptions {
  readonly rows: number;
  readonly print: (line: string) => void;
}

/**
 * Measures how busy a stage's workers are while it embeds a table for the first time.
 * The bundled functions run as Lambda runs them: ticks every five minutes, one environment with a
 * connection of its own for each worker, and pollers that invoke and delete. A worker is busy
 * while an invocation of it runs. All of it, SQS and S3 in memory and the provider among it, shares
 * one process with them, so that the rate is the machine's; the share is the stage's.
 */
export async function benchStage(serverUrl: string, { rows, print }: StageBenchOptions): Promise<void> {
  const url = await createBenchDatabase(serverUrl, 'freshet_bench_stage', []);
  const database = await openPostgres({ connectionString: url, maxConnections: 1 });
  const deployment = await openDeployment({
    dimensions: DIMENSIONS,
    database: { host: 'bench.invalid', port: 5432, name: 'freshet', certificateAuthority: 'rds' },
    databaseSecret: { username: 'freshet', password: 'unused' },
  });
  const stage = loadStage(deployment, url);
  try {
    deployment.provider.setBehaviour(async () => {
      await sleep(PROVIDER_MS);
      return { kind: 'embed' };
    });
    await sql`INSERT INTO public.ai_items (id, title, summary, updated_at)
      SELECT n, 'title ' || n, 'summary of ' || n, now() - interval '1 hour'
        FROM generate_series(1, ${rows}::int) AS n`.execute(database.kysely);
    await stage.create<typeof Migrate>('migrate')({}, makeContext());
    const countLeases = async () => {
      const counted = await sql<{ leases: number }>`
        SELECT count(*)::int AS leases FROM freshet.leases`.execute(database.kysely);
      return counted.rows[0]?.leases ?? 0;
    };
    const work = await runStage(deployment, stage, countLeases);
    const found = await sql<{ fresh: number }>`
      SELECT count(*)::int AS fresh FROM freshet.vectors_1 WHERE outcome = 'embedded'`.execute(
      database.kysely,
    );
    const seconds = (work.lastMs - work.firstMs) / 1000;
    const busy = work.busyMs / ((work.lastMs - work.firstMs) * WORKERS);
    print(`${found.rows[0]?.fresh} of ${rows} rows, provider of ${PROVIDER_MS} ms, ${WORKERS} workers`);
    print(
      `${work.ticks} ticks, ${work.calls} invocations of embed in ${seconds.toFixed(1)} s between the first and ` +
        `the last: ${Math.round(rows / seconds)} rows/s, workers busy ${(100 * busy).toFixed(1)} %`,
    );
  } finally {
    await stage.close();
    await Promise.all([deployment.close(), database.close()]);
  }
}

/** Builds the functions; each environment that is created opens a connection of its own. */
function loadStage({ variables, provider }: Deployment, connectionString: string) {
  const names = ['migrate', 'detect', 'embed', 'write'] as const;
  const built = buildHandlers(names, describeConfig(provider, DIMENSIONS));
  const opened: { close(): Promise<void> }[] = [];
  return {
    create<Module extends { createLambda: (dependencies: never) => unknown }>(name: (typeof names)[number]) {
      const openDatabase = async () => {
        const database = await openPostgres({ connectionString, maxConnections: 1 });
        opened.push(database);
        return { ...database, close: async () => {} };
      };
      const dependencies = { variables, directory: built.folderOf(name), writeLine: () => {}, openDatabase };
      return built.load<Module>(name).createLambda(dependencies as never) as ReturnType<
        Module['createLambda']
      >;
    },
    async close() {
      await Promise.all(opened.map(database => database.close()));
      built.remove();
    },
  };
}

async function runStage(
  deployment: Deployment,
  stage: ReturnType<typeof loadStage>,
  countLeases: () => Promise<number>,
) {
  const { client, queues } = deployment;
  const work = { firstMs: 0, lastMs: 0, busyMs: 0, calls: 0, ticks: 0 };
  let isOver = false;
  const poll = async (url: string, batchSize: number, invoke: Parameters<typeof pollQueue>[0]['invoke']) => {
    while (!isOver) {
      const { received } = await pollQueue({ client, url, batchSize, invoke });
      if (received === 0) await sleep(EMPTY_WAIT_MS);
    }
  };
  const startWorker = () => {
    const embed = stage.create<typeof Embed>('embed');
    let free: Promise<unknown> = Promise.resolve();
    const run: typeof embed = async (event, context) => {
      const beganMs = performance.now();
      work.firstMs ||= beganMs;
      const answer = await embed(event, context);
      work.lastMs = performance.now();
      work.busyMs += work.lastMs - beganMs;
      work.calls += 1;
      return answer;
    };
    // Lambda's pollers are apart from the environments: one has the next message at hand.
    const invoke: typeof embed = (event, context) => {
      const answer = free.then(() => run(event, context));
      free = answer.catch(() => undefined);
      return answer;
    };
    return Array.from({ length: POLLERS_PER_WORKER }, () =>
      poll(queues.bulk.url, CONSUMERS.embed.batchSize, invoke),
    );
  };
  const startWriter = () =>
    poll(queues.results.url, CONSUMERS.write.batchSize, stage.create<typeof Write>('write'));
  const polling = [
    ...Array.from({ length: WORKERS }, startWorker).flat(),
    ...Array.from({ length: WRITERS }, startWriter),
  ];
  try {
    work.ticks = await tickUntilDone(stage.create<typeof Detect>('detect'), countLeases);
  } finally {
    isOver = true;
    await Promise.all(polling);
  }
  return work;
}

/** Starts a tick every five minutes, as the schedule does, until the walk is at its end and done. */
async function tickUntilDone(
  detect: ReturnType<typeof Detect.createLambda>,
  countLeases: () => Promise<number>,
): Promise<number> {
  for (let ticks = 1; ; ticks += 1) {
    const beganMs = performance.now();
    const endsMs = beganMs + 1000 * FUNCTION_SETTINGS.detect.timeoutSeconds;
    const { spaces } = await detect(
      { pass: 'reconcile', resume: true },
      makeContext(() => Math.max(0, endsMs - performance.now())),
    );
    if (spaces.every(({ passEnded }) => passEnded)) {
      while ((await countLeases()) > 0) await sleep(EMPTY_WAIT_MS);
      return ticks;
    }
    await sleep(TICK_EVERY_MS - (performance.now() - beganMs));
  }
}
