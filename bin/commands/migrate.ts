import { prepareDatabase } from '../../lib/wiring/prepare.ts';
import { withWorkspace } from '../../lib/wiring/workspace.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'brings schema freshet to this version and creates the tables of new spaces',
  flags: workspaceFlags,
  async run(context) {
    const { terminal } = context;
    const migrated = await withWorkspace(workspaceRequest(context, { create: true }), workspace =>
      prepareDatabase(workspace, { adopt: true }),
    );
    terminal.result(migrated);
    terminal.line(
      migrated.applied.length === 0
        ? `Schema freshet is at version ${migrated.to}; nothing to change.`
        : `Schema freshet went from version ${migrated.from} to ${migrated.to}: ${migrated.applied.join(', ')}.`,
    );
    return 0;
  },
});
