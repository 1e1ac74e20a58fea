import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { type RunResult, runLocally } from '../../lib/local/run-locally.ts';
import { searchAsOperator } from '../../lib/wiring/open-search.ts';
import { readEnvironment, type Workspace } from '../../lib/wiring/workspace.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

/**
 * Opens in this process what the command line works on.
 *
 * That is: a test database, a new folder and a configuration as somebody would write it.
 */
export async function openTestWorkspace(config: FreshetConfig) {
  const database = await openTestDatabase({ migrated: false });
  const directory = mkdtempSync(join(tmpdir(), 'freshet-'));
  const workspace: Workspace = {
    config: parseConfig(config),
    file: 'freshet.config.ts',
    demo: false,
    place: { kind: 'embedded', directory },
    directory,
    environment: readEnvironment({ OPENAI_API_KEY: 'sk-test' }),
    database,
  };
  return {
    workspace,
    database,
    run: (): Promise<RunResult> => runOnce(workspace),
    /** A run of another configuration on the same database. */
    runIn: runOnce,
    search: async (text: string, source?: string) => {
      const found = await searchAsOperator(workspace, { query: text, limit: 5, source });
      const hits = found.hits.map(({ id, score, columns }) => ({ id, similarity: score, columns }));
      return { source: found.source, model: found.model.alias, hits };
    },
    close: async () => {
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function runOnce(workspace: Workspace): Promise<RunResult> {
  const { result, ending } = await runLocally(workspace, {
    signal: new AbortController().signal,
    maxWaitMs: 30_000,
    maxItems: undefined,
    failureLog: undefined,
    onPrepared: () => undefined,
    onCounted: () => undefined,
    onProgress: () => undefined,
    onWaiting: () => undefined,
  });
  if (ending.error !== undefined) throw new Error(`${ending.error.code}: ${ending.error.message}`);
  return result;
}
