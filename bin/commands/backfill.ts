import { formatCount } from '../../lib/core/run-end.ts';
import { startBackfill } from '../../lib/wiring/deployment.ts';
import type { CommandBody } from './command.ts';
import type { StageCommand } from './table.ts';

export const backfillCommand: CommandBody<StageCommand<'backfill'>> = {
  async run({ flags, terminal, deployment, result }) {
    const { source, model } = flags;
    const { spaces } = await deployment.ask('status', {});
    const chosen = spaces.filter(
      space =>
        (source === undefined || space.source === source) && (model === undefined || space.model === model),
    );
    if (flags.apply !== true) {
      result({ applied: false, spaces: chosen });
      for (const space of chosen)
        terminal.line(
          `${space.source} · ${space.model}: ${formatCount(space.eligible)} rows to look at, ` +
            `${formatCount(space.stale)} stale now`,
        );
      terminal.line('--apply begins the walk. Fresh rows are only looked at; what is stale is embedded.');
      return 0;
    }
    const begun = await startBackfill(deployment, {
      ...(source === undefined ? {} : { source }),
      ...(model === undefined ? {} : { model }),
    });
    result({ applied: true, spaces: begun.spaces });
    for (const space of begun.spaces) terminal.line(`${space.source} · ${space.model}: the walk begins.`);
    return 0;
  },
};
