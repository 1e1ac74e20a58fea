import type { OperateRequest, SourceFailures } from '../../ports/operator.ts';
import { unlessSourceBroken } from '../unless-source-broken.ts';
import { badRequest } from './bad-request.ts';
import { pauseScope, resumeScope } from './change-pause.ts';
import type { OperatePorts } from './operate-ports.ts';
import { redriveDeadLetters } from './redrive-dead-letters.ts';
import { reportStatus } from './report-status.ts';
import { planReset, resetBatch } from './reset-selection.ts';
import { restartReconcile } from './restart-reconcile.ts';
import { retryBatch } from './retry-batch.ts';

/** Answers one request, as `OperateExchanges` says. Every one may be repeated. */
export async function answerOperator(
  ports: OperatePorts,
  request: OperateRequest,
  remainingMs: () => number,
): Promise<object> {
  switch (request.request) {
    case 'status':
      return reportStatus(ports);
    case 'failures':
      return { failures: await readFailures(ports, request.exampleLimit) };
    case 'pause':
      return pauseScope(ports, request);
    case 'resume':
      return resumeScope(ports, request);
    case 'plan-reset':
      return planReset(ports, request);
    case 'reset':
      return resetBatch(ports, request);
    case 'retry':
      return retryBatch(ports, request);
    case 'backfill':
      return restartReconcile(ports, request);
    case 'redrive':
      if (ports.redrive === undefined)
        throw badRequest('A run on one machine has no dead-letter queues: its rows are stale again.');
      return redriveDeadLetters({ ...ports, redrive: ports.redrive }, request, remainingMs);
  }
}

async function readFailures(ports: OperatePorts, exampleLimit: number): Promise<SourceFailures[]> {
  const failures: SourceFailures[] = [];
  for (const space of await ports.spaces.list()) {
    const groups = await unlessSourceBroken(() => ports.reports.readFailures(space, exampleLimit));
    for (const group of groups ?? [])
      failures.push({ source: space.source.name, model: space.model.alias, ...group });
  }
  return failures;
}
