import { withWorkspace } from '../../lib/wiring/open-workspace.ts';
import { requireProviderAccess } from '../../lib/wiring/require-provider-access.ts';
import { reportRun } from '../terminal/report-run.ts';
import { defineCommand, runFlags } from './command.ts';
import { limitsOf } from './run-options.ts';
import { runWithProgress } from './run-with-progress.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'embeds until nothing is stale',
  flags: runFlags,
  async run(context) {
    const request = {
      ...workspaceRequest(context, { create: true }),
      limits: limitsOf(context.flags),
      before: requireProviderAccess,
    };
    const end = await withWorkspace(request, workspace => runWithProgress(workspace, context));
    return reportRun(end, context.terminal);
  },
});
