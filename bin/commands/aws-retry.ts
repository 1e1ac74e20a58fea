import { UsageError } from '../../lib/core/errors.ts';
import { isOfCause } from '../../lib/core/outcomes.ts';
import { textFlag } from '../terminal/flag.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { applyFlag, defineAwsCommand } from './aws-command.ts';
import { retryInBatches } from './retry-in-batches.ts';

export const command = defineAwsCommand({
  summary: 'makes failed rows stale again; the next tick sends them',
  flags: {
    source: textFlag('NAME', 'only rows of this source'),
    class: textFlag('C', 'only failures of this class or code, as `aws failures` prints them'),
    item: textFlag('ID', 'only this row'),
    apply: applyFlag,
  },
  check(flags) {
    if (flags.class !== undefined && flags.item !== undefined)
      throw new UsageError('retry takes --class or --item, not both.');
  },
  async run({ flags, terminal, signal, deployment, result }) {
    if (flags.apply !== true) {
      const { failures } = await deployment.ask('failures', { exampleLimit: 1 });
      const rows = failures
        .filter(group => flags.source === undefined || group.source === flags.source)
        .filter(group => flags.class === undefined || isOfCause(group, flags.class))
        .reduce((sum, group) => sum + group.rows, 0);
      const most = flags.item === undefined ? rows : Math.min(rows, 1);
      result({ applied: false, rows: most });
      terminal.line(`Up to ${formatCount(most)} failed rows match; --apply makes them stale.`);
      return 0;
    }
    const selection = { source: flags.source, cause: flags.class, itemId: flags.item };
    const { retried, isComplete } = await retryInBatches(deployment.ask, selection, terminal, signal);
    result({ applied: true, rows: retried });
    terminal.line(`${formatCount(retried)} rows are stale again.`);
    return isComplete ? 0 : 1;
  },
});
