import { followLogs } from '../../lib/wiring/deployment.ts';
import { durationFlag, switchFlag, textFlag } from '../terminal/flag.ts';
import { formatLogLine } from '../terminal/format-log-line.ts';
import { defineAwsCommand } from './aws-command.ts';

const DEFAULT_SINCE_MS = 15 * 60_000;

export const command = defineAwsCommand({
  summary: 'what the functions logged: ids, codes and numbers',
  flags: {
    function: textFlag('NAME', 'detect, embed, write, guard, migrate or operate (all)'),
    since: durationFlag('TIME', 'how far back (15m)'),
    follow: switchFlag('go on until interrupted'),
    trouble: switchFlag('only warnings and errors'),
  },
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
        else terminal.line(formatLogLine(line));
      },
    });
    result({ lines });
    return 0;
  },
});
