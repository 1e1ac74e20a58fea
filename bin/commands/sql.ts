import { UsageError } from '../../lib/core/errors.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { formatColumns, shorten } from '../terminal/formats.ts';
import { type CommandBody, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

const CELL_WIDTH = 60;

export const sqlCommand: CommandBody<HereCommand<'sql'>> = {
  async run(context) {
    const { positionals, terminal } = context;
    const statement = positionals.join(' ').trim();
    if (statement === '')
      throw new UsageError('sql needs a statement.', `${FRESHET} sql "SELECT * FROM ai_items LIMIT 5"`);
    const { rows, affectedRows } = await withOperator(workspaceRequest(context, { create: true }), operator =>
      operator.ask('sql', { statement }),
    );
    terminal.result({ rows, affectedRows });
    if (rows.length === 0) terminal.line(`${affectedRows} ${affectedRows === 1 ? 'row' : 'rows'}`);
    else
      for (const line of formatColumns(
        Object.keys(rows[0]!),
        rows.map(row => Object.values(row).map(formatCell)),
      ))
        terminal.line(line);
    return 0;
  },
};

function formatCell(value: unknown): string {
  if (value === null) return '';
  return shorten(typeof value === 'object' ? JSON.stringify(value) : String(value), CELL_WIDTH);
}
