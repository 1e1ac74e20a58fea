import { listQueues, readDepth, readFlow } from '../../lib/wiring/deployed-flow.ts';
import { formatCoverage } from '../terminal/format-coverage.ts';
import { formatCount } from '../terminal/format-numbers.ts';
import { formatTable } from '../terminal/format-table.ts';
import { reportLedger } from '../terminal/report-ledger.ts';
import { reportPauses } from '../terminal/report-pauses.ts';
import { defineAwsCommand } from './aws-command.ts';

export const command = defineAwsCommand({
  summary: 'coverage, pauses, money, queues with their dead letters, event sources and schedules',
  flags: {},
  async run({ terminal, deployment, result }) {
    const status = await deployment.ask('status', {});
    const queues = await Promise.all(listQueues(deployment).map(queue => readDepth(deployment, queue)));
    const flow = await readFlow(deployment);
    result({ ...status, queues, ...flow });
    for (const line of status.spaces.flatMap(formatCoverage)) terminal.line(line);
    reportLedger(status.ledger, terminal);
    reportPauses(status.paused, terminal);
    const rows = queues.map(queue => [
      queue.queue,
      ...[queue.visible, queue.inFlight, queue.deadLetters].map(formatCount),
    ]);
    for (const line of formatTable(['queue', 'waiting', 'in flight', 'dead letters'], rows))
      terminal.line(line);
    for (const { feeds, mappingId, state } of flow.eventSources)
      if (state !== 'open') terminal.line(`event source ${mappingId} (${feeds}) is ${state}`);
    for (const { name, state } of flow.schedules)
      if (state === 'disabled') terminal.line(`schedule ${name} is disabled`);
    return 0;
  },
});
