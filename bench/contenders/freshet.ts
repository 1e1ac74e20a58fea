import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runLocally } from '../../lib/local/run-locally.ts';
import { prepareDatabase } from '../../lib/wiring/prepare.ts';
import { withWorkspace } from '../../lib/wiring/workspace.ts';
import { type Measurement, startMeasuring } from '../apparatus/measurement.ts';
import '../../lib/adapters/providers/openai.ts';
import 'openai';

/**
 * Measures what `freshet run` does, and prints the measurement as JSON.
 * The script runs in a process of its own. Imports and the creation of the schema are left out, and
 * so are the rows of a warm-up database, which the process embeds first.
 *
 * Arguments: database URL, warm-up database URL, provider base URL, batch size.
 */
const [databaseUrl = '', warmUpUrl = '', baseUrl = '', batchSize = '100'] = process.argv.slice(2);
process.env.OPENAI_BASE_URL = baseUrl;

async function embedAll(url: string): Promise<Measurement> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'freshet-bench-'));
  const measurement = await withWorkspace(
    {
      config: path.join(import.meta.dirname, 'freshet.config.ts'),
      databaseUrl: url,
      directory,
      limits: () => ({ batchSize: Number(batchSize) }),
      create: true,
    },
    async workspace => {
      await prepareDatabase(workspace);
      const finish = await startMeasuring(url);
      const { result, ending } = await runLocally(workspace, {
        signal: new AbortController().signal,
        maxWaitMs: 60_000,
        maxItems: undefined,
        failureLog: undefined,
        onPrepared: () => undefined,
        onCounted: () => undefined,
        onWaiting: () => undefined,
        onProgress: () => undefined,
      });
      if (ending.kind !== 'complete') throw new Error(`${ending.kind}: ${ending.sentences.join(' ')}`);
      return finish(result.embedded + result.copied);
    },
  );
  await rm(directory, { recursive: true });
  return measurement;
}

await embedAll(warmUpUrl);
process.stdout.write(`${JSON.stringify(await embedAll(databaseUrl))}\n`);
