import { withWorkspace } from '../../lib/wiring/open-workspace.ts';
import { readFailures } from '../../lib/wiring/read-failures.ts';
import { adviseFailure } from '../terminal/advise-failure.ts';
import { formatCount } from '../terminal/format-numbers.ts';
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
    const failures = groups.map(group => ({ ...group, advice: adviseFailure(group) }));
    terminal.result({ failures });
    if (failures.length === 0) terminal.line('No row failed.');
    for (const failure of failures) {
      const examples =
        failure.exampleIds.join(', ') + (failure.rows > failure.exampleIds.length ? ', …' : '');
      terminal.line(
        `${failure.source} · ${failure.model}: ${formatCount(failure.rows)} rows, ${failure.failureClass} ${failure.code}, last ${failure.lastAt ?? 'unknown'}`,
      );
      terminal.line(`  ids: ${examples}`);
      terminal.line(`  try: ${failure.advice}`);
    }
    return 0;
  },
});
