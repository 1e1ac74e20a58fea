import { UsageError } from '../../lib/core/errors.ts';
import type { OutcomeSelection } from '../../lib/ports/operator.ts';
import { instantFlag, switchFlag, textFlag } from '../terminal/flag.ts';
import type { Flags, FlagValues } from '../terminal/read-flags.ts';

export const resetFlags = {
  all: switchFlag('every row of every source and model'),
  source: textFlag('NAME', 'rows of this source'),
  model: textFlag('ALIAS', 'rows of this model'),
  'older-than': instantFlag('DATE', 'rows embedded before: 2026-03-01, or a time with its zone'),
  apply: switchFlag('do it'),
  yes: switchFlag('do not ask'),
} as const satisfies Flags;

/** Nothing said must not mean everything. */
export function readResetSelection(flags: FlagValues<typeof resetFlags>): OutcomeSelection {
  const { source, model } = flags;
  const olderThan = flags['older-than'];
  const isNarrowed = source !== undefined || model !== undefined || olderThan !== undefined;
  if (isNarrowed && flags.all) throw new UsageError('--all goes with no other selection.');
  if (!isNarrowed && !flags.all)
    throw new UsageError('reset needs --all, --source, --model or --older-than.');
  return {
    ...(source === undefined ? {} : { source }),
    ...(model === undefined ? {} : { model }),
    ...(olderThan === undefined ? {} : { olderThan }),
  };
}
