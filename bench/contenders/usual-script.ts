import OpenAI from 'openai';
import pg from 'pg';
import { type Measurement, startMeasuring } from '../apparatus/measurement.ts';

/**
 * Measures the script that most teams write, and prints the measurement as JSON.
 * The script embeds stale rows in batches of 100 by the `openai` package as it comes, one request
 * at a time, and writes each vector as text with an UPDATE of its own. It runs in a process of its
 * own. Start-up (imports, connection) is left out of the CPU, and so are the rows of a warm-up
 * database, which the process embeds first; '' for none.
 *
 * Arguments: database URL, warm-up database URL, provider base URL.
 */
const [databaseUrl = '', warmUpUrl = '', baseURL = ''] = process.argv.slice(2);
const openai = new OpenAI({ apiKey: 'bench', baseURL });

async function embedAll(url: string): Promise<Measurement> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const finish = await startMeasuring(url);
  let items = 0;
  for (;;) {
    const { rows } = await client.query(
      `SELECT id, title, summary, tags FROM usual_items
       WHERE embedding IS NULL OR embedding_updated_at < updated_at ORDER BY updated_at DESC LIMIT 100`,
    );
    if (rows.length === 0) break;
    const input = rows.map(row => [row.title, row.summary, row.tags.join(', ')].join('\n'));
    const reply = await openai.embeddings.create({
      model: 'text-embedding-3-small',
      input,
      dimensions: 1536,
    });
    for (const [position, row] of rows.entries()) {
      await client.query(
        'UPDATE usual_items SET embedding = $1::vector, embedding_updated_at = now() WHERE id = $2',
        [JSON.stringify(reply.data[position]?.embedding), row.id],
      );
    }
    items += rows.length;
  }
  const measurement = finish(items);
  await client.end();
  return measurement;
}

if (warmUpUrl !== '') await embedAll(warmUpUrl);
process.stdout.write(`${JSON.stringify(await embedAll(databaseUrl))}\n`);
