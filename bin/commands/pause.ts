import { withOperator } from '../../lib/wiring/operator.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { pauseFlags, readDetail, readScope } from './pause-flags.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'stops detecting and embedding, of everything or of one source or model, until `resume`',
  flags: { ...pauseFlags, ...workspaceFlags },
  async run(context) {
    const { flags, terminal } = context;
    const scope = readScope(flags);
    const detail = readDetail(flags.reason);
    const answer = await withOperator(workspaceRequest(context), operator =>
      operator.ask('pause', { scope, detail }),
    );
    terminal.result(answer);
    terminal.line(answer.changed ? `Paused ${scope}.` : `${scope} was paused already.`);
    reportPauses(answer.paused, terminal);
    return 0;
  },
});
