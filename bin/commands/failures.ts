import { withOperator } from '../../lib/wiring/operator.ts';
import { reportFailures, withAdvice } from '../terminal/report-failures.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

const EXAMPLES = 5;

export const command = defineCommand({
  summary: 'failed rows by cause, each with what to do',
  flags: workspaceFlags,
  async run(context) {
    const { terminal } = context;
    const answer = await withOperator(workspaceRequest(context), operator =>
      operator.ask('failures', { exampleLimit: EXAMPLES }),
    );
    const failures = withAdvice(answer.failures, 'local');
    terminal.result({ failures });
    reportFailures(failures, terminal);
    return 0;
  },
});
