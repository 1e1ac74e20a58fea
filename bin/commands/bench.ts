import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTextRows, replaceTextCopy, type TextRows } from '../../lib/adapters/sql/copy-texts.ts';
import type { PipelineConfig, SourceConfig } from '../../lib/core/config/pipeline-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { formatBytes, formatUsd } from '../../lib/core/quantities.ts';
import { formatCount, type RunEnding } from '../../lib/core/run-end.ts';
import { runLocally } from '../../lib/local/run-locally.ts';
import { prepareDatabase } from '../../lib/wiring/prepare.ts';
import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import {
  type DatabasePlace,
  openDatabase,
  type Workspace,
  withWorkspace,
} from '../../lib/wiring/workspace.ts';
import { formatColumns } from '../terminal/formats.ts';
import { measureProcess } from '../terminal/measure-process.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

const DEFAULT_ITEMS = 1000;
const DEFAULT_BATCH_SIZES: readonly number[] = [50, 100, 200];
const MAX_WAIT_MS = 60_000;
/** Rows that are embedded by the built-in model first, so that no batch size pays for compiling. */
const WARM_UP_ROWS = 300;
const WARM_UP_MODEL = 'hash';

/** What one batch size took. `end` is that of a run: `complete`, or why it stopped before. */
interface BenchedSize {
  readonly batchSize: number;
  readonly end: string;
  readonly items: number;
  readonly providerCalls: number;
  readonly seconds: number;
  readonly itemsPerSecond: number;
  readonly cpuMsPerThousand: number;
  readonly peakMemoryBytes: number;
  readonly tokens: number;
  readonly costUsd: number;
}

/**
 * Embeds the same rows once per batch size, and prints what each took.
 * The rows are read from the table and embedded in an embedded database in a temporary folder,
 * which is removed: neither the table nor its vectors are touched. The provider is called and paid
 * as in a run, once per batch size.
 */
export const benchCommand: CommandBody<HereCommand<'bench'>> = {
  async run({ flags, terminal, signal, ...context }) {
    const request = workspaceRequest({ flags, terminal, signal, ...context });
    return withWorkspace({ ...request, before: requireProviderAccess }, async workspace => {
      const source = chooseSource(workspace.config, flags.source, flags.model);
      const texts = await readTextRows(workspace.database, source, flags.items ?? DEFAULT_ITEMS);
      const items = texts.rows.length;
      if (items === 0) throw new UsageError(`Source "${source.name}" has no rows to embed.`);
      const model = source.models[0]!;
      terminal.line(`${source.name} · ${model} · ${formatCount(items)} rows, once per batch size`);
      const sizes = flags['batch-sizes'] ?? DEFAULT_BATCH_SIZES;
      const runs: BenchedSize[] = [];
      const ending = await withScratch(workspace, async scratch => {
        const warmUp = { ...texts, rows: texts.rows.slice(0, WARM_UP_ROWS) };
        let last = await embedCopy(
          scratch,
          { ...source, models: [WARM_UP_MODEL] },
          warmUp,
          sizes[0]!,
          signal,
        );
        for (const size of sizes) {
          if (!['complete', 'failed-rows'].includes(last.ending.kind)) break;
          terminal.note(`batches of ${size} …`);
          last = await embedCopy(scratch, source, texts, size, signal);
          runs.push(last.benched);
        }
        return last.ending;
      });
      terminal.result({ source: source.name, model, items, runs });
      for (const line of formatRuns(runs)) terminal.line(line);
      for (const sentence of ending.sentences) terminal.note(sentence);
      return ending.exitCode;
    });
  },
};

/** Chooses the source and the one model that its rows are embedded by. */
function chooseSource(config: PipelineConfig, name?: string, alias?: string): SourceConfig {
  const source = name === undefined ? config.sources[0] : config.sources.find(known => known.name === name);
  if (source === undefined) {
    const known = config.sources.map(({ name: other }) => other).join(', ');
    throw new UsageError(`There is no source "${name}".`, `Sources: ${known}`);
  }
  const model = alias ?? source.models[0]!;
  if (config.models[model] === undefined)
    throw new UsageError(`There is no model "${model}".`, `Models: ${Object.keys(config.models).join(', ')}`);
  return { ...source, models: [model], fallback: undefined };
}

/** Opens an embedded database in a temporary folder, and removes both in any case. */
async function withScratch<Result>(
  workspace: Workspace,
  use: (scratch: Workspace) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
  const place: DatabasePlace = { kind: 'embedded', directory: join(directory, 'postgres') };
  try {
    const database = await openDatabase(place, 1);
    try {
      return await use({ ...workspace, place, directory, database, demo: false });
    } finally {
      await database.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function embedCopy(
  scratch: Workspace,
  source: SourceConfig,
  texts: TextRows,
  batchSize: number,
  signal: AbortSignal,
): Promise<{ readonly benched: BenchedSize; readonly ending: RunEnding }> {
  const { database, config } = scratch;
  const copy = await replaceTextCopy(database, source, config.database.viewSchema, texts);
  const limits = { ...config.limits, batchSize };
  const workspace = { ...scratch, config: { ...config, sources: [copy], limits } };
  await prepareDatabase(workspace);
  const finish = measureProcess();
  const { result, ending } = await runLocally(workspace, {
    signal,
    maxWaitMs: MAX_WAIT_MS,
    maxItems: undefined,
    failureLog: undefined,
    onPrepared: () => undefined,
    onCounted: () => undefined,
    onProgress: () => undefined,
    onWaiting: () => undefined,
  });
  const { cpuMs, peakMemoryBytes } = finish();
  const items = result.embedded + result.copied;
  const { providerCalls, tokens, costUsd, durationMs } = result;
  const benched = {
    ...{ batchSize, end: ending.kind, items, providerCalls, seconds: durationMs / 1000 },
    itemsPerSecond: durationMs === 0 ? 0 : (items * 1000) / durationMs,
    cpuMsPerThousand: items === 0 ? 0 : (cpuMs * 1000) / items,
    ...{ peakMemoryBytes, tokens, costUsd },
  };
  return { benched, ending };
}

const HEADINGS = ['batch', 'rows', 'calls', 'seconds', 'rows/s', 'CPU ms/1,000', 'memory', 'tokens', 'cost'];

function formatRuns(runs: readonly BenchedSize[]): string[] {
  const rows = runs.map(run => [
    String(run.batchSize),
    formatCount(run.items),
    formatCount(run.providerCalls),
    run.seconds.toFixed(2),
    formatCount(Math.round(run.itemsPerSecond)),
    formatCount(Math.round(run.cpuMsPerThousand)),
    formatBytes(run.peakMemoryBytes),
    formatCount(run.tokens),
    formatUsd(run.costUsd),
  ]);
  return formatColumns(HEADINGS, rows);
}
