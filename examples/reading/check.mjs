/**
 * Runs each way of reading on a table that holds vectors, and fails where one does not find the row.
 * DATABASE_URL names the database, FRESHET_URL the service, FRESHET_MODEL the alias of the model, QUESTION what is
 * asked, and EXPECTED the id of the row that must come first.
 */
import { readFileSync } from 'node:fs';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { nearestItems } from './drizzle.mjs';
import { embedQuery } from './embed-query.mjs';
import { FreshetRetriever as LangChainRetriever } from './langchain.mjs';
import { FreshetRetriever as LlamaIndexRetriever } from './llamaindex.mjs';

const { DATABASE_URL, FRESHET_URL, FRESHET_MODEL, QUESTION, EXPECTED } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL });
const embed = text => embedQuery(text, { url: FRESHET_URL, model: FRESHET_MODEL });

async function matchDocuments() {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(readFileSync(new URL('./match-documents.sql', import.meta.url), 'utf8'));
    const { rows } = await client.query('SELECT id::text AS id FROM match_documents($1::vector, 3)', [
      JSON.stringify(await embed(QUESTION)),
    ]);
    return rows.map(({ id }) => id);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const ways = {
  'LangChain.js': async () => {
    const found = await new LangChainRetriever({ pool, embed, limit: 3 }).invoke(QUESTION);
    return found.map(({ id }) => id);
  },
  'LlamaIndex.TS': async () => {
    const found = await new LlamaIndexRetriever({ pool, embed, limit: 3 }).retrieve(QUESTION);
    return found.map(({ node }) => node.id_);
  },
  drizzle: async () => {
    const found = await nearestItems(drizzle(pool), await embed(QUESTION), 3);
    return found.map(({ id }) => String(id));
  },
  match_documents: matchDocuments,
};

for (const [name, read] of Object.entries(ways)) {
  const ids = await read();
  process.stdout.write(`${name}: ${ids.join(', ')}\n`);
  if (ids[0] !== EXPECTED) process.exitCode = 1;
}
await pool.end();
