import { modelScope, PAUSE_DETAIL, PIPELINE_SCOPE, sourceScope } from '../../lib/core/control.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { textFlag } from '../terminal/flag.ts';
import type { Flags } from '../terminal/read-flags.ts';

/** What `resume` names, locally and on AWS. */
export const resumeFlags = {
  source: textFlag('NAME', 'only this source'),
  model: textFlag('ALIAS', 'only this model'),
} as const satisfies Flags;

export const pauseFlags = {
  ...resumeFlags,
  reason: textFlag('WORDS', 'a few words for whoever sees the pause: a ticket, a name'),
} as const satisfies Flags;

export function readScope(flags: {
  readonly source?: string | undefined;
  readonly model?: string | undefined;
}): string {
  if (flags.source !== undefined && flags.model !== undefined)
    throw new UsageError('Give --source or --model, not both.');
  if (flags.source !== undefined) return sourceScope(flags.source);
  return flags.model === undefined ? PIPELINE_SCOPE : modelScope(flags.model);
}

/** They are shown to others and kept in logs, so they are short and plain. */
export function readDetail(reason: string | undefined): string {
  const detail = reason?.trim() ?? '';
  if (PAUSE_DETAIL.test(detail)) return detail;
  throw new UsageError(
    '--reason takes at most 80 letters, digits, spaces and . _ : # / -',
    '--reason "maintenance OPS-123"',
  );
}
