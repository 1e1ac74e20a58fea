import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { makeFolder, runCli } from '../test/bin/run-cli.ts';
import { startBatchService, tokensOf } from '../test/doubles/batch-service.ts';
import { vectorForText } from '../test/doubles/vector-for-text.ts';
import { createBenchDatabase, onServer } from './apparatus/database.ts';

const DIMENSIONS = 64;
/** Batches of a table, which come in at least three rounds: a text has about seven tokens. */
const BATCHES = 10;
const ENQUEUED_TOKENS_PER_ROW = 2.5;
/** A run of the command for each look; so many are enough for any number of batches here. */
const MOST_RUNS = 40;

interface BatchesOptions {
  readonly rows: number;
  readonly print: (line: string) => void;
}

/**
 * Buys a table by batch, as `freshet run` does once a minute, and edits a row while batches are open.
 * The service is the double of the tests on this machine. It refuses what goes beyond the tokens
 * that may be enqueued. Between two runs the next look is made due, so that nobody waits a minute.
 */
export async function benchBatches(serverUrl: string, { rows, print }: BatchesOptions): Promise<void> {
  const texts = Array.from({ length: rows }, (_, place) => ({
    title: `row ${place}`,
    summary: 'a few words',
    tags: ['batch'],
  }));
  const terms = { maxTexts: Math.ceil(rows / BATCHES), maxEnqueuedTokens: ENQUEUED_TOKENS_PER_ROW * rows };
  const databaseUrl = await createBenchDatabase(serverUrl, 'freshet_bench_batches', texts);
  const service = await startBatchService({
    fateOf: () => ({ polls: 1, end: 'completed' }),
    maxEnqueuedTokens: terms.maxEnqueuedTokens,
  });
  const front = await startFront(service.baseUrl);
  const { directory, remove } = makeFolder();
  writeFileSync(path.join(directory, 'freshet.config.ts'), writeConfig(terms));
  const environment = {
    DATABASE_URL: databaseUrl,
    OPENAI_API_KEY: 'sk-bench',
    OPENAI_BASE_URL: front.baseUrl,
  };
  const run = async (command: string) => {
    const beganMs = performance.now();
    const { code, errors } = await runCli(directory, [command, '--json'], environment);
    // A run that leaves rows to a batch says so by its code.
    if (code !== 0 && !errors.includes('held by a batch')) throw new Error(errors);
    return (performance.now() - beganMs) / 1000;
  };
  const query = (text: string) => onServer(databaseUrl, async client => (await client.query(text)).rows[0]);
  try {
    await run('migrate');
    print(
      `${rows} rows, ${terms.maxTexts} texts a batch, ${terms.maxEnqueuedTokens} tokens may be enqueued\n`,
    );
    print('| run | seconds | batches submitted | rows embedded |\n|---|---|---|---|');
    for (let number = 1; number <= MOST_RUNS; number += 1) {
      const seconds = await run('run');
      const { embedded, open } = await query(STANDING);
      print(`| ${number} | ${seconds.toFixed(1)} | ${service.batches.length} | ${embedded} |`);
      if (number === 1) await benchEdit(query, run, print);
      if (Number(embedded) === rows && Number(open) === 0) break;
      await query('UPDATE freshet.batches SET next_look_at = now()');
    }
    const twice = [...service.billed.values()].filter(times => times > 1).length;
    const { paid } = await query(`SELECT sum(tokens)::int AS paid FROM freshet.ledger WHERE lane = 'bulk'`);
    print(
      `\n${service.batches.length} batches; at most ${service.mostEnqueuedTokens()} tokens enqueued; ` +
        `${twice} texts billed twice; ${service.billedTokens()} tokens billed, ${paid} in the ledger; ` +
        `${service.files.size} files left; ${front.calls()} texts bought by calls`,
    );
  } finally {
    remove();
    front.close();
    await service.close();
    await onServer(serverUrl, client => client.query('DROP DATABASE freshet_bench_batches WITH (FORCE)'));
  }
}

const STANDING = `SELECT (SELECT count(*) FROM freshet.vectors_1 WHERE outcome = 'embedded') AS embedded,
  (SELECT count(*) FROM freshet.batches WHERE state <> 'ended') AS open`;

async function benchEdit(
  query: (text: string) => Promise<Record<string, unknown>>,
  run: (command: string) => Promise<number>,
  print: BatchesOptions['print'],
): Promise<void> {
  await query(`UPDATE public.ai_items SET summary = 'edited', updated_at = now() WHERE id = 1`);
  const seconds = await run('run');
  const { fresh } = await query(`SELECT count(*)::int AS fresh FROM freshet.vectors_1 AS v
    JOIN public.ai_items AS i ON i.id = v.item_id AND i.updated_at = v.source_version WHERE i.id = 1`);
  print(
    `| an edit meanwhile | ${seconds.toFixed(1)} | | ${fresh === 1 ? 'stored by the next run' : 'NOT STORED'} |`,
  );
}

function writeConfig(batch: { readonly maxTexts: number; readonly maxEnqueuedTokens: number }): string {
  const model = {
    ...{ provider: 'openai', modelId: 'batched', dimensions: DIMENSIONS, usdPerMillionTokens: 0.02 },
    ...{ sendDimensions: true, bulk: 'batch', batch },
  };
  return `export default ${JSON.stringify({
    models: { batched: model },
    sources: [
      {
        ...{ name: 'ai_items', table: 'public.ai_items', updatedAt: 'updated_at', model: 'batched' },
        text: { columns: ['title', 'summary', 'tags'] },
      },
    ],
    limits: { batchSize: 500 },
  })};\n`;
}

/** Answers calls by itself, and lets the batch service answer the rest. */
async function startFront(target: string) {
  let calls = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (request.url !== '/v1/embeddings') return forward(target, request, body, response);
    const { input } = JSON.parse(body.toString('utf8')) as { input: string[] };
    calls += input.length;
    const data = input.map((text, index) => {
      const embedding = vectorForText(text, DIMENSIONS).toString('base64');
      return { object: 'embedding', index, embedding };
    });
    const tokens = input.reduce((sum, text) => sum + tokensOf(text), 0);
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ object: 'list', data, usage }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls: () => calls,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function forward(target: string, request: IncomingMessage, body: Buffer, response: ServerResponse) {
  const { method = 'GET', url = '', headers } = request;
  const answer = await fetch(new URL(url, target), {
    method,
    headers: { 'content-type': headers['content-type'] ?? 'application/json' },
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
  response.end(Buffer.from(await answer.arrayBuffer()));
}
