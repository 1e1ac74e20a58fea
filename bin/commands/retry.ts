import { UsageError } from '../../lib/core/errors.ts';
import { withOperator } from '../../lib/wiring/operator.ts';
import { textFlag } from '../terminal/flag.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { defineCommand, workspaceFlags } from './command.ts';
import { retryInBatches } from './retry-in-batches.ts';
import { workspaceRequest } from './workspace-request.ts';

export const command = defineCommand({
  summary: 'makes failed rows stale again; the next run embeds them',
  flags: {
    ...workspaceFlags,
    class: textFlag('C', 'only failures of this class or code, as `failures` prints them'),
    item: textFlag('ID', 'only this row'),
  },
  async run(context) {
    const { flags, terminal, signal } = context;
    if (flags.class !== undefined && flags.item !== undefined)
      throw new UsageError('retry takes --class or --item, not both.');
    const { retried, isComplete } = await withOperator(workspaceRequest(context), operator =>
      retryInBatches(
        operator.ask,
        { source: undefined, cause: flags.class, itemId: flags.item },
        terminal,
        signal,
      ),
    );
    terminal.result({ retried });
    terminal.line(
      retried === 0
        ? 'No failed row matches.'
        : `${formatCount(retried)} ${retried === 1 ? 'row is' : 'rows are'} stale again; npm run freshet -- run embeds them.`,
    );
    return isComplete ? 0 : 1;
  },
});
