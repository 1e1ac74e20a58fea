import type { PipelineLimits } from '../../lib/core/config/pipeline-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { FlagValues } from '../terminal/read-flags.ts';
import type { runFlags, watchFlags } from './command.ts';

const DEFAULT_MAX_WAIT_MS = 5 * 60_000;
const DEFAULT_REPORT_EVERY_MS = 10_000;
const DEFAULT_WATCH_INTERVAL_MS = 10_000;

/** The limits that flags set over the configuration's. */
export function limitsOf(flags: FlagValues<typeof runFlags>): Partial<PipelineLimits> {
  const given = {
    batchSize: flags['batch-size'],
    concurrency: flags.concurrency,
    maxCharacters: flags['max-chars'],
    pauseMs: flags['pause-ms'],
    timeoutSeconds: flags['timeout-sec'],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function maxWaitOf(flags: FlagValues<typeof runFlags>): number {
  return flags['max-wait'] ?? DEFAULT_MAX_WAIT_MS;
}

export function reportEveryOf(flags: FlagValues<typeof runFlags>): number {
  return flags['report-every'] ?? DEFAULT_REPORT_EVERY_MS;
}

/** Undefined: the run ends when nothing is stale. */
export function watchIntervalOf(flags: FlagValues<typeof watchFlags>): number | undefined {
  if (flags.watch === undefined) {
    if (flags['watch-interval'] !== undefined) throw new UsageError('--watch-interval needs --watch.');
    return undefined;
  }
  if (flags['max-items'] !== undefined)
    throw new UsageError('--watch goes on and --max-items stops: give one of them.');
  return flags['watch-interval'] ?? DEFAULT_WATCH_INTERVAL_MS;
}
