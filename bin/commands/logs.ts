import { followLogs } from '../../lib/wiring/deployment.ts';
import { formatLogLine } from '../terminal/formats.ts';
import type { CommandBody } from './command.ts';
import type { StageCommand } from './table.ts';

const DEFAULT_SINCE_MS = 15 * 60_000;

export const logsCommand: CommandBody<StageCommand<'logs'>> = {
  async run({ flags, terminal, signal, deployment, result }) {
    const lines: object[] = [];
    await followLogs(deployment, {
      component: flags.function,
      sinceMs: deployment.clock.now() - (flags.since ?? DEFAULT_SINCE_MS),
      follow: flags.follow === true,
      troubleOnly: flags.trouble === true,
      signal,
      onLine: line => {
        if (terminal.json) lines.push(line);
        else for (const text of formatLogLine(line)) terminal.line(text);
      },
    });
    result({ lines });
    return 0;
  },
};
