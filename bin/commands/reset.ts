import { withOperator } from '../../lib/wiring/operator.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { readResetSelection, resetFlags } from './reset-flags.ts';
import { resetWithProgress } from './reset-with-progress.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'makes embedded rows stale, so that they are bought again; without --apply it only counts',
  flags: { ...resetFlags, ...workspaceFlags },
  async run(context) {
    const selection = readResetSelection(context.flags);
    return withOperator(workspaceRequest(context), operator =>
      resetWithProgress(operator.ask, selection, context, 'npm run freshet -- run embeds them.'),
    );
  },
});
