import { withOperator } from '../../lib/wiring/operator.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { readScope, resumeFlags } from './pause-flags.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'ends what `pause` began, and no pause of another reason',
  flags: { ...resumeFlags, ...workspaceFlags },
  async run(context) {
    const { flags, terminal } = context;
    const scope = readScope(flags);
    const answer = await withOperator(workspaceRequest(context), operator =>
      operator.ask('resume', { scope }),
    );
    terminal.result(answer);
    terminal.line(answer.changed ? `Resumed ${scope}.` : `No operator had paused ${scope}.`);
    reportPauses(answer.paused, terminal);
    return 0;
  },
});
