import { withOperator } from '../../lib/wiring/operator.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

export const doctorCommand: CommandBody<HereCommand<'doctor'>> = {
  async run(context) {
    const { terminal } = context;
    const { findings } = await withOperator(workspaceRequest(context), operator =>
      operator.ask('doctor', {}),
    );
    const errors = findings.filter(finding => !finding.ok && finding.severity === 'error').length;
    terminal.result({ ok: errors === 0, findings });
    for (const finding of findings) {
      terminal.line(`${finding.ok ? 'ok' : finding.severity}  ${finding.check}: ${finding.message}`);
      if (!finding.ok && finding.statement !== undefined)
        for (const line of finding.statement.split('\n')) terminal.line(`    ${line}`);
    }
    return errors === 0 ? 0 : 1;
  },
};
