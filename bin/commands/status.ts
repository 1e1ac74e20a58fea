import type { StatusAnswer } from '../../lib/ports/operator.ts';
import type { DeployedStage } from '../../lib/wiring/deployment.ts';
import { formatColumns, formatCount, formatCoverage } from '../terminal/formats.ts';
import { reportLedger, reportPauses } from '../terminal/reports.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { CommandBody } from './command.ts';
import type { OperatorCommand } from './table.ts';

export const statusCommand: CommandBody<OperatorCommand<'status'>> = {
  async run({ terminal, ask, deployment, result }) {
    const answer = await ask('status', {});
    if (deployment === undefined) {
      result(answer);
      reportStatus(answer, terminal);
      return 0;
    }
    const { queues, flow } = await readStage(deployment);
    result({ ...answer, queues, ...flow });
    reportStatus(answer, terminal);
    const rows = queues.map(queue => [
      queue.queue,
      ...[queue.visible, queue.inFlight, queue.deadLetters].map(formatCount),
    ]);
    for (const line of formatColumns(['queue', 'waiting', 'in flight', 'dead letters'], rows))
      terminal.line(line);
    for (const { feeds, mappingId, state } of flow.eventSources)
      if (state !== 'open') terminal.line(`event source ${mappingId} (${feeds}) is ${state}`);
    for (const { name, state } of flow.schedules)
      if (state === 'disabled') terminal.line(`schedule ${name} is disabled`);
    return 0;
  },
};

/** Reads what a stage has beside its database: queues, event sources and schedules. */
async function readStage(deployment: DeployedStage) {
  const { listQueues, readDepth, readFlow } = await import('../../lib/wiring/deployed-flow.ts');
  const queues = await Promise.all(listQueues(deployment).map(queue => readDepth(deployment, queue)));
  return { queues, flow: await readFlow(deployment) };
}

function reportStatus({ spaces, ledger, paused }: StatusAnswer, terminal: Terminal): void {
  for (const line of spaces.flatMap(formatCoverage)) terminal.line(line);
  reportLedger(ledger, terminal);
  reportPauses(paused, terminal);
}
