import { withOperator } from '../../lib/wiring/operator.ts';
import { countErrors, reportFindings } from '../terminal/reports.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const doctorCommand: CommandBody<HereCommand<'doctor'>> = {
  async run(context) {
    const { terminal, flags } = context;
    const { findings } = await withOperator(workspaceRequest(context), operator =>
      operator.ask('doctor', { countKeys: flags['count-keys'] === true }),
    );
    const errors = countErrors(findings);
    terminal.result({ ok: errors === 0, findings });
    reportFindings(findings, terminal);
    return errors === 0 ? 0 : 1;
  },
};
