import { FRESHET } from '../../lib/core/own-command.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const nudgeCommand: CommandBody<HereCommand<'nudge'>> = {
  async run(context) {
    const { terminal } = context;
    const { runs } = await withOperator(workspaceRequest(context), operator => operator.nudgeRuns());
    terminal.result({ runs });
    if (runs === 0) terminal.line(`No run is in progress: ${FRESHET} run embeds what is stale.`);
    else terminal.line(`${runs} ${runs === 1 ? 'run looks' : 'runs look'} within a second.`);
    return 0;
  },
};
