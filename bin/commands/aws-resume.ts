import { PIPELINE_SCOPE } from '../../lib/core/control.ts';
import { readFlow, switchFlow } from '../../lib/wiring/deployed-flow.ts';
import { switchFlag } from '../terminal/flag.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { applyFlag, defineAwsCommand } from './aws-command.ts';
import { readScope, resumeFlags } from './pause-flags.ts';

export const command = defineAwsCommand({
  summary: 'ends what `aws pause` began, and no pause of another reason',
  flags: {
    ...resumeFlags,
    now: switchFlag('open event sources and schedules at once; needed where they were closed with --now'),
    apply: applyFlag,
  },
  check: flags => void readScope(flags),
  async run({ flags, terminal, deployment, result }) {
    const scope = readScope(flags);
    if (flags.apply !== true) {
      const { paused } = await deployment.ask('status', {});
      result({ applied: false, scope, paused });
      terminal.line(`Would resume ${scope}; --apply does it.`);
      reportPauses(paused, terminal);
      return 0;
    }
    const answer = await deployment.ask('resume', { scope });
    // What still holds another reason stays closed: the guard knows which.
    const isHeld = answer.paused.some(pause => pause.scope === PIPELINE_SCOPE || pause.scope === scope);
    const switched = flags.now === true && !isHeld ? await switchFlow(deployment, scope, 'open') : [];
    result({ applied: true, scope, ...answer, switched });
    terminal.line(answer.changed ? `Resumed ${scope}.` : `No operator had paused ${scope}.`);
    for (const what of switched) terminal.line(`opened: ${what}`);
    reportPauses(answer.paused, terminal);
    if (isHeld) terminal.note('Other reasons still hold; each ends by what set it.');
    const { schedules } = await readFlow(deployment);
    for (const { name, state } of schedules)
      if (state === 'disabled') terminal.note(`The schedule ${name} is disabled: --now switches it on.`);
    return 0;
  },
});
