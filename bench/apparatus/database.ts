import pg from 'pg';
import type { WordnetRow } from './wordnet-rows.ts';

/** Holds one connection to a server for the length of `use`. */
export async function onServer<Result>(
  url: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/**
 * Creates a database beside the one that `serverUrl` names, and resolves with its URL.
 * `rows` are in the tables of both contenders, `ai_items` and `usual_items`. A database of the same
 * name is dropped first.
 */
export async function createBenchDatabase(
  serverUrl: string,
  name: string,
  rows: readonly WordnetRow[],
): Promise<string> {
  await onServer(serverUrl, async client => {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await onServer(url.href, async client => {
    await client.query('CREATE EXTENSION vector');
    for (const columns of [
      'ai_items (id bigint PRIMARY KEY, title text, summary text, tags text[], updated_at timestamptz NOT NULL)',
      `usual_items (id bigint PRIMARY KEY, title text, summary text, tags text[], updated_at timestamptz NOT NULL,
         embedding vector(1536), embedding_updated_at timestamptz)`,
    ]) {
      await client.query(`CREATE TABLE public.${columns}`);
      const table = columns.slice(0, columns.indexOf(' '));
      await client.query(
        `INSERT INTO public.${table} (id, title, summary, tags, updated_at)
         SELECT r.place, r.line->>0, r.line->>1, ARRAY[r.line->>2], now() - interval '1 day' + r.place * interval '1 ms'
           FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS r (line, place)`,
        [JSON.stringify(rows.map(row => [row.title, row.summary, ...row.tags]))],
      );
      await client.query(`CREATE INDEX ON public.${table} (updated_at, id)`);
    }
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  });
  return url.href;
}
