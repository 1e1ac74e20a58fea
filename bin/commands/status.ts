import { askStatus } from '../../lib/wiring/with-operator.ts';
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
    const status = await askStatus(workspaceRequest(context));
    terminal.result(status);
    for (const line of status.spaces.flatMap(formatCoverage)) terminal.line(line);
    reportLedger(status.ledger, terminal);
    reportPauses(status.paused, terminal);
    return 0;
  },
});
