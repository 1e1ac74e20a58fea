import type pg from 'pg';
import { createStaticProvider } from '../lib/adapters/providers/static.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import { roundToHalf } from '../lib/core/half-floats.ts';
import type { VectorStorage } from '../lib/core/model.ts';
import { cosineOperatorClass, encodeVectorArray, setElementOid } from '../lib/core/vectors.ts';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { readWordnetRows } from './apparatus/wordnet-rows.ts';

const DATABASE = 'freshet_bench_half';
const QUERIES = 300;
const NEAREST = 10;
const EF_SEARCH = [40, 100, 200];
const BATCH_ROWS = 500;

/**
 * Compares `halfvec` with `vector` on real embeddings: what is found, and what it takes.
 * The rows are glosses of WordNet, embedded by the model `static`; other glosses are the queries.
 * The truth is what comparing every `vector` finds. The index is built after the load, alone.
 */
export async function benchHalf(
  serverUrl: string,
  { rows, print }: { readonly rows: number; readonly print: (line: string) => void },
): Promise<void> {
  const vectors = await embedGlosses(rows + QUERIES);
  const queries = vectors.slice(rows);
  const url = await createBenchDatabase(serverUrl, DATABASE, []);
  await onServer(url, async client => {
    const dimensions = (vectors[0]?.length ?? 0) / 4;
    print(`${rows} glosses, ${dimensions} dimensions, ${QUERIES} queries, the nearest ${NEAREST}\n`);
    const recalls = EF_SEARCH.map(ef => `HNSW, ef_search ${ef}`).join(' | ');
    print(`| storage | every row compared | ${recalls} | table | index | load, s | build of the index, s |`);
    print(`|---|---|${EF_SEARCH.map(() => '---').join('|')}|---|---|---|---|`);
    let truth: (readonly string[])[] | undefined;
    for (const storage of [undefined, 'halfvec'] as const) {
      const table = storage ?? 'vector';
      const loadSeconds = await time(() => load(client, storage, vectors.slice(0, rows), dimensions));
      const exact = await search(client, storage, queries);
      truth ??= exact;
      const buildSeconds = await time(() =>
        client.query(`CREATE INDEX ON ${table}s USING hnsw (embedding ${cosineOperatorClass(storage)})`),
      );
      const found = [exact];
      for (const ef of EF_SEARCH) found.push(await search(client, storage, queries, ef));
      const shares = found.map(each => recallOf(each, truth ?? []).toFixed(4)).join(' | ');
      const { rows: sizes } = await client.query<{ size: string }>(
        `SELECT pg_size_pretty(size) AS size
           FROM (VALUES (pg_table_size('${table}s')), (pg_indexes_size('${table}s'))) AS s (size)`,
      );
      const taken = [...sizes.map(({ size }) => size), loadSeconds.toFixed(1), buildSeconds.toFixed(1)];
      print(`| \`${table}\` | ${shares} | ${taken.join(' | ')} |`);
    }
  });
  await onServer(serverUrl, client => client.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`));
}

/** Embeds the first glosses that the model knows a word of, float32 each. */
async function embedGlosses(count: number): Promise<Buffer[]> {
  const { models } = parseConfig({
    sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'static' }],
  });
  const provider = createStaticProvider(models.static!);
  // A few texts of more, in place of those without a known word and of equal ones.
  const texts = [...new Set((await readWordnetRows(2 * count)).map(({ summary }) => summary))];
  const vectors: Buffer[] = [];
  for (let start = 0; start < texts.length && vectors.length < count; start += 1000) {
    const { items } = await provider.embed({
      texts: texts.slice(start, start + 1000),
      role: 'document',
      deadlineMs: Number.POSITIVE_INFINITY,
      signal: new AbortController().signal,
    });
    vectors.push(...items.map(({ bytes }) => bytes));
  }
  return vectors.slice(0, count);
}

async function load(
  client: pg.Client,
  storage: VectorStorage,
  vectors: readonly Buffer[],
  dimensions: number,
): Promise<void> {
  const type = storage ?? 'vector';
  await client.query(`CREATE TABLE ${type}s (id integer PRIMARY KEY, embedding ${type}(${dimensions}))`);
  const { rows } = await client.query<{ oid: number }>(`SELECT '${type}'::regtype::oid::int AS oid`);
  for (let start = 0; start < vectors.length; start += BATCH_ROWS) {
    const batch = vectors.slice(start, start + BATCH_ROWS);
    const stored = storage === undefined ? batch : batch.map(vector => roundToHalf(vector)!);
    const array = setElementOid(encodeVectorArray(stored, dimensions, storage), rows[0]!.oid);
    await client.query(
      `INSERT INTO ${type}s SELECT $1::int + place, v FROM unnest($2::${type}[]) WITH ORDINALITY AS u (v, place)`,
      [start, array],
    );
  }
  await client.query(`VACUUM ANALYZE ${type}s`);
}

/** Finds the ids nearest to each query. Without `efSearch`, every row is compared. */
async function search(
  client: pg.Client,
  storage: VectorStorage,
  queries: readonly Buffer[],
  efSearch?: number,
): Promise<(readonly string[])[]> {
  const type = storage ?? 'vector';
  await client.query(`SET enable_indexscan = ${efSearch === undefined ? 'off' : 'on'}`);
  await client.query(`SET enable_seqscan = ${efSearch === undefined ? 'on' : 'off'}`);
  await client.query(`SET hnsw.ef_search = ${efSearch ?? 40}`);
  const found: (readonly string[])[] = [];
  for (const query of queries) {
    const text = JSON.stringify([...new Float32Array(new Uint8Array(query).buffer)]);
    const { rows } = await client.query<{ id: string }>(
      `SELECT id::text AS id FROM ${type}s ORDER BY embedding <=> $1::vector::${type} LIMIT ${NEAREST}`,
      [text],
    );
    found.push(rows.map(({ id }) => id));
  }
  return found;
}

function recallOf(found: readonly (readonly string[])[], truth: readonly (readonly string[])[]): number {
  const right = found.map((ids, query) => ids.filter(id => truth[query]?.includes(id)).length);
  return right.reduce((sum, count) => sum + count, 0) / (NEAREST * truth.length);
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
