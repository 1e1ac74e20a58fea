import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type RunningCli, startCli } from '../../test/bin/run-cli.ts';

interface FleetOptions {
  readonly databaseUrl: string;
  readonly baseUrl: string;
  readonly dimensions: number;
  readonly workers: number;
  readonly batchSize: number;
}

/** Processes of `freshet run` on one database. */
export interface Fleet {
  /** Edits rows of the table, `everyMs` apart: milliseconds from the commit to the stored vector. */
  edit(count: number, everyMs: number): Promise<number[]>;
  query(statement: string): Promise<void>;
  /** @throws Error where a worker has ended already */
  requireRunning(): void;
  stop(): Promise<void>;
}

/** Milliseconds after which an edit counts as never stored. */
const MOST_EDIT_MS = 120_000;
const LOOK_EVERY_MS = 50;

/** Makes schema `freshet` and starts the workers, as a user starts them. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-fleet-'));
  writeFileSync(join(directory, 'freshet.config.ts'), writeConfig(options));
  const environment = {
    DATABASE_URL: options.databaseUrl,
    OPENAI_API_KEY: 'sk-bench',
    OPENAI_BASE_URL: options.baseUrl,
  };
  const migrated = await startCli(directory, ['migrate', '--json'], environment).ended;
  if (migrated.code !== 0) throw new Error(migrated.errors);
  const workers = Array.from({ length: options.workers }, () =>
    startCli(directory, ['run', '--json', '--max-wait', '600s'], environment),
  );
  const client = new pg.Client({ connectionString: options.databaseUrl });
  await client.connect();
  return {
    edit: (count, everyMs) => editRows(client, count, everyMs),
    query: async statement => void (await client.query(statement)),
    requireRunning() {
      const ended = workers.find(({ child }) => child.exitCode !== null);
      if (ended !== undefined) throw new Error(`a worker ended with ${ended.child.exitCode}`);
    },
    async stop() {
      for (const { child } of workers) child.kill('SIGTERM');
      await Promise.all(workers.map(({ ended }: RunningCli) => ended));
      await client.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function writeConfig({ dimensions, batchSize }: FleetOptions): string {
  const model = { provider: 'openai', modelId: 'limited', dimensions, usdPerMillionTokens: 0.02 };
  return `export default ${JSON.stringify({
    models: { limited: model },
    sources: [
      {
        name: 'ai_items',
        table: 'public.ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title', 'summary', 'tags'] },
        model: 'limited',
      },
    ],
    limits: { batchSize, maxInFlight: 20_000 },
  })};\n`;
}

async function editRows(client: pg.Client, count: number, everyMs: number): Promise<number[]> {
  const { rows } = await client.query('SELECT id::text FROM ai_items ORDER BY random() LIMIT $1', [count]);
  const committedMs = new Map<string, number>();
  const tookMs: number[] = [];
  const beganMs = performance.now();
  let edited = 0;
  while (edited < count || committedMs.size > 0) {
    if (edited < count && performance.now() >= beganMs + edited * everyMs) {
      const { id } = rows[edited] as { id: string };
      edited += 1;
      await client.query(
        `UPDATE ai_items SET summary = 'edited ' || clock_timestamp(), updated_at = now() WHERE id = $1`,
        [id],
      );
      committedMs.set(id, performance.now());
    }
    for (const id of await findStored(client, [...committedMs.keys()])) {
      tookMs.push(performance.now() - (committedMs.get(id) ?? 0));
      committedMs.delete(id);
    }
    for (const [id, atMs] of committedMs) {
      if (performance.now() - atMs < MOST_EDIT_MS) continue;
      tookMs.push(Number.POSITIVE_INFINITY);
      committedMs.delete(id);
    }
    await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return tookMs;
}

async function findStored(client: pg.Client, ids: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT i.id::text FROM ai_items AS i JOIN freshet.vectors_1 AS v ON v.item_id = i.id
      WHERE i.id = ANY ($1::bigint[]) AND v.outcome = 'embedded' AND v.source_version = i.updated_at`,
    [ids],
  );
  return rows.map(({ id }) => id);
}
