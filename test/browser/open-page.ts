import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type CliResult, makeFolder, runCli, startCli } from '../bin/run-cli.ts';
import { floatsOf } from '../doubles/behaviours/protocols.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';

const DIMENSIONS = 8;
/** Stands in the texts that the service refuses while it refuses any. */
export const POISON = 'poison';

/** An embedding service that takes its time, and refuses texts with a word until it is told to take them. */
async function startSlowService() {
  const state = { callMs: 0, isRefusing: true };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { texts } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { texts: string[] };
    await new Promise(resolve => setTimeout(resolve, state.callMs));
    const isRefused = state.isRefusing && texts.some(text => text.includes(POISON));
    response.writeHead(isRefused ? 422 : 200, { 'content-type': 'application/json' });
    const vectors = isRefused ? [] : texts.map(text => floatsOf(vectorForText(text, DIMENSIONS)));
    response.end(
      JSON.stringify(
        isRefused
          ? { error: { code: 'invalid_text' } }
          : { dim: DIMENSIONS, vectors, model: 'm', tokens: texts.length },
      ),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { state, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export type ServedPage = Awaited<ReturnType<typeof openServedPage>>;

/**
 * A folder with an embedded database of 240 rows, the command line, and `freshet serve` with its page.
 * @param service the section `service` of the configuration
 */
export async function openServedPage(service: object = {}, environment: Record<string, string> = {}) {
  const { directory, remove } = makeFolder();
  const slow = await startSlowService();
  const models = {
    slow: {
      ...{ provider: 'http', modelId: 'm', baseUrl: slow.baseUrl, dimensions: DIMENSIONS },
      ...{ usdPerMillionTokens: 20, maxTokensPerText: 512 },
    },
  };
  const sources = [{ name: 'articles', table: 'articles', text: { columns: ['title'] }, model: 'slow' }];
  const limits = { batchSize: 8, concurrency: 1 };
  const budget = { usdPerDay: 1 };
  writeFileSync(
    join(directory, 'freshet.config.mjs'),
    `export default ${JSON.stringify({ sources, models, limits, budget, service })};\n`,
  );
  const cli = (...words: string[]): Promise<CliResult> => runCli(directory, words, environment);
  const succeed = async (...words: string[]) => {
    const { code, errors } = await cli(...words);
    if (code !== 0) throw new Error(`${words[0]} ended with ${code}: ${errors}`);
  };
  // The first run makes the database, and finds that it has no table yet.
  await cli('run');
  await succeed(
    'sql',
    `CREATE TABLE articles (id bigint PRIMARY KEY, title text, updated_at timestamptz NOT NULL DEFAULT now());
     INSERT INTO articles (id, title) SELECT n, 'secret story ' || n FROM generate_series(1, 240) n`,
  );
  const served = startCli(directory, ['serve', '--port', '0', '--json'], environment);
  const first = await new Promise<string>((resolve, reject) => {
    served.child.stdout?.once('data', chunk => resolve(String(chunk)));
    void served.ended.then(({ errors }) => reject(new Error(errors)));
  });
  const { url } = JSON.parse(first) as { readonly url: string };
  return {
    ...{ url, cli, succeed, service: slow.state },
    close: async () => {
      served.child.kill('SIGTERM');
      const { errors } = await served.ended;
      slow.server.close();
      slow.server.closeAllConnections();
      remove();
      return errors;
    },
  };
}
