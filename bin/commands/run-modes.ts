import type { FlagValues } from '../terminal/flags.ts';
import type { runFlags } from './run-flags.ts';

type RunFlagValues = FlagValues<typeof runFlags>;

/**
 * The named modes of a run, each a preset of its flags.
 * `bootstrap` fills a table for the first time beside an application that goes on: small batches
 * with a pause between them, and a failure log of its own. `maintenance` is for a schedule: it ends
 * after 20,000 rows, so that two runs of it seldom meet.
 */
const RUN_MODES = {
  bootstrap: { 'batch-size': 64, 'pause-ms': 200, 'failure-log': 'freshet-bootstrap-failures.jsonl' },
  maintenance: { 'batch-size': 32, 'max-items': 20_000 },
} as const satisfies Readonly<Record<string, RunFlagValues>>;

/** The flags of a run with those of its mode; a flag that is given wins over the mode's. */
export function withMode<Values extends RunFlagValues>(flags: Values): Values {
  return flags.mode === undefined ? flags : { ...RUN_MODES[flags.mode], ...flags };
}
