import { switchFlow } from '../../lib/wiring/deployed-flow.ts';
import { switchFlag } from '../terminal/flag.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { applyFlag, defineAwsCommand } from './aws-command.ts';
import { pauseFlags, readDetail, readScope } from './pause-flags.ts';

export const command = defineAwsCommand({
  summary: 'stops detecting and embedding until `aws resume`; nothing is lost, rows only grow stale',
  flags: {
    ...pauseFlags,
    now: switchFlag('close event sources and schedules at once instead of at the guard’s next look'),
    apply: applyFlag,
  },
  check(flags) {
    readScope(flags);
    readDetail(flags.reason);
  },
  async run({ flags, terminal, deployment, result }) {
    const scope = readScope(flags);
    const detail = readDetail(flags.reason);
    if (flags.apply !== true) {
      const { paused } = await deployment.ask('status', {});
      result({ applied: false, scope, paused });
      terminal.line(`Would pause ${scope}; --apply does it.`);
      reportPauses(paused, terminal);
      return 0;
    }
    const answer = await deployment.ask('pause', { scope, detail });
    const switched = flags.now === true ? await switchFlow(deployment, scope, 'closed') : [];
    result({ applied: true, scope, ...answer, switched });
    terminal.line(answer.changed ? `Paused ${scope}.` : `${scope} was paused already.`);
    for (const what of switched) terminal.line(`closed: ${what}`);
    if (flags.now !== true) terminal.line('The guard closes the event sources within a minute.');
    reportPauses(answer.paused, terminal);
    return 0;
  },
});
