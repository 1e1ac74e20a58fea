import { prepareDatabase } from '../../lib/wiring/prepare.ts';
import { withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatReplaced } from '../terminal/formats.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const migrateCommand: CommandBody<HereCommand<'migrate'>> = {
  async run(context) {
    const { terminal } = context;
    const { migrated } = await withWorkspace(workspaceRequest(context, { create: true }), workspace =>
      prepareDatabase(workspace, {
        ...{ adopt: true, mendsIndexes: true },
        onReplaced: replaced => terminal.note(formatReplaced(replaced)),
      }),
    );
    terminal.result(migrated);
    terminal.line(
      migrated.applied.length === 0
        ? `Schema freshet is at version ${migrated.to}, as it was.`
        : `Schema freshet went from version ${migrated.from} to ${migrated.to}: ` +
            `${migrated.applied.join(', ')}.`,
    );
    return 0;
  },
};
