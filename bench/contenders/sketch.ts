import { hash } from 'node:crypto';
import { Agent, request } from 'node:http';
import pg from 'pg';

/**
 * Embeds stale rows with as little as this machine allows: what a bench calls `ref`.
 *
 * A side table, pages by key, four requests under way, vectors as base64 and one statement per
 * batch with all vectors in one binary parameter. There are no leases, no ledger, no limits, no
 * checks and no second try: a floor, not a product. The environment names the database and the
 * provider.
 */
const DIMENSIONS = 1536;
const MODEL = 'text-embedding-3-small';
const BATCH = 100;
const UNDER_WAY = 4;

const WRITE = `WITH s AS MATERIALIZED (SELECT id FROM ai_items WHERE id = ANY ($1::bigint[]) ORDER BY id FOR KEY SHARE)
INSERT INTO item_embeddings AS t (item_id, source_version, content_hash, model, embedding, embedded_at)
SELECT s.id, u.version, u.hash, $5, u.embedding, now()
  FROM s JOIN unnest($1::bigint[], $2::timestamptz[], $3::bytea[], $4::vector[]) AS u (id, version, hash, embedding)
    ON u.id = s.id
ON CONFLICT (item_id) DO UPDATE
   SET source_version = excluded.source_version, content_hash = excluded.content_hash, model = excluded.model,
       embedding = excluded.embedding, embedded_at = excluded.embedded_at
 WHERE t.source_version <= excluded.source_version`;

const READ = `SELECT s.id, s.updated_at::text AS version, s.title, s.summary, s.tags
  FROM ai_items s LEFT JOIN item_embeddings e ON e.item_id = s.id
 WHERE s.id > $1 AND (e.item_id IS NULL OR e.source_version < s.updated_at) ORDER BY s.id LIMIT ${BATCH * 10}`;

interface Row {
  readonly id: string;
  readonly version: string;
  readonly title: string;
  readonly summary: string;
  readonly tags: readonly string[];
}

const connect = async () => {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  return client;
};
const [reader, writer] = [await connect(), await connect()];
await writer.query(`CREATE TABLE item_embeddings (
  item_id bigint PRIMARY KEY REFERENCES ai_items (id) ON DELETE CASCADE, source_version timestamptz NOT NULL,
  content_hash bytea NOT NULL, model text NOT NULL, embedding vector(${DIMENSIONS}) NOT NULL,
  embedded_at timestamptz NOT NULL DEFAULT now())`);
const typeOfVector = Number((await writer.query("SELECT 'vector'::regtype::oid::int AS oid")).rows[0].oid);
const agent = new Agent({ keepAlive: true, maxSockets: UNDER_WAY });
const address = new URL(`${process.env.OPENAI_BASE_URL}/embeddings`);

function post(body: string): Promise<Buffer> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
  };
  return new Promise((resolve, reject) => {
    const sent = request(address, { method: 'POST', agent, headers }, reply => {
      const chunks: Buffer[] = [];
      reply
        .on('data', chunk => chunks.push(chunk))
        .on('end', () => resolve(Buffer.concat(chunks)))
        .on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}

/** Lays vectors out as PostgreSQL sends an array of them; each comes as little-endian floats. */
function layOut(vectors: readonly Buffer[]): Buffer {
  const bytes = 4 + DIMENSIONS * 4;
  const array = Buffer.allocUnsafe(20 + vectors.length * (4 + bytes));
  for (const [place, value] of [1, 0, typeOfVector, vectors.length, 1].entries())
    array.writeInt32BE(value, place * 4);
  let at = 20;
  for (const vector of vectors) {
    array.writeInt32BE(bytes, at);
    array.writeInt32BE(DIMENSIONS << 16, at + 4);
    vector.copy(array, at + 8);
    array.subarray(at + 8, at + 4 + bytes).swap32();
    at += 4 + bytes;
  }
  return array;
}

async function embed(rows: readonly Row[]): Promise<void> {
  const texts = rows.map(row => [row.title, row.summary, row.tags.join(', ')].filter(Boolean).join('\n'));
  const asked = { model: MODEL, input: texts, encoding_format: 'base64', dimensions: DIMENSIONS };
  const reply = JSON.parse((await post(JSON.stringify(asked))).toString('latin1'));
  const list = (values: readonly string[]) => `{${values.join(',')}}`;
  await writer.query({
    name: 'write',
    text: WRITE,
    values: [
      list(rows.map(row => row.id)),
      list(rows.map(row => `"${row.version}"`)),
      list(texts.map(text => `"\\\\x${hash('sha256', text, 'hex')}"`)),
      layOut(reply.data.map((item: { embedding: string }) => Buffer.from(item.embedding, 'base64'))),
      MODEL,
    ],
  });
}

const underWay = new Set<Promise<void>>();
let last = '0';
for (;;) {
  const { rows } = await reader.query<Row>({ name: 'read', text: READ, values: [last] });
  if (rows.length === 0) break;
  last = rows.at(-1)!.id;
  for (let begin = 0; begin < rows.length; begin += BATCH) {
    while (underWay.size >= UNDER_WAY) await Promise.race(underWay);
    const batch = embed(rows.slice(begin, begin + BATCH)).finally(() => underWay.delete(batch));
    underWay.add(batch);
  }
}
await Promise.all(underWay);
await Promise.all([reader.end(), writer.end()]);
agent.destroy();
