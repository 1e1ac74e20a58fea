import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { readWordnetRows } from '../../bench/apparatus/wordnet-rows.ts';
import { type CliResult, makeFolder, type RunningCli, readObject, startCli } from '../bin/run-cli.ts';
import { onServer } from '../database/on-server.ts';
import {
  type Behaviour,
  type LoopbackCall,
  startLoopbackOpenAiServer,
} from '../doubles/loopback-openai-server.ts';
import { digestVectorForText } from '../doubles/vector-for-text.ts';

const DIMENSIONS = 1536;
const PREFIX = 'passage: ';

export interface PipelineOptions {
  /** Count of WordNet rows; their `updated_at` lie in the past, one second apart. */
  readonly rows: number;
  readonly latencyMs?: number;
  /** The provider waits for it before it answers a call. */
  readonly hold?: (call: LoopbackCall, callsBefore: number) => Promise<void> | undefined;
  readonly limits?: Readonly<Record<string, number>>;
  readonly usdPerMillionTokens?: number;
  /** What the provider bills for a text; a fourth of its characters unless given. */
  readonly countTokens?: (text: string) => number;
  /** Limits of the provider, as a model's `limits` take them. */
  readonly callLimits?: Readonly<Record<string, number>>;
  readonly budget?: Readonly<Record<string, number>>;
}

export type Pipeline = Awaited<ReturnType<typeof openPipeline>>;

/**
 * Opens what a user of the command line has; `close` ends all of it.
 *
 * That is: a new database with `ai_items`, a provider on this machine, and a folder with a
 * configuration for both.
 */
export async function openPipeline(options: PipelineOptions) {
  const url = process.env.DATABASE_URL ?? '';
  const name = `freshet_run_${randomBytes(6).toString('hex')}`;
  await onServer(url, `CREATE DATABASE ${name}`);
  const databaseUrl = Object.assign(new URL(url), { pathname: `/${name}` }).href;
  const session = await openSession(databaseUrl);
  await createItems(session, options.rows);
  const purchases: string[] = [];
  let awaited: { callsLeft: number; then: () => void } | undefined;
  let behave: (call: LoopbackCall, callsBefore: number) => Behaviour = () => ({ kind: 'embed' });
  const server = await startLoopbackOpenAiServer({
    latencyMs: options.latencyMs ?? 0,
    recordCalls: false,
    ...(options.countTokens && { countTokens: options.countTokens }),
    hold: (call, callsBefore) => {
      if (awaited) awaited.callsLeft -= 1;
      if (awaited?.callsLeft === 0) awaited.then();
      return options.hold?.(call, callsBefore);
    },
    behave: (call, callsBefore) => {
      const behaviour = behave(call, callsBefore);
      if (behaviour.kind === 'embed') purchases.push(...call.texts);
      return behaviour;
    },
  });
  const { directory, remove } = makeFolder();
  const configure = (changes: Partial<PipelineOptions>) =>
    writeFileSync(join(directory, 'freshet.config.ts'), writeConfig({ ...options, ...changes }));
  configure({});
  const environment = {
    DATABASE_URL: databaseUrl,
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: server.baseUrl,
  };
  const start = (...words: string[]): RunningCli => startCli(directory, words, environment);
  const sessions = [session];
  return {
    server,
    /** Every text that the provider was sent and did not refuse, in order and with repeats. */
    purchases,
    behaveAs: (next: typeof behave) => {
      behave = next;
    },
    /** Calls `then` once, when the provider was asked so many more times; undefined: not any more. */
    afterCalls: (count: number | undefined, then: () => void = () => {}) => {
      awaited = count === undefined ? undefined : { callsLeft: count, then };
    },
    query: async <Row>(statement: string, parameters: unknown[] = []): Promise<Row[]> =>
      (await session.query(statement, parameters)).rows,
    /** Opens a second session of the application. */
    open: async () => {
      const other = await openSession(databaseUrl);
      sessions.push(other);
      return other;
    },
    /** Writes the configuration anew, with these changes. */
    configure,
    start,
    startAt: (baseUrl: string, ...words: string[]): RunningCli =>
      startCli(directory, words, { ...environment, OPENAI_BASE_URL: baseUrl }),
    run: (...words: string[]): Promise<CliResult> => start('run', '--json', ...words).ended,
    status: async (): Promise<SpaceStatus> => {
      const status = readObject(await start('status', '--json').ended);
      return (status.spaces as SpaceStatus[])[0]!;
    },
    readTexts: () => readTexts(session),
    findWrongVectors: () => findWrongVectors(session),
    countLeases: async () =>
      (await session.query('SELECT count(*)::int AS leases FROM freshet.leases')).rows[0].leases as number,
    close: async () => {
      await server.close();
      await Promise.all(sessions.map(one => one.end()));
      await onServer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      remove();
    },
  };
}

export interface SpaceStatus {
  readonly eligible: number;
  readonly fresh: number;
  readonly stale: number;
  readonly inFlight: number;
  readonly failed: number;
  readonly excluded: number;
  readonly coveragePercent: number;
}

/** The answer of `status` for a space of which nothing is left to do. */
export function complete(rows: number): Partial<SpaceStatus> {
  return { eligible: rows, fresh: rows, stale: 0, inFlight: 0, failed: 0, excluded: 0, coveragePercent: 100 };
}

async function openSession(databaseUrl: string): Promise<pg.Client> {
  const session = new pg.Client({ connectionString: databaseUrl });
  session.on('error', () => {});
  await session.connect();
  return session;
}

async function createItems(session: pg.Client, count: number): Promise<void> {
  await session.query('CREATE EXTENSION vector');
  await session.query(`CREATE TABLE ai_items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL,
    summary text, tags text[] NOT NULL DEFAULT '{}', updated_at timestamptz NOT NULL DEFAULT now())`);
  await session.query('CREATE INDEX ON ai_items (updated_at, id)');
  const rows = await readWordnetRows(count);
  await session.query(
    `INSERT INTO ai_items (title, summary, tags, updated_at)
     SELECT title, summary, ARRAY[tag], now() - ($4::int - place) * interval '1 second'
       FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (title, summary, tag, place) ORDER BY place`,
    [rows.map(row => row.title), rows.map(row => row.summary), rows.map(row => row.tags[0]), count],
  );
  await session.query('ANALYZE ai_items');
}

function writeConfig({
  limits = {},
  callLimits = {},
  usdPerMillionTokens = 0,
  budget,
}: PipelineOptions): string {
  return `export default ${JSON.stringify({
    models: {
      served: {
        provider: 'openai',
        modelId: 'served-model',
        dimensions: DIMENSIONS,
        documentPrefix: PREFIX,
        sendDimensions: true,
        usdPerMillionTokens,
        limits: callLimits,
      },
    },
    sources: [
      {
        name: 'ai_items',
        table: 'public.ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title', 'summary', 'tags'], template: '{title}\n{summary}\nTags: {tags}' },
        model: 'served',
      },
    ],
    limits,
    ...(budget && { budget }),
  })};\n`;
}

/** Composes the texts that must be sent for the rows of now, without the code under test. */
async function readTexts(session: pg.Client): Promise<Map<string, string>> {
  const { rows } = await session.query<{ id: string; text: string }>(
    `SELECT id::text, title || E'\\n' || coalesce(summary, '') || E'\\nTags: ' || array_to_string(tags, ', ') AS text
       FROM ai_items ORDER BY id`,
  );
  return new Map(rows.map(({ id, text }) => [id, PREFIX + text.trim()]));
}

/**
 * Finds the ids of rows without the vector of their text.
 *
 * The stored vector must equal the provider's to the last bit.
 */
async function findWrongVectors(session: pg.Client): Promise<string[]> {
  const texts = await readTexts(session);
  const { rows } = await session.query<{ id: string; digest: string | null }>(
    `SELECT i.id::text, encode(sha256(vector_send(v.embedding)), 'hex') AS digest
       FROM ai_items AS i LEFT JOIN freshet.vectors_1 AS v ON v.item_id = i.id AND v.chunk = 0`,
  );
  return rows
    .filter(({ id, digest }) => digest !== digestVectorForText(texts.get(id) ?? '', DIMENSIONS))
    .map(({ id }) => id);
}
