import type { PipelineLimits } from '../../lib/core/config/pipeline-config.ts';
import type { FlagValues } from '../terminal/read-flags.ts';
import type { runFlags } from './command.ts';

const DEFAULT_MAX_WAIT_MS = 5 * 60_000;
const DEFAULT_REPORT_EVERY_MS = 10_000;

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
