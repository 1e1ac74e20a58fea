import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliResult, makeFolder, type RunningCli, readObject, startCli } from '../../bin/run-cli.ts';
import { onServer, openPool } from '../../database/on-server.ts';
import {
  type LoopbackOptions,
  type LoopbackServer,
  startLoopbackOpenAiServer,
} from '../../doubles/loopback-openai-server.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';

/** Stands in every text of these tests, and must not be found anywhere but in the table and at the provider. */
export const CANARY = 'heliotrope canary';
export const DIMENSIONS = 8;

const SERVER_URL = process.env.DATABASE_URL ?? '';

export interface RunObject {
  readonly spaces: readonly Readonly<Record<string, number | string>>[];
  readonly embedded: number;
  readonly copied: number;
  readonly touched: number;
  readonly excluded: number;
  readonly failed: number;
  readonly providerCalls: number;
  readonly error?: { readonly message: string; readonly code?: string; readonly remedy?: string };
}

/**
 * A database of its own, a folder with a configuration, an OpenAI-compatible server and the real command line. `close` also asserts that no
 * output of any command and no file holds the canary.
 */
export async function openWorkbench(options: LoopbackOptions & { readonly withPgvector?: boolean } = {}) {
  const name = `freshet_test_${randomBytes(6).toString('hex')}`;
  await onServer(SERVER_URL, `CREATE DATABASE ${name}`);
  const url = urlOf({ database: name });
  const pool = openPool({ connectionString: url, max: 4 });
  if (options.withPgvector !== false) await pool.query('CREATE EXTENSION vector');
  const { directory, remove } = makeFolder();
  const server = await startLoopbackOpenAiServer({ dimensions: DIMENSIONS, ...options });
  const outputs: string[] = [];
  const roles: string[] = [];

  const query = async <Row = Record<string, unknown>>(statement: string, values: unknown[] = []) =>
    (await pool.query(statement, values)).rows as Row[];
  const start = (
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): RunningCli => {
    const running = startCli(directory, words, { DATABASE_URL: url, ...environment });
    void running.ended.then(({ output, errors }) => outputs.push(output, errors));
    return running;
  };
  const cli = (...words: string[]): Promise<CliResult> => start(words).ended;

  return {
    database: name,
    url,
    directory,
    server,
    query,
    start,
    cli,
    configure: (config: object) => writeConfig(directory, config, server),
    async run(...words: string[]): Promise<RunObject & { code: number | null; errors: string }> {
      const result = await cli('run', '--json', '--max-wait', '20s', ...words);
      return { ...(readObject(result) as unknown as RunObject), code: result.code, errors: result.errors };
    },
    /** A transaction that stays open on a connection of its own. */
    async beginTransaction() {
      const client = await pool.connect();
      await client.query('BEGIN');
      return {
        query: (statement: string) => client.query(statement),
        async commit() {
          await client.query('COMMIT');
          client.release();
        },
      };
    },
    /** A role that may log in and nothing else; gone with the workbench. */
    async createRole(password?: string): Promise<{ role: string; url: string }> {
      const role = `freshet_role_${randomBytes(4).toString('hex')}`;
      roles.push(role);
      await query(`CREATE ROLE ${role} LOGIN${password === undefined ? '' : ` PASSWORD '${password}'`}`);
      return { role, url: urlOf({ database: name, user: role }) };
    },
    readTraces: () => readTraces(directory),
    /** Rows of a source's active space, by id. */
    stored: (source = 'items') => readStored(query, source),
    async close(): Promise<void> {
      await server.close();
      const traces = readTraces(directory);
      remove();
      await pool.end();
      await onServer(SERVER_URL, `DROP DATABASE ${name} WITH (FORCE)`);
      for (const role of roles) await onServer(SERVER_URL, `DROP ROLE ${role}`);
      const leak = [traces, ...outputs].find(text => text.includes(CANARY));
      if (leak !== undefined) throw new Error(`Text of a row got out:\n${leak.slice(0, 2000)}`);
    },
  };
}

export type Workbench = Awaited<ReturnType<typeof openWorkbench>>;

export function urlOf(changes: {
  database?: string;
  user?: string;
  password?: string;
  port?: number;
}): string {
  const url = new URL(SERVER_URL);
  if (changes.database !== undefined) url.pathname = `/${changes.database}`;
  if (changes.user !== undefined) url.username = changes.user;
  if (changes.password !== undefined) url.password = changes.password;
  if (changes.port !== undefined) url.port = String(changes.port);
  return url.href;
}

/** The source that most tests use. */
export function itemsSource(changes: object = {}): object {
  return { name: 'items', table: 'items', text: { columns: ['body'] }, model: 'tiny', ...changes };
}

function writeConfig(directory: string, config: object, server: LoopbackServer): void {
  const tiny = { provider: 'openai', modelId: 'tiny-1', dimensions: DIMENSIONS, baseUrl: server.baseUrl };
  const whole = { sources: [itemsSource()], models: { tiny }, ...config };
  writeFileSync(
    join(directory, 'freshet.config.ts'),
    `export default ${JSON.stringify(whole).replaceAll('"SERVER"', JSON.stringify(server.baseUrl))};`,
  );
}

function readTraces(directory: string): string {
  return ['log.jsonl', 'metrics.jsonl']
    .map(file => join(directory, '.freshet', file))
    .filter(existsSync)
    .map(file => readFileSync(file, 'utf8'))
    .join('');
}

export interface StoredRow {
  readonly id: string;
  readonly outcome: string;
  readonly vector: number[] | null;
}

type Query = <Row = Record<string, unknown>>(statement: string, values?: unknown[]) => Promise<Row[]>;

async function readStored(query: Query, source: string): Promise<StoredRow[]> {
  const [space] = await query<{ id: number }>(
    `SELECT space_id AS id FROM freshet.spaces WHERE source_name = $1 AND status = 'active'`,
    [source],
  );
  const rows = await query<{ id: string; outcome: string; vector: string | null }>(
    `SELECT item_id::text AS id, outcome, embedding::text AS vector FROM freshet.vectors_${space?.id} ORDER BY item_id`,
  );
  return rows.map(row => ({
    ...row,
    vector: row.vector === null ? null : (JSON.parse(row.vector) as number[]).map(Math.fround),
  }));
}

/** What the provider answers for a text, as the table shows it. */
export function vectorOf(text: string, dimensions: number = DIMENSIONS): number[] {
  const bytes = vectorForText(text, dimensions);
  return Array.from({ length: dimensions }, (_, place) => bytes.readFloatLE(place * 4));
}

export function embedded(id: string | number, text: string): StoredRow {
  return { id: String(id), outcome: 'embedded', vector: vectorOf(text) };
}

export function withoutVector(id: string | number, outcome: string): StoredRow {
  return { id: String(id), outcome, vector: null };
}

/** `items (id, body, updated_at)` with one row per text, ids from 1. */
export async function createItems(
  bench: Workbench,
  texts: readonly (string | null)[],
  columns: { readonly key?: string; readonly updatedAt?: string; readonly table?: string } = {},
): Promise<void> {
  const table = columns.table ?? 'items';
  await bench.query(`CREATE TABLE ${table} (id ${columns.key ?? 'bigint'} PRIMARY KEY, body text,
    updated_at ${columns.updatedAt ?? 'timestamptz'} DEFAULT now())`);
  if (texts.length === 0) return;
  await bench.query(
    `INSERT INTO ${table} (id, body) SELECT place, body FROM unnest($1::text[]) WITH ORDINALITY AS t (body, place)`,
    [texts],
  );
}
