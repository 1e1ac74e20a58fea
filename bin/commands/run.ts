import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import { withWorkspace } from '../../lib/wiring/workspace.ts';
import { reportRun } from '../terminal/report-run.ts';
import { defineCommand, watchFlags } from './command.ts';
import { limitsOf, watchIntervalOf } from './run-options.ts';
import { runWithProgress } from './run-with-progress.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'embeds until nothing is stale',
  flags: watchFlags,
  async run(context) {
    const watchIntervalMs = watchIntervalOf(context.flags);
    const request = {
      ...workspaceRequest(context, { create: true }),
      limits: limitsOf(context.flags),
      before: requireProviderAccess,
    };
    const end = await withWorkspace(request, workspace =>
      runWithProgress(workspace, context, watchIntervalMs),
    );
    return reportRun(end, context.terminal);
  },
});
