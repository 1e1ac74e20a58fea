import { judgeSpending } from '../../lib/core/budget.ts';
import type { PipelineLimits } from '../../lib/core/config/pipeline-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { Space } from '../../lib/core/model.ts';
import { withFailureLog } from '../../lib/local/failure-log.ts';
import { type RunEnd, runLocally } from '../../lib/local/run-locally.ts';
import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import {
  type LoadedConfig,
  type Workspace,
  type WorkspaceRequest,
  withWorkspace,
} from '../../lib/wiring/workspace.ts';
import { formatQuote } from '../terminal/format-quote.ts';
import { formatCoverage, formatReplaced, formatSpending } from '../terminal/formats.ts';
import { reportRun } from '../terminal/reports.ts';
import { createProgressMeter, type Terminal } from '../terminal/terminal.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import { withMode } from './run-modes.ts';
import type { FlagsOf, HereCommand } from './table.ts';

const DEFAULT_MAX_WAIT_MS = 5 * 60_000;
const DEFAULT_REPORT_EVERY_MS = 10_000;
const DEFAULT_WATCH_INTERVAL_MS = 10_000;

type RunFlags = FlagsOf<'start'>;

export const runCommand: CommandBody<HereCommand<'run'>> = {
  async run(context) {
    const { flags } = context;
    const request = runRequest(context, ({ config }) => void watchIntervalOf(withMode(flags, config)));
    const end = await withWorkspace(request, workspace =>
      runWithProgress(workspace, context, watchIntervalOf(withMode(flags, workspace.config))),
    );
    return reportRun(end, context.terminal);
  },
};

/**
 * The workspace of a run.
 * Its database is created where it is missing; flags and providers are looked at before.
 */
export function runRequest(
  context: HereCommand<'start'>,
  checkFlags: (loaded: LoadedConfig) => void = () => {},
): WorkspaceRequest {
  return {
    ...workspaceRequest(context, { create: true }),
    limits: config => limitsOf(withMode(context.flags, config)),
    before: (loaded, environment) => {
      checkFlags(loaded);
      return requireProviderAccess(loaded, environment);
    },
  };
}

/**
 * Runs until nothing is stale, or goes on watching where an interval is given.
 * Prints the coverage before, and a live line while the run works.
 */
export async function runWithProgress(
  workspace: Workspace,
  { flags: given, terminal, signal }: HereCommand<'start'>,
  watchIntervalMs?: number,
): Promise<RunEnd> {
  const flags = withMode(given, workspace.config);
  let expectedItems: number | undefined;
  const meter = createProgressMeter(() => expectedItems, Date.now);
  const end = await withFailureLog(flags['failure-log'], failureLog =>
    runLocally(workspace, {
      signal,
      maxWaitMs: maxWaitOf(flags),
      maxItems: flags['max-items'],
      maxUsd: flags['max-usd'],
      watchIntervalMs,
      failureLog,
      onPrepared: async ({ resumed, spaces }) => {
        for (const pause of resumed)
          terminal.note(`Resumed: ${pause.scope} was paused by ${pause.reason} since ${pause.since}.`);
        if (terminal.isWatched) await showMoney(workspace, spaces, terminal);
      },
      onCounted: before => {
        for (const line of before.flatMap(formatCoverage)) terminal.line(line);
        const toDo = before.reduce((sum, coverage) => sum + coverage.stale + coverage.inFlight, 0);
        expectedItems = Math.min(toDo, flags['max-items'] ?? toDo);
      },
      onReplaced: replaced => terminal.note(formatReplaced(replaced)),
      onStopRequested: () =>
        terminal.note('freshet stop: the batch in hand ends or is given back. Nothing is lost.'),
      onWaiting: ({ code, message }) => terminal.note(`Waiting: ${message} (${code})`),
      onProgress: ({ itemsDone, tokens, costUsd }) =>
        terminal.progress(meter({ items: itemsDone, tokens, costUsd }), reportEveryOf(flags)),
    }),
  );
  terminal.endProgress();
  return end;
}

/** Shows a person what priced models will be asked for, and caps that are reached or nearly so. */
async function showMoney(workspace: Workspace, spaces: readonly Space[], terminal: Terminal): Promise<void> {
  const priced = spaces.filter(({ model }) => model.usdPerMillionTokens > 0);
  if (priced.length === 0) return;
  const { quoteSpaces, readCaps } = await import('../../lib/wiring/quotes.ts');
  for (const line of (await quoteSpaces(workspace, priced)).flatMap(quote => formatQuote(quote)))
    terminal.line(line);
  for (const spending of await readCaps(workspace))
    if (judgeSpending(spending) !== undefined) terminal.note(formatSpending(spending));
}

/** The limits that flags set over the configuration's. */
function limitsOf(flags: RunFlags): Partial<PipelineLimits> {
  const given = {
    batchSize: flags['batch-size'],
    concurrency: flags.concurrency,
    maxCharacters: flags['max-chars'],
    pauseMs: flags['pause-ms'],
    timeoutSeconds: flags['timeout-sec'],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function maxWaitOf(flags: RunFlags): number {
  return flags['max-wait'] ?? DEFAULT_MAX_WAIT_MS;
}

function reportEveryOf(flags: RunFlags): number {
  return flags['report-every'] ?? DEFAULT_REPORT_EVERY_MS;
}

/** The interval of a watching run; undefined: the run ends when nothing is stale. */
function watchIntervalOf(flags: FlagsOf<'run'>): number | undefined {
  if (flags.watch === undefined) {
    if (flags['watch-interval'] !== undefined) throw new UsageError('--watch-interval needs --watch.');
    return undefined;
  }
  if (flags['max-items'] !== undefined)
    throw new UsageError(
      '--watch goes on and --max-items (or a mode with maxItems) stops: give one of them.',
    );
  return flags['watch-interval'] ?? DEFAULT_WATCH_INTERVAL_MS;
}
