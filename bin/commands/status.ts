import { withOperator } from '../../lib/wiring/operator.ts';
import { formatCoverage } from '../terminal/format-coverage.ts';
import { reportLedger } from '../terminal/report-ledger.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'how much is embedded, what is on its way, what is paused and why',
  flags: workspaceFlags,
  async run(context) {
    const { terminal } = context;
    const status = await withOperator(workspaceRequest(context), operator => operator.ask('status', {}));
    terminal.result(status);
    for (const line of status.spaces.flatMap(formatCoverage)) terminal.line(line);
    reportLedger(status.ledger, terminal);
    reportPauses(status.paused, terminal);
    return 0;
  },
});
