import { FRESHET } from '../../lib/core/own-command.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

/** A run looks every second whether it shall stop, and then has five seconds to end. */
const DEFAULT_WAIT_MS = 15_000;

export const stopCommand: CommandBody<HereCommand<'stop'>> = {
  async run(context) {
    const { flags, terminal } = context;
    const { asked, stillRunning } = await withOperator(workspaceRequest(context), operator =>
      operator.stopRuns(flags.wait ?? DEFAULT_WAIT_MS),
    );
    terminal.result({ asked, stopped: asked - stillRunning, stillRunning });
    if (asked === 0) terminal.line('No run is in progress.');
    else terminal.line(`${asked - stillRunning} of ${asked} ${asked === 1 ? 'run' : 'runs'} ended.`);
    if (stillRunning === 0) return 0;
    terminal.note(`The others were asked and have not ended yet: ${FRESHET} stop asks again.`);
    return 1;
  },
};
