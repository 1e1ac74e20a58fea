import { FRESHET } from '../../lib/core/own-command.ts';
import type { CommandBody } from './command.ts';
import type { OperatorCommand } from './table.ts';

export const nudgeCommand: CommandBody<OperatorCommand<'nudge'>> = {
  async run({ terminal, here, deployment, result }) {
    if (deployment !== undefined) {
      const { nudgeStage } = await import('../../lib/wiring/deployed-flow.ts');
      const isStarted = await nudgeStage(deployment);
      result({ started: isStarted });
      if (isStarted) terminal.line('A look begins within a second, beside those of the schedules.');
      else terminal.line(`Every schedule is disabled: ${deployment.lineOf('resume --now --apply')}`);
      return isStarted ? 0 : 1;
    }
    const { runs } = await here!.nudgeRuns();
    result({ runs });
    if (runs === 0) terminal.line(`No run is in progress: ${FRESHET} run embeds what is stale.`);
    else terminal.line(`${runs} ${runs === 1 ? 'run looks' : 'runs look'} within a second.`);
    return 0;
  },
};
