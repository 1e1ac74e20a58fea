import { UsageError } from '../../lib/core/errors/usage-error.ts';
import { textFlag } from '../terminal/flag.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { applyFlag, defineAwsCommand } from './aws-command.ts';

const BATCH_ROWS = 5000;
const REPORT_EVERY_MS = 10_000;

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
    const request = {
      ...(flags.source === undefined ? {} : { source: flags.source }),
      ...(flags.class === undefined ? {} : { cause: flags.class }),
      ...(flags.item === undefined ? {} : { itemId: flags.item }),
      limit: BATCH_ROWS,
    };
    if (flags.apply !== true) {
      const { failures } = await deployment.ask('failures', { exampleLimit: 1 });
      const rows = failures
        .filter(group => flags.source === undefined || group.source === flags.source)
        .filter(group => flags.class === undefined || [group.failureClass, group.code].includes(flags.class))
        .reduce((sum, group) => sum + group.rows, 0);
      const most = flags.item === undefined ? rows : Math.min(rows, 1);
      result({ applied: false, rows: most });
      terminal.line(`Up to ${formatCount(most)} failed rows match; --apply makes them stale.`);
      return 0;
    }
    let retried = 0;
    let more = true;
    while (more && !signal.aborted) {
      const batch = await deployment.ask('retry', request);
      retried += batch.rows;
      more = batch.more;
      terminal.progress(`${formatCount(retried)} rows`, REPORT_EVERY_MS);
    }
    terminal.endProgress();
    result({ applied: true, rows: retried });
    terminal.line(`${formatCount(retried)} rows are stale again.`);
    return more ? 1 : 0;
  },
});
