import { startBackfill } from '../../lib/wiring/deployment.ts';
import { defineAwsCommand } from './aws-command.ts';
import { readResetSelection, resetFlags } from './reset-flags.ts';
import { resetWithProgress } from './reset-with-progress.ts';

export const command = defineAwsCommand({
  summary: 'makes embedded rows stale, so that they are bought again; without --apply it only counts',
  flags: resetFlags,
  check: flags => void readResetSelection(flags),
  async run({ flags, terminal, signal, deployment, result }) {
    const selection = readResetSelection(flags);
    const { olderThan: _, ...places } = selection;
    const context = { flags, signal, terminal: { ...terminal, result } };
    const code = await resetWithProgress(
      deployment.ask,
      selection,
      context,
      'the walk that finds them begins now.',
    );
    if (flags.apply === true && code === 0) await startBackfill(deployment, places);
    return code;
  },
});
