import { modelScope, PAUSE_DETAIL, PIPELINE_SCOPE, sourceScope } from '../../lib/core/control.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { reportPauses } from '../terminal/reports.ts';
import type { CommandBody } from './command.ts';
import type { OperatorCommand } from './table.ts';

type Pause = OperatorCommand<'pause'>;
type Resume = OperatorCommand<'resume'>;

export const pauseCommand: CommandBody<Pause> = {
  check(flags) {
    readScope(flags);
    readDetail(flags.reason);
  },
  async run(context) {
    const { flags, terminal, ask, deployment, result } = context;
    const scope = readScope(flags);
    if (deployment !== undefined && flags.apply !== true) return showPauses(context, `Would pause ${scope}`);
    const answer = await ask('pause', { scope, detail: readDetail(flags.reason) });
    const told = answer.changed ? `Paused ${scope}.` : `${scope} was paused already.`;
    if (deployment === undefined) {
      result(answer);
      terminal.line(told);
    } else {
      const { switchFlow } = await import('../../lib/wiring/deployed-flow.ts');
      const switched = flags.now === true ? await switchFlow(deployment, scope, 'closed') : [];
      result({ applied: true, scope, ...answer, switched });
      terminal.line(told);
      for (const what of switched) terminal.line(`closed: ${what}`);
      if (flags.now !== true) terminal.line('The guard closes the event sources within a minute.');
    }
    reportPauses(answer.paused, terminal);
    return 0;
  },
};

export const resumeCommand: CommandBody<Resume> = {
  check: flags => void readScope(flags),
  async run(context) {
    const { flags, terminal, ask, deployment, result } = context;
    const scope = readScope(flags);
    if (deployment !== undefined && flags.apply !== true) return showPauses(context, `Would resume ${scope}`);
    const answer = await ask('resume', { scope });
    const told = answer.changed ? `Resumed ${scope}.` : `No operator had paused ${scope}.`;
    if (deployment === undefined) {
      result(answer);
      terminal.line(told);
      reportPauses(answer.paused, terminal);
      return 0;
    }
    const { readFlow, switchFlow } = await import('../../lib/wiring/deployed-flow.ts');
    // While another reason holds, the guard decides what is opened.
    const isHeld = answer.paused.some(held => held.scope === PIPELINE_SCOPE || held.scope === scope);
    const switched = flags.now === true && !isHeld ? await switchFlow(deployment, scope, 'open') : [];
    result({ applied: true, scope, ...answer, switched });
    terminal.line(told);
    for (const what of switched) terminal.line(`opened: ${what}`);
    reportPauses(answer.paused, terminal);
    if (isHeld) terminal.note('Other reasons still hold; each ends by what set it.');
    const { schedules } = await readFlow(deployment);
    for (const { name, state } of schedules)
      if (state === 'disabled') terminal.note(`The schedule ${name} is disabled: --now switches it on.`);
    return 0;
  },
};

/** Shows the pauses that hold now; nothing is changed. */
async function showPauses(
  { flags, terminal, ask, result }: Pause | Resume,
  intention: string,
): Promise<number> {
  const { paused } = await ask('status', {});
  result({ applied: false, scope: readScope(flags), paused });
  terminal.line(`${intention}; --apply does it.`);
  reportPauses(paused, terminal);
  return 0;
}

function readScope(flags: {
  readonly source?: string | undefined;
  readonly model?: string | undefined;
}): string {
  if (flags.source !== undefined && flags.model !== undefined)
    throw new UsageError('Give --source or --model, not both.');
  if (flags.source !== undefined) return sourceScope(flags.source);
  return flags.model === undefined ? PIPELINE_SCOPE : modelScope(flags.model);
}

/**
 * Reads the words of `--reason`.
 * Others see them and logs keep them, so they are short and plain.
 */
function readDetail(reason: string | undefined): string {
  const detail = reason?.trim() ?? '';
  if (PAUSE_DETAIL.test(detail)) return detail;
  throw new UsageError(
    '--reason takes at most 80 letters, digits, spaces and . _ : # / -',
    '--reason "maintenance OPS-123"',
  );
}
