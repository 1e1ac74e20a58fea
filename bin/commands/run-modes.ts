import type { PipelineConfig } from '../../lib/core/config/pipeline-config.ts';
import { findRunMode } from '../../lib/core/config/run-modes.ts';
import type { FlagValues } from '../terminal/flags.ts';
import type { runFlags } from './run-flags.ts';

type RunFlagValues = FlagValues<typeof runFlags>;

/**
 * The flags of a run with those of its mode; a flag that is given wins over the mode's.
 * @throws UsageError for a mode that neither the configuration nor Freshet has
 */
export function withMode<Values extends RunFlagValues>(
  flags: Values,
  { modes }: Pick<PipelineConfig, 'modes'>,
): Values {
  if (flags.mode === undefined) return flags;
  const mode = findRunMode(modes, flags.mode);
  const named = {
    'batch-size': mode.batchSize,
    concurrency: mode.concurrency,
    'max-chars': mode.maxCharacters,
    'timeout-sec': mode.timeoutSeconds,
    'pause-ms': mode.pauseMs,
    'max-items': mode.maxItems,
    'max-usd': mode.maxUsd,
    'failure-log': mode.failureLog,
  } satisfies Partial<Record<keyof RunFlagValues, unknown>>;
  return { ...withoutUndefined(named), ...withoutUndefined(flags) };
}

function withoutUndefined<Values extends object>(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values;
}
