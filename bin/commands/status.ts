import {
  describeBatches,
  describeLimits,
  describeQueue,
  hasLimits,
  isAtWork,
  type ModelFlow,
} from '../../lib/core/model-flow.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { formatDuration } from '../../lib/core/quantities.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { StatusAnswer } from '../../lib/ports/operator.ts';
import type { DeployedStage } from '../../lib/wiring/deployment.ts';
import { formatColumns, formatCoverage, formatSpending } from '../terminal/formats.ts';
import { reportLedger, reportPauses, reportQueries } from '../terminal/reports.ts';
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

function reportStatus(
  { spaces, unread = [], ledger, queries, budget = [], flows = [], paused }: StatusAnswer,
  terminal: Terminal,
): void {
  for (const space of spaces) {
    for (const line of formatCoverage(space)) terminal.line(line);
    const { oldestStaleAgeSeconds: seconds } = space;
    if (seconds > 0) terminal.line(`  the oldest edit has waited for ${formatDuration(seconds * 1000)}`);
    if (space.rowsPerSecond > 0)
      terminal.line(`  ${formatRate(space.rowsPerSecond)} rows a second over the last five minutes`);
  }
  for (const source of unread)
    terminal.line(`Source "${source}": its rows cannot be listed: ${FRESHET} doctor`);
  reportLedger(ledger, terminal);
  // A stage of an older version has none.
  if (queries !== undefined) reportQueries(queries, terminal);
  for (const spending of budget) terminal.line(formatSpending(spending));
  for (const flow of flows) for (const line of describeFlow(flow)) terminal.line(line);
  reportPauses(paused, terminal);
}

function describeFlow(flow: ModelFlow): readonly string[] {
  const { model, queues, batches } = flow;
  const subject = hasLimits(flow) ? 'limits' : 'calls';
  return [
    ...(isAtWork(flow) ? [`${subject} of ${model}: ${describeLimits(flow)}`] : []),
    ...queues.map(queue => `queue of ${model}, ${queue.lane}: ${describeQueue(queue)}`),
    ...(batches === null ? [] : [`batches of ${model}: ${describeBatches(batches)}`]),
  ];
}

/** A rate with one decimal below ten, where a whole number would say too little. */
function formatRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}
