import { withConnection } from '../../test/database/on-server.ts';
import type { WordnetRow } from './wordnet-rows.ts';

/**
 * Creates a database on the server of `serverUrl`, and resolves with its URL.
 *
 * Its tables `public.ai_items` and `public.usual_items` hold `rows`.
 */
export async function prepareDatabase(
  serverUrl: string,
  name: string,
  rows: readonly WordnetRow[],
): Promise<string> {
  await withConnection(serverUrl, async client => {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await withConnection(url.href, async client => {
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
