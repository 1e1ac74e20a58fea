import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { withWorkspace } from '../../lib/wiring/open-workspace.ts';
import { prepareDatabase } from '../../lib/wiring/prepare-database.ts';
import { runLocally } from '../../lib/wiring/run-locally.ts';
import { startMeasuring } from '../support/start-measuring.ts';
import '../../lib/adapters/openai/openai-provider.ts';
import 'openai';

/**
 * What `freshet run` does, measured from after its imports and the schema's creation. Run as a process of its own; prints what it did as
 * JSON.
 *
 * Arguments: database URL, provider base URL, batch size.
 */
const [databaseUrl = '', baseUrl = '', batchSize = '100'] = process.argv.slice(2);
process.env.OPENAI_BASE_URL = baseUrl;
const directory = await mkdtemp(path.join(os.tmpdir(), 'freshet-bench-'));
await withWorkspace(
  {
    config: path.join(import.meta.dirname, 'freshet.config.ts'),
    databaseUrl,
    directory,
    limits: { batchSize: Number(batchSize) },
    create: true,
  },
  async workspace => {
    await prepareDatabase(workspace);
    const finish = await startMeasuring(databaseUrl);
    const { result, stoppedBy } = await runLocally(workspace, {
      signal: new AbortController().signal,
      maxWaitMs: 60_000,
      maxItems: undefined,
      failureLog: undefined,
      onPrepared: () => undefined,
      onWaiting: () => undefined,
      onProgress: () => undefined,
    });
    if (stoppedBy) throw new Error(stoppedBy.message);
    process.stdout.write(`${JSON.stringify(finish(result.embedded + result.copied))}\n`);
  },
);
await rm(directory, { recursive: true });
