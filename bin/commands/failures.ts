import { withWorkspace } from '../../lib/wiring/open-workspace.ts';
import { readFailures } from '../../lib/wiring/read-failures.ts';
import { reportFailures, withAdvice } from '../terminal/report-failures.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

const EXAMPLES = 5;

export const command = defineCommand({
  summary: 'failed rows by cause, each with what to do',
  flags: workspaceFlags,
  async run(context) {
    const { terminal } = context;
    const groups = await withWorkspace(workspaceRequest(context), workspace =>
      readFailures(workspace, EXAMPLES),
    );
    const failures = withAdvice(groups, 'local');
    terminal.result({ failures });
    reportFailures(failures, terminal);
    return 0;
  },
});
